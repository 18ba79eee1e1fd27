//! The failover operation: which steps a move has, in which order, and from where there is no way
//! back.
//!
//! ```text
//! precheck ─ snapshot ─ freeze ─ drain ─ verify ─ COMMIT ─ publish ─ settle ─ replay ─ fence ─
//! open ─ observe ─ reverse_sync ─ close          (a forced move leaves some out)
//! ```
//!
//! Steps are stored by name and never renamed.

mod check;
mod debt;
mod freeze;
mod loss_bound;
mod observe;

pub use check::{
    Check, Facts, HubFacts, MergeFacts, ObserverFacts, ReplicationFacts, Verdict, fence_words,
    is_blocked, precheck,
};
pub use debt::{HubFate, MergeProgress, StandbyProgress, hub_fate, standby_fate};
pub use freeze::{FREEZE_MARGIN, may_commit, predicted_closure};
pub use loss_bound::{ACKNOWLEDGE_ANY, LossBound, PLAN_LIFE};
pub use observe::{adoption_is_complete, observation};

use crate::hub_state::named;

named!(
    /// What kind of move.
    Kind {
        /// Both hubs answer; nothing may be lost.
        Planned = "planned",
        /// The source is gone; the bound on loss is acknowledged.
        Forced = "forced",
        /// Home again, after a merge; otherwise as planned.
        Failback = "failback",
    }
);

named!(
    /// A step of a move.
    Step {
        /// Nothing speaks against it.
        Precheck = "precheck",
        /// Backups are taken, and all is compared while everything still runs.
        Snapshot = "snapshot",
        /// The registry takes no more writes.
        Freeze = "freeze",
        /// Every earlier write has an outcome, and the target has it.
        Drain = "drain",
        /// Both hubs are equal.
        Verify = "verify",
        /// The epoch moves: the point of no return.
        Commit = "commit",
        /// Every concierge serves the new route.
        Publish = "publish",
        /// Every call of the old epoch has passed its deadline.
        Settle = "settle",
        /// Journaled writes that the target is not known to hold are repeated.
        Replay = "replay",
        /// The old hub is shut out.
        Fence = "fence",
        /// The registry takes writes again, at the target.
        Open = "open",
        /// Devices move.
        Observe = "observe",
        /// The old hub becomes a standby.
        ReverseSync = "reverse_sync",
        /// Accounts are made.
        Close = "close",
    }
);

impl Kind {
    /// Whether both hubs are expected to answer.
    pub fn has_source(self) -> bool {
        self != Self::Forced
    }

    /// The steps of this kind, in their order.
    pub fn steps(self) -> impl Iterator<Item = Step> {
        Step::ALL
            .iter()
            .copied()
            .filter(move |step| step.runs_for(self))
    }
}

impl Step {
    /// The step that every move starts with.
    pub const FIRST: Self = Self::Precheck;

    /// Whether a move of this kind has the step.
    pub fn runs_for(self, kind: Kind) -> bool {
        match self {
            Self::Freeze | Self::Drain | Self::Verify | Self::ReverseSync => kind.has_source(),
            Self::Precheck
            | Self::Snapshot
            | Self::Commit
            | Self::Publish
            | Self::Settle
            | Self::Replay
            | Self::Fence
            | Self::Open
            | Self::Observe
            | Self::Close => true,
        }
    }

    /// Whether the epoch has moved when this step runs: from here there is only forward.
    pub fn is_past_no_return(self) -> bool {
        self.order() > Self::Commit.order()
    }

    /// Whether a move that stands at this step can't be stopped any more. The commit itself
    /// belongs to it: its outcome may be unknown for a while.
    pub fn is_too_late_to_cancel(self) -> bool {
        self.order() >= Self::Commit.order()
    }

    /// The steps at which another move may take over: the epoch has certainly moved, and only
    /// another epoch can lead anywhere else.
    pub fn supersedable() -> Vec<Self> {
        let past = Self::ALL.iter().filter(|step| step.is_past_no_return());
        past.copied().collect()
    }

    fn order(self) -> usize {
        Self::ALL
            .iter()
            .position(|step| *step == self)
            .unwrap_or(usize::MAX)
    }
}

/// The step after `done`; `None` at the end. A source that must be merged first is not synced.
pub fn next(kind: Kind, done: Step, source_needs_merge: bool) -> Option<Step> {
    let skipped = |step: &Step| *step == Step::ReverseSync && source_needs_merge;
    kind.steps()
        .filter(|step| !skipped(step))
        .find(|step| step.order() > done.order())
}

#[cfg(test)]
mod tests;
