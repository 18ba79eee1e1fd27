//! Admission: so many watchers and not one more.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tonic::Status;

use super::{Shared, ends};

/// One of the places; free again when this is dropped.
pub(super) struct Ticket(Arc<Shared>);

impl Ticket {
    /// Takes a place, if one is free.
    pub(super) fn take(shared: &Arc<Shared>) -> Result<Self, Status> {
        let before = shared.watching.fetch_add(1, Ordering::Relaxed);
        // Made first, so that a refusal gives the place back.
        let ticket = Self(shared.clone());
        if before < shared.limit {
            Ok(ticket)
        } else {
            Err(ends::too_many(shared.limit))
        }
    }

    /// What the watchers share.
    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.0
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.watching.fetch_sub(1, Ordering::Relaxed);
    }
}
