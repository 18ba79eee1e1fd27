//! Going round the hubs, evenly spread over the period. Nothing that is told waits for anybody.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hubshift_domain::hub_state::HubState;
use rand::Rng as _;
use time::OffsetDateTime;
use tokio::sync::mpsc::Sender;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::Key;
use super::probe::Prober;
use super::sights::Sights;
use super::webhook::{self, News};
use crate::table::{Snapshot, Table};

/// Looks that are on their way at once, at most.
const AT_ONCE: usize = 64;
/// No two looks begin closer together: a handshake costs about a millisecond.
const CLOSEST: Duration = Duration::from_millis(10);

/// Rounds over the hubs of a table.
pub(super) struct Rounds {
    pub(super) table: Table,
    pub(super) prober: Arc<Prober>,
    pub(super) sights: Arc<Sights>,
    /// Wakes who reports.
    pub(super) news: Arc<Notify>,
    /// To the webhook, if there is one.
    pub(super) tell: Option<Sender<News>>,
    pub(super) every: Duration,
}

impl Rounds {
    /// Goes round until cancelled.
    pub(super) async fn run(self, cancel: CancellationToken) {
        let permits = Arc::new(Semaphore::new(AT_ONCE));
        let rounds = Arc::new(self);
        let mut looks = JoinSet::new();
        let mut took = Duration::ZERO;
        loop {
            let began = Instant::now();
            let hubs = targets(&rounds.table.load());
            rounds
                .sights
                .keep(&hubs.iter().map(|(hub, _)| hub.clone()).collect());
            let gap = gap(rounds.every, hubs.len());
            // Hubs that are silent make a round of many longer than it was meant to be.
            rounds.sights.set_round(meant(gap, hubs.len()).max(took));
            if hubs.is_empty() && !pause(gap, &cancel).await {
                return;
            }
            for (hub, host) in hubs {
                if !pause(gap, &cancel).await {
                    return;
                }
                let permit = tokio::select! {
                    () = cancel.cancelled() => return,
                    permit = permits.clone().acquire_owned() => permit,
                };
                let Ok(permit) = permit else { return };
                while looks.try_join_next().is_some() {}
                looks.spawn(rounds.clone().look(hub, host, permit));
            }
            took = began.elapsed();
        }
    }

    async fn look(self: Arc<Self>, hub: Key, host: String, permit: OwnedSemaphorePermit) {
        let began = Instant::now();
        let outcome = self.prober.look(&host).await;
        drop(permit);
        let labels = [("fleet", hub.0.to_string()), ("hub", hub.1.to_string())];
        match &outcome {
            Ok(()) => metrics::histogram!("hubshift_hub_probe_seconds", &labels)
                .record(began.elapsed().as_secs_f64()),
            Err(error) => tracing::debug!(fleet = %hub.0, hub = %hub.1, %error, "a look failed"),
        }
        let outcome = outcome.map_err(|error| error.to_string());
        if let Some(news) = self.sights.look(&hub, outcome, OffsetDateTime::now_utc()) {
            self.tell(news);
        }
    }

    fn tell(&self, news: News) {
        match news.alive {
            true => tracing::info!("{}", news.text),
            false => tracing::warn!("{}", news.text),
        }
        self.news.notify_one();
        if let Some(tell) = &self.tell
            && tell.try_send(news).is_err()
        {
            webhook::lost();
        }
    }
}

/// The hubs that devices may be sent to, or come from, and their hosts.
fn targets(snapshot: &Snapshot) -> Vec<(Key, String)> {
    let fleets = snapshot.fleets.iter();
    let hubs = fleets.flat_map(|(fleet, entry)| entry.hubs.iter().map(move |hub| (fleet, hub)));
    hubs.filter(|(_, hub)| hub.state != HubState::Retired)
        .map(|(fleet, hub)| ((fleet.clone(), hub.hub_id.clone()), hub.host.clone()))
        .collect()
}

/// The time between the beginnings of two looks.
fn gap(every: Duration, hubs: usize) -> Duration {
    let hubs = u32::try_from(hubs.max(1)).unwrap_or(u32::MAX);
    (every / hubs).max(CLOSEST)
}

/// How long a round is meant to take.
fn meant(gap: Duration, hubs: usize) -> Duration {
    gap.saturating_mul(u32::try_from(hubs).unwrap_or(u32::MAX))
}

/// Waits, a fifth more or less, so that concierges do not look in step; false when it is over.
async fn pause(span: Duration, cancel: &CancellationToken) -> bool {
    let span = span.mul_f64(rand::rng().random_range(0.8..1.2));
    tokio::select! {
        () = cancel.cancelled() => false,
        () = tokio::time::sleep(span) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::fixture::entry;

    #[test]
    fn looks_are_spread_and_never_too_close() {
        let every = Duration::from_secs(10);
        assert_eq!(gap(every, 0), every);
        assert_eq!(gap(every, 2), Duration::from_secs(5));
        assert_eq!(gap(every, 1_000_000), CLOSEST);
        assert_eq!(meant(gap(every, 4), 4), every);
        assert_eq!(meant(CLOSEST, 20_000), Duration::from_secs(200));
    }

    #[test]
    fn every_hub_is_looked_at_but_one_that_is_retired() {
        let mut fleet = entry("acme", 1024, 1);
        fleet.facts.hubs[1].state = HubState::Retired;
        let found = targets(&Snapshot::of(vec![fleet], OffsetDateTime::UNIX_EPOCH));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].1, "east.example.net");
    }
}
