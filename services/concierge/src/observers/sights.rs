//! How the hubs look from here, in memory: what was seen of each, and what of it is news.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

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
    /// How long it takes to look at every hub once.
    round: Mutex<Duration>,
}

struct Seen {
    watch: Watch,
    /// Looked at since it was taken to be reported.
    is_new: bool,
    /// Why the last look failed; empty when it did not.
    error: String,
}

impl Sights {
    /// Nobody has looked yet.
    pub(super) fn new(from: String) -> Self {
        Self {
            from,
            seen: Mutex::default(),
            round: Mutex::default(),
        }
    }

    /// How long it takes to look at every hub once, as far as that is known.
    pub(super) fn round(&self) -> Duration {
        *self.round.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of how long that takes.
    pub(super) fn set_round(&self, round: Duration) {
        *self.round.lock().unwrap_or_else(PoisonError::into_inner) = round;
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
                is_new: true,
                error: String::new(),
            });
            let is_news = seen.watch.look(outcome.is_ok(), now);
            seen.is_new = true;
            seen.error = outcome.as_ref().err().cloned().unwrap_or_default();
            (is_news, seen.watch.sight(), seen.watch.since())
        };
        self.measure(hub, sight);
        let error = outcome.err().unwrap_or_default();
        is_news.then(|| News::new(hub, &self.from, sight == Sight::Alive, since, error))
    }

    fn measure(&self, hub: &Key, sight: Sight) {
        match sight {
            Sight::Unknown => {}
            Sight::Alive => self.set_reachable(hub, 1.0),
            Sight::Dead => self.set_reachable(hub, 0.0),
        }
    }

    fn set_reachable(&self, (fleet, hub): &Key, reachable: f64) {
        let labels = [
            ("fleet", fleet.to_string()),
            ("hub", hub.to_string()),
            ("from", self.from.clone()),
        ];
        metrics::gauge!("hubshift_hub_reachable", &labels).set(reachable);
    }

    /// Forgets hubs that no fleet has any more. A gauge can't be taken back: that of a hub which
    /// looked dead says "not a number", which no alert rule is true for.
    pub(super) fn keep(&self, hubs: &HashSet<Key>) {
        self.seen().retain(|hub, seen| {
            let is_kept = hubs.contains(hub);
            if !is_kept && seen.watch.sight() != Sight::Unknown {
                self.set_reachable(hub, f64::NAN);
            }
            is_kept
        });
    }

    /// The verdicts on hubs that were looked at since this was called last: what nobody looked at
    /// again is not to be said again.
    pub(super) fn take(&self) -> Vec<Observation> {
        let mut seen = self.seen();
        let known = seen
            .iter_mut()
            .filter(|(_, seen)| seen.is_new && seen.watch.sight() != Sight::Unknown);
        let observation = |((fleet, hub), seen): (&Key, &mut Seen)| {
            seen.is_new = false;
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

    /// These were not written: they are taken again.
    pub(super) fn put_back(&self, taken: &[Observation]) {
        let mut all = self.seen();
        for one in taken {
            if let Some(seen) = all.get_mut(&(one.fleet.clone(), one.hub.clone())) {
                seen.is_new = true;
            }
        }
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<Key, Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use hubshift_domain::id::{FleetId, HubId};
    use metrics_exporter_prometheus::PrometheusBuilder;

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
        assert!(sights.take().is_empty(), "too early to say");
        let news = fail().unwrap();
        let expected = "hub east of fleet acme looks dead from west since 1970-01-01T00:00:00Z \
                        (connect timed out)";
        assert_eq!(news.text, expected);
        assert!(fail().is_none());
        let held = sights.take();
        assert_eq!(held.len(), 1);
        assert!(!held[0].is_alive);
        assert_eq!(held[0].detail, "connect timed out");
    }

    #[test]
    fn one_failure_of_a_hub_that_is_alive_is_not_told() {
        let sights = Sights::new("west".into());
        sights.look(&east(), Ok(()), NOW);
        sights.look(&east(), Err("connect timed out".into()), NOW);
        let held = sights.take();
        assert!(held[0].is_alive && held[0].detail.is_empty());
    }

    #[test]
    fn what_was_not_looked_at_again_is_not_said_again_unless_it_was_not_written() {
        let sights = Sights::new("west".into());
        sights.look(&east(), Ok(()), NOW);
        let taken = sights.take();
        assert_eq!(taken.len(), 1);
        assert!(sights.take().is_empty());
        sights.put_back(&taken);
        assert_eq!(sights.take(), taken);
        sights.look(&east(), Ok(()), NOW);
        assert_eq!(sights.take(), taken);
    }

    #[test]
    fn a_hub_that_looked_dead_and_is_forgotten_alerts_nobody() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        let labels = "{fleet=\"acme\",hub=\"east\",from=\"west\"}";
        metrics::with_local_recorder(&recorder, || {
            let sights = Sights::new("west".into());
            for _ in 0..3 {
                sights.look(&east(), Err("connect timed out".into()), NOW);
            }
            let page = handle.render();
            assert!(
                page.contains(&format!("hubshift_hub_reachable{labels} 0\n")),
                "{page}"
            );
            sights.keep(&HashSet::new());
        });
        let page = handle.render();
        assert!(
            page.contains(&format!("hubshift_hub_reachable{labels} NaN\n")),
            "{page}"
        );
    }

    #[test]
    fn a_hub_that_no_fleet_has_is_forgotten() {
        let sights = Sights::new("west".into());
        sights.look(&east(), Ok(()), NOW);
        sights.keep(&HashSet::from([east()]));
        assert_eq!(sights.take().len(), 1);
        sights.look(&east(), Ok(()), NOW);
        sights.keep(&HashSet::new());
        assert!(sights.take().is_empty());
    }
}
