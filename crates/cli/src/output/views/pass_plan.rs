//! What a pass would do, and how long it would take.

use hubshift_api::pb::registry as pb;
use serde::Serialize;

use super::{last_segment, time_text, value_name};
use crate::output::{Block, View, table};

/// A plan.
#[derive(Debug, Serialize)]
pub(crate) struct PassPlanView {
    fleet: String,
    source_hub: String,
    target_hub: String,
    as_of: Option<String>,
    create_count: u64,
    update_count: u64,
    delete_count: u64,
    unchanged_count: u64,
    extra_count: u64,
    unknowns: Vec<String>,
    read_seconds: Option<f64>,
    by_calls_seconds: Option<f64>,
    by_job_seconds: Option<f64>,
    way: String,
    limits: Vec<LimitView>,
    text: String,
}

/// One class of calls.
#[derive(Debug, Serialize)]
struct LimitView {
    hub: String,
    class: String,
    call_count: u64,
    calls_per_second: Option<f64>,
}

impl From<pb::ClassLimit> for LimitView {
    fn from(limit: pb::ClassLimit) -> Self {
        Self {
            hub: limit.hub,
            class: limit.class,
            call_count: limit.call_count,
            calls_per_second: limit.calls_per_second,
        }
    }
}

impl From<pb::PassPlan> for PassPlanView {
    fn from(plan: pb::PassPlan) -> Self {
        Self {
            way: value_name(plan.way().as_str_name(), "WAY_"),
            as_of: time_text(plan.as_of.as_ref()),
            fleet: plan.fleet,
            source_hub: plan.source_hub,
            target_hub: plan.target_hub,
            create_count: plan.create_count,
            update_count: plan.update_count,
            delete_count: plan.delete_count,
            unchanged_count: plan.unchanged_count,
            extra_count: plan.extra_count,
            unknowns: plan.unknowns,
            read_seconds: plan.read_seconds,
            by_calls_seconds: plan.by_calls_seconds,
            by_job_seconds: plan.by_job_seconds,
            limits: plan.limits.into_iter().map(LimitView::from).collect(),
            text: plan.text,
        }
    }
}

impl LimitView {
    fn cells(&self) -> Vec<String> {
        let rate = match self.calls_per_second {
            None => "not known".to_owned(),
            Some(rate) if rate < 10.0 => format!("{:.0} a minute", rate * 60.0),
            Some(rate) => format!("{rate:.0} a second"),
        };
        vec![
            self.hub.clone(),
            self.class.clone(),
            self.call_count.to_string(),
            rate,
        ]
    }
}

impl View for PassPlanView {
    fn human(&self) -> String {
        let seen = self.as_of.as_deref().unwrap_or("not both hubs yet");
        let block = Block::new()
            .line("fleet", last_segment(&self.fleet))
            .line("from", &self.source_hub)
            .line("to", &self.target_hub)
            .line("seen", seen)
            .line("to make", self.create_count)
            .line("to change", self.update_count)
            .line("to remove, once confirmed", self.delete_count)
            .line("equal", self.unchanged_count)
            .line("only at the standby, kept", self.extra_count);
        let block = self
            .unknowns
            .iter()
            .fold(block, |block, unknown| block.line("not known", unknown));
        let block = block.line("takes", &self.text);
        let header = ["hub", "calls of", "count", "allowed"];
        let limits = table(&header, self.limits.iter().map(LimitView::cells));
        format!("{}\n\n{limits}", block.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_says_what_it_does_not_know_and_how_long_it_takes() {
        let limit = |class: &str, calls_per_second| pb::ClassLimit {
            hub: "west".into(),
            class: class.into(),
            call_count: 10_000,
            calls_per_second,
        };
        let plan = pb::PassPlan {
            fleet: "fleets/acme".into(),
            source_hub: "east".into(),
            target_hub: "west".into(),
            create_count: 10_000,
            unknowns: vec!["east was not read yet; it counts 10000 devices".into()],
            by_calls_seconds: Some(6000.0),
            way: pb::pass_plan::Way::Calls.into(),
            limits: vec![limit("registry", Some(100.0 / 60.0)), limit("query", None)],
            text: "by calls 100 min".into(),
            ..Default::default()
        };
        let view = PassPlanView::from(plan);
        let text = view.human();
        for part in [
            "not known                  east was not read yet",
            "takes                      by calls 100 min",
            "100 a minute",
            "not both hubs yet",
        ] {
            assert!(text.contains(part), "{text}");
        }
        let json = serde_json::to_value(&view).unwrap();
        assert_eq!(json["way"], "calls");
        assert_eq!(json["by_job_seconds"], serde_json::Value::Null);
        assert_eq!(
            json["limits"][1]["calls_per_second"],
            serde_json::Value::Null
        );
    }
}
