//! Plans to adopt a standby, and what only it has.

use hubshift_api::pb::registry as pb;
use serde::Serialize;

use super::{last_segment, time_text, value_name, yes};
use crate::output::{Block, Row, View};

/// A plan.
#[derive(Debug, Serialize)]
pub(crate) struct AdoptionPlanView {
    name: String,
    epoch: u64,
    state: String,
    source: SideView,
    target: SideView,
    equal_count: u64,
    missing_count: u64,
    different_count: u64,
    gone_count: u64,
    extra_count: u64,
    extra_digest: String,
    estimate: String,
    unknowns: Vec<String>,
    fence: String,
    losses: Vec<LossView>,
    extras: String,
    task: String,
    result: AdoptionResultView,
    create_time: Option<String>,
    expire_time: Option<String>,
    apply_time: Option<String>,
}

/// One of both hubs.
#[derive(Debug, Serialize)]
struct SideView {
    hub: String,
    snapshot: String,
    record_count: u64,
    digest: String,
    tier: String,
    units: u32,
}

/// Something that does not carry over.
#[derive(Debug, Serialize)]
struct LossView {
    reason: String,
    count: u64,
    what: String,
    remedy: String,
}

/// What became of the extras.
#[derive(Debug, Serialize)]
pub(crate) struct AdoptionResultView {
    plan: String,
    extra_count: u64,
    kept_count: u64,
    quarantined_count: u64,
    deleted_count: u64,
    stale_count: u64,
    rejected_count: u64,
}

/// One extra.
#[derive(Debug, Serialize)]
pub(crate) struct ExtraView {
    device: String,
    goes_with: String,
    enabled: bool,
    status_reason: String,
    credential_kind: String,
    iot_edge: bool,
    parent: String,
    action: String,
    outcome: String,
    detail: String,
    outcome_time: Option<String>,
}

impl From<pb::AdoptionSide> for SideView {
    fn from(side: pb::AdoptionSide) -> Self {
        Self {
            hub: side.hub,
            snapshot: side.snapshot,
            record_count: side.record_count,
            digest: side.digest,
            tier: side.tier,
            units: side.units,
        }
    }
}

impl From<pb::Loss> for LossView {
    fn from(loss: pb::Loss) -> Self {
        Self {
            reason: loss.reason,
            count: loss.count,
            what: loss.what,
            remedy: loss.remedy,
        }
    }
}

impl From<pb::AdoptionResult> for AdoptionResultView {
    fn from(result: pb::AdoptionResult) -> Self {
        Self {
            plan: result.plan,
            extra_count: result.extra_count,
            kept_count: result.kept_count,
            quarantined_count: result.quarantined_count,
            deleted_count: result.deleted_count,
            stale_count: result.stale_count,
            rejected_count: result.rejected_count,
        }
    }
}

impl From<pb::AdoptionPlan> for AdoptionPlanView {
    fn from(plan: pb::AdoptionPlan) -> Self {
        Self {
            state: value_name(plan.state().as_str_name(), "ADOPTION_STATE_"),
            extras: action(plan.extras()),
            create_time: time_text(plan.create_time.as_ref()),
            expire_time: time_text(plan.expire_time.as_ref()),
            apply_time: time_text(plan.apply_time.as_ref()),
            name: plan.name,
            epoch: plan.epoch,
            source: plan.source.unwrap_or_default().into(),
            target: plan.target.unwrap_or_default().into(),
            equal_count: plan.equal_count,
            missing_count: plan.missing_count,
            different_count: plan.different_count,
            gone_count: plan.gone_count,
            extra_count: plan.extra_count,
            extra_digest: plan.extra_digest,
            estimate: plan.estimate,
            unknowns: plan.unknowns,
            fence: plan.fence,
            losses: plan.losses.into_iter().map(LossView::from).collect(),
            task: plan.task,
            result: plan.result.unwrap_or_default().into(),
        }
    }
}

