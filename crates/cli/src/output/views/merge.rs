//! Merges, their counts, and conflicts.

mod conflict;
#[cfg(test)]
mod tests;

use hubshift_api::json;
use hubshift_api::pb::merge as pb;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{FailureView, last_segment, time_text, value_name, yes};
use crate::output::{Block, Row, View};

pub(crate) use conflict::ConflictView;

/// A merge.
#[derive(Debug, Serialize)]
pub(crate) struct MergeView {
    name: String,
    recovered_hub: String,
    active_hub: String,
    epoch: u64,
    state: String,
    plan_id: String,
    rewound: bool,
    rewound_evidence: String,
    counts: Option<CountsView>,
    blockers: Vec<String>,
    rescued: Vec<RescuedView>,
    failure: Option<FailureView>,
    primary_digest: String,
    secondary_digest: String,
    create_time: Option<String>,
    close_time: Option<String>,
    trace_id: String,
}

/// Counts of a plan.
#[derive(Debug, Serialize)]
struct CountsView {
    differing_count: u64,
    primary_create_count: u64,
    primary_update_count: u64,
    primary_delete_count: u64,
    secondary_create_count: u64,
    secondary_update_count: u64,
    secondary_delete_count: u64,
    auto_count: u64,
    held_count: u64,
    applied_count: u64,
    document_count: u64,
    late_event_count: u64,
}

/// A device that only a rewound hub had.
#[derive(Debug, Serialize)]
struct RescuedView {
    device: String,
    record: Map<String, Value>,
}

impl From<pb::MergeCounts> for CountsView {
    fn from(counts: pb::MergeCounts) -> Self {
        Self {
            differing_count: counts.differing_count,
            primary_create_count: counts.primary_create_count,
            primary_update_count: counts.primary_update_count,
            primary_delete_count: counts.primary_delete_count,
            secondary_create_count: counts.secondary_create_count,
            secondary_update_count: counts.secondary_update_count,
            secondary_delete_count: counts.secondary_delete_count,
            auto_count: counts.auto_count,
            held_count: counts.held_count,
            applied_count: counts.applied_count,
            document_count: counts.document_count,
            late_event_count: counts.late_event_count,
        }
    }
}

impl From<pb::RescuedDevice> for RescuedView {
    fn from(rescued: pb::RescuedDevice) -> Self {
        let record = rescued
            .record
            .as_ref()
            .map(json::from_struct)
            .unwrap_or_default();
        Self {
            device: rescued.device,
            record,
        }
    }
}

impl From<pb::Merge> for MergeView {
    fn from(merge: pb::Merge) -> Self {
        let state = merge.state();
        Self {
            state: state_name(state),
            create_time: time_text(merge.create_time.as_ref()),
            close_time: time_text(merge.close_time.as_ref()),
            counts: merge.counts.map(CountsView::from),
            rescued: merge.rescued.into_iter().map(RescuedView::from).collect(),
            failure: merge.failure.map(FailureView::from),
            name: merge.name,
            recovered_hub: merge.recovered_hub,
            active_hub: merge.active_hub,
            epoch: merge.epoch,
            plan_id: merge.plan_id,
            rewound: merge.rewound,
            rewound_evidence: merge.rewound_evidence,
            blockers: merge.blockers,
            primary_digest: merge.primary_digest,
            secondary_digest: merge.secondary_digest,
            trace_id: merge.trace_id,
        }
    }
}

fn state_name(state: pb::MergeState) -> String {
    value_name(state.as_str_name(), "MERGE_STATE_")
}

impl MergeView {
    /// Where it stands, in a few words.
    pub(crate) fn standing(&self) -> String {
        let Self {
            state,
            recovered_hub,
            active_hub,
            counts,
            ..
        } = self;
        let applied = counts.as_ref().map_or(0, |counts| counts.applied_count);
        let of = counts.as_ref().map_or(0, |counts| counts.differing_count);
        format!("merge of {recovered_hub} into {active_hub}: {state}, {applied} of {of} applied")
    }

