//! Fleets that devices asked for while nobody here could know them: a table that no database has
//! filled yet.
//!
//! Nothing here is durable. Kept true: an answer never waits for this, and what strangers ask for
//! takes no more than a bounded room: when it is full, or somebody else holds it, the name is left
//! out, and the device asks again anyway.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use hubshift_domain::id::FleetId;
use tokio::sync::Notify;

/// No more names are kept until the next round.
const MOST: usize = 1024;

/// The names.
#[derive(Debug, Default)]
pub(super) struct Missing {
    fleets: Mutex<HashSet<FleetId>>,
    news: Notify,
}

impl Missing {
    /// Keeps a name once.
    pub(super) fn note(&self, fleet: &FleetId) {
        let Ok(mut fleets) = self.fleets.try_lock() else {
            return;
        };
        if fleets.len() < MOST && !fleets.contains(fleet) {
            fleets.insert(fleet.clone());
            self.news.notify_one();
        }
    }

    /// Waits until there is a name.
    pub(super) async fn any(&self) {
        self.news.notified().await;
    }

    /// The names since the last time.
    pub(super) fn take(&self) -> HashSet<FleetId> {
        std::mem::take(&mut *self.fleets.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fleet(number: usize) -> FleetId {
        FleetId::new(format!("fleet-{number}")).unwrap()
    }

    #[tokio::test]
    async fn a_name_is_kept_once_and_told() {
        let missing = Missing::default();
        missing.note(&fleet(1));
        missing.note(&fleet(1));
        missing.any().await;
        assert_eq!(missing.take(), [fleet(1)].into());
        assert!(missing.take().is_empty());
    }

    #[test]
    fn the_room_is_bounded_and_free_again_after_a_round() {
        let missing = Missing::default();
        for number in 0..MOST + 10 {
            missing.note(&fleet(number));
        }
        assert_eq!(missing.take().len(), MOST);
        missing.note(&fleet(0));
        assert_eq!(missing.take().len(), 1);
    }

    #[test]
    fn nobody_waits_for_the_room() {
        let missing = Missing::default();
        let held = missing.fleets.lock().unwrap();
        missing.note(&fleet(1));
        drop(held);
        assert!(missing.take().is_empty());
    }
}
