//! How the hubs look from here, in memory: what was seen of each, and what of it is news.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use hubshift_domain::observer::{Sight, Watch};
use time::OffsetDateTime;

use super::Key;
use super::webhook::News;
use crate::store::observer::Observation;

/// How the hubs look.
pub(super) struct Sights {
    /// Where we stand.
    from: String,
    seen: Mutex<HashMap<Key, Seen>>,
}

struct Seen {
    watch: Watch,
    /// Why the last look failed; empty when it did not.
    error: String,
}

impl Sights {
    /// Nobody has looked yet.
    pub(super) fn new(from: String) -> Self {
        Self {
            from,
            seen: Mutex::default(),
        }
    }

    /// Takes a look in; returns what is new by it.
    pub(super) fn look(
        &self,
        hub: &Key,
        outcome: Result<(), String>,
        now: OffsetDateTime,
    ) -> Option<News> {
        let (is_news, sight, since) = {
            let mut seen = self.seen();
            let seen = seen.entry(hub.clone()).or_insert_with(|| Seen {
                watch: Watch::new(now),
                error: String::new(),
            });
            let is_news = seen.watch.look(outcome.is_ok(), now);
            seen.error = outcome.as_ref().err().cloned().unwrap_or_default();
            (is_news, seen.watch.sight(), seen.watch.since())
        };
        self.measure(hub, sight);
        let error = outcome.err().unwrap_or_default();
        is_news.then(|| News::new(hub, &self.from, sight == Sight::Alive, since, error))
    }

    fn measure(&self, (fleet, hub): &Key, sight: Sight) {
        let reachable = match sight {
            Sight::Unknown => return,
            Sight::Alive => 1.0,
            Sight::Dead => 0.0,
        };
        let labels = [
            ("fleet", fleet.to_string()),
            ("hub", hub.to_string()),
            ("from", self.from.clone()),
        ];
        metrics::gauge!("hubshift_hub_reachable", &labels).set(reachable);
    }

    /// Forgets hubs that no fleet has any more.
    pub(super) fn keep(&self, hubs: &HashSet<Key>) {
        self.seen().retain(|hub, _| hubs.contains(hub));
    }

    /// Every verdict.
    pub(super) fn observations(&self) -> Vec<Observation> {
        let seen = self.seen();
        let known = seen
            .iter()
            .filter(|(_, seen)| seen.watch.sight() != Sight::Unknown);
        let observation = |((fleet, hub), seen): (&Key, &Seen)| {
            let is_alive = seen.watch.sight() == Sight::Alive;
            Observation {
                fleet: fleet.clone(),
                hub: hub.clone(),
                is_alive,
                since: seen.watch.since(),
                // One failed look of a hub that counts as alive is nobody's trouble yet.
                detail: match is_alive {
                    true => String::new(),
                    false => seen.error.clone(),
                },
            }
        };
        known.map(observation).collect()
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<Key, Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use hubshift_domain::id::{FleetId, HubId};

    use super::*;

    const NOW: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    fn east() -> Key {
        (FleetId::new("acme").unwrap(), HubId::new("east").unwrap())
    }

    #[test]
    fn the_third_failure_is_news_with_its_cause_and_stays_the_verdict() {
        let sights = Sights::new("west".into());
        let fail = || sights.look(&east(), Err("connect timed out".into()), NOW);
        assert!(fail().is_none() && fail().is_none());
        assert!(sights.observations().is_empty(), "too early to say");
        let news = fail().unwrap();
        let expected = "hub east of fleet acme looks dead from west since 1970-01-01T00:00:00Z \
                        (connect timed out)";
        assert_eq!(news.text, expected);
        assert!(fail().is_none());
        let held = sights.observations();
        assert_eq!(held.len(), 1);
        assert!(!held[0].is_alive);
        assert_eq!(held[0].detail, "connect timed out");
    }

    #[test]
    fn one_failure_of_a_hub_that_is_alive_is_not_told() {
        let sights = Sights::new("west".into());
        sights.look(&east(), Ok(()), NOW);
        sights.look(&east(), Err("connect timed out".into()), NOW);
        let held = sights.observations();
        assert!(held[0].is_alive && held[0].detail.is_empty());
    }

    #[test]
    fn a_hub_that_no_fleet_has_is_forgotten() {
        let sights = Sights::new("west".into());
        sights.look(&east(), Ok(()), NOW);
        sights.keep(&HashSet::from([east()]));
        assert_eq!(sights.observations().len(), 1);
        sights.keep(&HashSet::new());
        assert!(sights.observations().is_empty());
    }
}