    fn digests(&self) -> &'static str {
        match (
            self.primary_digest.is_empty(),
            self.primary_digest == self.secondary_digest,
        ) {
            (true, _) => "",
            (false, true) => "equal",
            (false, false) => "different",
        }
    }

    /// What an operator types next; nothing when there is nothing to do.
    fn next(&self) -> String {
        if self.state != "planned" {
            return String::new();
        }
        let id = last_segment(&self.name);
        format!("hubshift merge apply {id} --plan-id {}", self.plan_id)
    }
}

impl CountsView {
    fn add_to(&self, block: Block, recovered: &str, active: &str) -> Block {
        let side = |create, update, delete| {
            format!("{create} to create, {update} to update, {delete} to delete")
        };
        let primary = side(
            self.primary_create_count,
            self.primary_update_count,
            self.primary_delete_count,
        );
        let secondary = side(
            self.secondary_create_count,
            self.secondary_update_count,
            self.secondary_delete_count,
        );
        let conflicts = format!(
            "{} decided by policy, {} held",
            self.auto_count, self.held_count
        );
        block
            .line("different keys", self.differing_count)
            .line(format!("at {recovered}"), primary)
            .line(format!("at {active}"), secondary)
            .line("conflicts", conflicts)
            .line("documents", self.document_count)
            .line("late events", self.late_event_count)
            .line("applied", self.applied_count)
    }
}

impl View for MergeView {
    fn human(&self) -> String {
        let block = Block::new()
            .line("merge", last_segment(&self.name))
            .line("recovered hub", &self.recovered_hub)
            .line("active hub", &self.active_hub)
            .line("state", &self.state)
            .line("plan id", &self.plan_id)
            .line("rewound", yes(self.rewound))
            .line("evidence", &self.rewound_evidence);
        let block = match &self.counts {
            Some(counts) => counts.add_to(block, &self.recovered_hub, &self.active_hub),
            None => block,
        };
        let rescued = self.rescued.iter().map(|rescued| rescued.device.as_str());
        block
            .line("rescued", rescued.collect::<Vec<_>>().join(", "))
            .line("blockers", self.blockers.join("; "))
            .maybe("failure", self.failure.as_ref().map(FailureView::text))
            .line("digests", self.digests())
            .line("trace", &self.trace_id)
            .line("next", self.next())
            .text()
    }
}

impl Row for MergeView {
    const LIST: &'static str = "merges";
    const HEADER: &'static [&'static str] = &[
        "merge",
        "recovered",
        "state",
        "different",
        "held",
        "applied",
        "started",
    ];

    fn cells(&self) -> Vec<String> {
        let count = |read: fn(&CountsView) -> u64| {
            self.counts
                .as_ref()
                .map(|counts| read(counts).to_string())
                .unwrap_or_default()
        };
        vec![
            last_segment(&self.name).to_owned(),
            self.recovered_hub.clone(),
            self.state.clone(),
            count(|counts| counts.differing_count),
            count(|counts| counts.held_count),
            count(|counts| counts.applied_count),
            self.create_time.clone().unwrap_or_default(),
        ]
    }
}

/// Where merging stands for a fleet.
#[derive(Debug, Serialize)]
pub(crate) struct MergeStatusView {
    open_hold_count: u64,
    active_merge: String,
    active_state: String,
    closed_merge: String,
    closed_epoch: u64,
    rewound: bool,
}

impl From<pb::MergeStatus> for MergeStatusView {
    fn from(status: pb::MergeStatus) -> Self {
        let state = status.active_state();
        Self {
            active_state: state_name(state),
            open_hold_count: status.open_hold_count,
            active_merge: status.active_merge,
            closed_merge: status.closed_merge,
            closed_epoch: status.closed_epoch,
            rewound: status.rewound,
        }
    }
}

impl View for MergeStatusView {
    fn human(&self) -> String {
        let active = match last_segment(&self.active_merge) {
            "" => "none".to_owned(),
            id => format!("{id}, {}", self.active_state),
        };
        let closed = match last_segment(&self.closed_merge) {
            "" => "none".to_owned(),
            id => format!("{id}, of epoch {}", self.closed_epoch),
        };
        Block::new()
            .line("open holds", self.open_hold_count)
            .line("merge under way", active)
            .line("last closed", closed)
            .line("rewound", yes(self.rewound))
            .text()
    }
}
