//! Failovers: the plan, the steps, the report.

mod plan;
mod report;
#[cfg(test)]
mod tests;

use hubshift_api::pb::concierge as pb;
use serde::Serialize;

use super::{FailureView, StepView, last_segment, task_state, time_text, value_name};
use crate::output::{Block, Row, View};
use plan::PlanView;
use report::ReportView;

/// A move of a fleet.
#[derive(Debug, Serialize)]
pub(crate) struct FailoverView {
    name: String,
    kind: String,
    source_hub: String,
    target_hub: String,
    state: String,
    step: String,
    done: bool,
    failure: Option<FailureView>,
    plan: Option<PlanView>,
    report: Option<ReportView>,
    history: Vec<StepView>,
    create_time: Option<String>,
    update_time: Option<String>,
    trace_id: String,
    supersedes: String,
}

impl From<pb::Failover> for FailoverView {
    fn from(failover: pb::Failover) -> Self {
        let (kind, state) = (failover.kind(), failover.state());
        Self {
            kind: value_name(kind.as_str_name(), "FAILOVER_KIND_"),
            state: task_state(state),
            create_time: time_text(failover.create_time.as_ref()),
            update_time: time_text(failover.update_time.as_ref()),
            name: failover.name,
            source_hub: failover.source_hub,
            target_hub: failover.target_hub,
            step: failover.step,
            done: failover.done,
            failure: failover.failure.map(FailureView::from),
            plan: failover.plan.map(PlanView::from),
            report: failover.report.map(ReportView::from),
            history: failover.history.into_iter().map(StepView::from).collect(),
            trace_id: failover.trace_id,
            supersedes: failover.supersedes,
        }
    }
}

impl FailoverView {
    /// One line for each journaled step.
    pub(crate) fn steps(&self) -> impl Iterator<Item = String> {
        self.history.iter().map(StepView::text)
    }

    /// The id of the failover that it took over from.
    fn taken_over(&self) -> Option<&str> {
        (!self.supersedes.is_empty()).then(|| last_segment(&self.supersedes))
    }

    /// Where it stands, in a few words.
    pub(crate) fn standing(&self) -> String {
        let Self {
            kind,
            source_hub,
            target_hub,
            state,
            step,
            ..
        } = self;
        format!("{kind} {source_hub} → {target_hub}: {state}, {step}")
    }
}

impl View for FailoverView {
    fn human(&self) -> String {
        let block = Block::new()
            .line("failover", last_segment(&self.name))
            .line("kind", &self.kind)
            .line("from", &self.source_hub)
            .line("to", &self.target_hub)
            .line("state", &self.state)
            .line("step", &self.step)
            .maybe("failure", self.failure.as_ref().map(FailureView::text))
            .maybe("started", self.create_time.as_ref())
            .maybe("took over from", self.taken_over())
            .line("trace", &self.trace_id);
        let mut parts = vec![block.text()];
        parts.extend(self.plan.as_ref().map(PlanView::human));
        parts.extend(self.report.as_ref().map(ReportView::human));
        parts.retain(|part| !part.is_empty());
        parts.join("\n\n")
    }
}

impl Row for FailoverView {
    const LIST: &'static str = "failovers";
    const HEADER: &'static [&'static str] = &[
        "failover", "kind", "from", "to", "state", "step", "epoch", "started",
    ];

    fn cells(&self) -> Vec<String> {
        let epoch = self
            .report
            .as_ref()
            .map(ReportView::epoch)
            .filter(|epoch| *epoch > 0);
        vec![
            last_segment(&self.name).to_owned(),
            self.kind.clone(),
            self.source_hub.clone(),
            self.target_hub.clone(),
            self.state.clone(),
            self.step.clone(),
            epoch.map(|epoch| epoch.to_string()).unwrap_or_default(),
            self.create_time.clone().unwrap_or_default(),
        ]
    }
}
