//! One poll, whichever way it came: one load of the table, one answer.

use std::time::{Duration, Instant};

use tonic::Status;

use super::meter::Meter;
use super::refusals::Refusals;
use crate::http::PublicState;
use crate::table::{self, Answer, Asked};

/// What one thread answers from, and counts.
pub(super) struct Local {
    pub(super) state: PublicState,
    pub(super) meter: Meter,
    pub(super) refusals: Refusals,
    /// How long the body of a poll may take.
    pub(super) body_deadline: Duration,
}

impl Local {
    pub(super) fn new(state: PublicState, body_deadline: Duration) -> Self {
        Self {
            state,
            meter: Meter::new(),
            refusals: Refusals::new(),
            body_deadline,
        }
    }

    /// The same, and nothing counted yet.
    pub(super) fn of_another_thread(&self) -> Self {
        Self::new(self.state.clone(), self.body_deadline)
    }

    #[cfg(test)]
    pub(super) fn with_body_deadline(&self, deadline: Duration) -> Self {
        Self::new(self.state.clone(), deadline)
    }
}

impl PublicState {
    /// Answers a question that came at `now`, and puts the answer into words.
    pub(crate) fn answer<T>(
        &self,
        now: Instant,
        asked: &Asked<'_>,
        words: impl FnOnce(&Answer<'_>) -> T,
    ) -> Result<T, Status> {
        let snapshot = self.table.load();
        let stale = snapshot.is_stale_at(now, self.table.stale_after());
        match table::answer(&snapshot, stale, &self.adoption, asked) {
            Ok(answer) => Ok(words(&answer)),
            Err(refusal) => {
                if let Some(fleet) = asked.missed(&snapshot) {
                    self.table.miss(&fleet);
                }
                Err(refusal)
            }
        }
    }
}