impl From<pb::AdoptionExtra> for ExtraView {
    fn from(extra: pb::AdoptionExtra) -> Self {
        let outcome = match extra.outcome() {
            pb::ExtraOutcome::Unspecified => String::new(),
            known => value_name(known.as_str_name(), "EXTRA_OUTCOME_"),
        };
        let kind = extra.credential_kind();
        Self {
            outcome,
            action: action(extra.action()),
            credential_kind: value_name(kind.as_str_name(), "CREDENTIAL_KIND_"),
            outcome_time: time_text(extra.outcome_time.as_ref()),
            device: extra.device,
            goes_with: extra.goes_with,
            enabled: extra.enabled,
            status_reason: extra.status_reason,
            iot_edge: extra.iot_edge,
            parent: extra.parent,
            detail: extra.detail,
        }
    }
}

/// What was told; empty while nothing was.
fn action(action: pb::ExtraAction) -> String {
    match action {
        pb::ExtraAction::Unspecified => String::new(),
        told => value_name(told.as_str_name(), "EXTRA_ACTION_"),
    }
}

impl SideView {
    fn text(&self) -> String {
        let Self {
            hub,
            record_count,
            tier,
            units,
            ..
        } = self;
        match tier.as_str() {
            "" => format!("{hub}, {record_count} records, tier not known"),
            tier => format!("{hub}, {record_count} records, {tier} x {units}"),
        }
    }
}

impl LossView {
    fn text(&self) -> String {
        let Self {
            reason,
            count,
            what,
            remedy,
        } = self;
        match count {
            0 => format!("{reason}: {what}; {remedy}"),
            count => format!("{reason} ({count}): {what}; {remedy}"),
        }
    }
}

impl AdoptionResultView {
    /// What became of them, one a line; what there is nothing of is left out.
    pub(crate) fn add_to(&self, block: Block) -> Block {
        let counts = [
            ("kept", self.kept_count),
            ("quarantined", self.quarantined_count),
            ("deleted", self.deleted_count),
            ("left alone, not as planned", self.stale_count),
            ("refused by the hub", self.rejected_count),
        ];
        let some = counts.into_iter().filter(|(_, count)| *count > 0);
        some.fold(block, |block, (name, count)| block.line(name, count))
    }

    /// The plan and its extras, with what became of them.
    pub(crate) fn add_whole_to(&self, block: Block) -> Block {
        let block = block
            .line("plan", last_segment(&self.plan))
            .line("only at the standby", self.extra_count);
        self.add_to(block)
    }
}

impl AdoptionPlanView {
    /// What an operator types next; nothing when there is nothing to decide.
    fn next(&self) -> String {
        if self.state != "planned" || self.extra_count == 0 {
            return String::new();
        }
        let (id, hub) = (last_segment(&self.name), &self.target.hub);
        format!("hubshift adopt apply {id} --hub {hub} --extras keep|quarantine|delete")
    }
}

impl View for AdoptionPlanView {
    fn human(&self) -> String {
        let block = Block::new()
            .line("plan", last_segment(&self.name))
            .line("state", &self.state)
            .line("epoch", self.epoch)
            .line("from", self.source.text())
            .line("to", self.target.text())
            .line("equal", self.equal_count)
            .line("missing, to be made", self.missing_count)
            .line("different, to be overwritten", self.different_count)
            .line("to be removed, once confirmed", self.gone_count)
            .line("only at the standby", self.extra_count);
        let block = self.result.add_to(block.line("told", &self.extras));
        let block = block
            .line("takes", &self.estimate)
            .line("fence", &self.fence);
        let unknowns = self.unknowns.iter();
        let block = unknowns.fold(block, |block, unknown| block.line("not known", unknown));
        let losses = self.losses.iter().map(LossView::text);
        let block = losses.fold(block, |block, loss| block.line("not carried over", loss));
        block
            .maybe("expires", self.expire_time.as_ref())
            .line("next", self.next())
            .text()
    }
}

impl Row for ExtraView {
    const LIST: &'static str = "extras";
    const HEADER: &'static [&'static str] =
        &["device", "enabled", "proof", "told", "outcome", "detail"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.device.clone(),
            yes(self.enabled).to_owned(),
            self.credential_kind.clone(),
            self.action.clone(),
            self.outcome.clone(),
            self.detail.clone(),
        ]
    }
}

#[cfg(test)]
mod tests;
