//! What a failover will do: the checks, and what to expect.

use hubshift_api::pb::concierge as pb;
use serde::Serialize;

use crate::output::views::{seconds, seconds_text, value_name, yes};
use crate::output::{Block, table};

/// A plan.
#[derive(Debug, Serialize)]
pub(super) struct PlanView {
    checks: Vec<CheckView>,
    blocked: bool,
    next_epoch: u64,
    frozen_for: Option<f64>,
    admission_window: Option<f64>,
    loss_bound: String,
    staleness_seconds: f64,
    fence: String,
    steps: Vec<String>,
}

/// One finding.
#[derive(Debug, Serialize)]
struct CheckView {
    check: String,
    verdict: String,
    detail: String,
}

impl From<pb::Check> for CheckView {
    fn from(check: pb::Check) -> Self {
        let verdict = value_name(check.verdict().as_str_name(), "VERDICT_");
        Self {
            verdict,
            check: check.check,
            detail: check.detail,
        }
    }
}

impl From<pb::FailoverPlan> for PlanView {
    fn from(plan: pb::FailoverPlan) -> Self {
        Self {
            frozen_for: seconds(plan.frozen_for.as_ref()),
            admission_window: seconds(plan.admission_window.as_ref()),
            checks: plan.checks.into_iter().map(CheckView::from).collect(),
            blocked: plan.blocked,
            next_epoch: plan.next_epoch,
            loss_bound: plan.loss_bound,
            staleness_seconds: plan.staleness_seconds,
            fence: plan.fence,
            steps: plan.steps,
        }
    }
}

impl PlanView {
    /// As text for people.
    pub(super) fn human(&self) -> String {
        let block = Block::new()
            .line("blocked", yes(self.blocked))
            .line("next epoch", self.next_epoch)
            .maybe("writes refused for", seconds_text(self.frozen_for))
            .maybe("admission window", seconds_text(self.admission_window))
            .line("loss bound", &self.loss_bound)
            .line("fence", &self.fence)
            .line("steps", self.steps.join(" "));
        let rows = self.checks.iter().map(|found| {
            vec![
                found.check.clone(),
                found.verdict.clone(),
                found.detail.clone(),
            ]
        });
        format!(
            "{}\n\n{}",
            block.text(),
            table(&["check", "verdict", "detail"], rows)
        )
    }
}
