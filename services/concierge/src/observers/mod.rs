//! Observers: what each concierge makes of each hub of its fleets, on the path that devices use.
//!
//! A look is a TLS connection to the hub's `host`, on MQTT's port where it names none: name, TCP,
//! handshake, a certificate that is trusted (`probe`). It needs no credential, and says nothing of what
//! the hub does with a device that logs in. Three failures in a row make a hub dead, two successes
//! alive again (domain's `observer`).
//!
//! Durable: the verdicts, in `concierge.hub_observation`, so that every replica and `GetFleet` have
//! them all. They are shown, counted (`hubshift_hub_reachable`), told to a webhook and read by the
//! checks before a move, and they start nothing: a hub that looks dead from here may be alive for
//! everybody else.
//!
//! Looks are spread over the period, a hundred a second and sixty-four at a time at most: with more
//! than a thousand hubs each is looked at less often than `probe_every`. A verdict counts until its hub
//! should have been looked at three times more.

mod probe;
mod report;
mod rounds;
mod sights;
mod trust;
mod webhook;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use hubshift_domain::id::{FleetId, HubId};
use hubshift_domain::observer::Tally;
use hubshift_shell::Tasks;
use sqlx::PgPool;
use tokio::sync::{Notify, mpsc};

use crate::config::Config;
use crate::table::Table;
use probe::Prober;
use report::Report;
use rounds::Rounds;
use sights::Sights;
use webhook::Webhook;
pub use webhook::WebhookConfig;

/// News for the webhook that may wait; what comes beyond is lost.
const QUEUE: usize = 256;

/// One hub of one fleet.
type Key = (FleetId, HubId);

/// Observers that can't be set up. A configuration error.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ObserversError {
    /// Whom to trust is not clear.
    #[error("observer_ca can't be used")]
    Trust(#[from] trust::TrustError),
    /// The webhook can't be called.
    #[error("webhook can't be used")]
    Webhook(#[from] webhook::WebhookError),
}

/// What all observers together make of the hubs; clones share it. Knows nothing before the first
/// report, and nothing any more when the database is silent.
#[derive(Debug, Clone, Default)]
pub(crate) struct Observers {
    latest: Arc<ArcSwap<Latest>>,
}

/// The hubs that look dead to somebody.
#[derive(Debug, Default)]
struct Latest {
    good_until: Option<Instant>,
    doubtful: HashMap<(String, String), Tally>,
}

impl Observers {
    /// Whether more observers see a hub dead than alive, of those whose word is fresh. On doubt it is
    /// not.
    pub(crate) fn is_dead(&self, fleet: &str, hub: &str) -> bool {
        let latest = self.latest.load();
        let is_fresh = latest
            .good_until
            .is_some_and(|until| Instant::now() < until);
        let key = (fleet.to_owned(), hub.to_owned());
        let tally = latest.doubtful.get(&key).copied();
        is_fresh && tally.unwrap_or_default().is_dead()
    }

    fn take(&self, doubtful: Vec<((String, String), Tally)>, good_for: Duration) {
        self.latest.store(Arc::new(Latest {
            good_until: Some(Instant::now() + good_for),
            doubtful: doubtful.into_iter().collect(),
        }));
    }
}

/// Observers that do not look yet.
pub(crate) struct Observing {
    observers: Observers,
    prober: Prober,
    webhook: Option<Webhook>,
    every: Duration,
    region: String,
}

impl Observing {
    /// Reads certificates and secrets; nothing runs yet.
    pub(crate) fn open(config: &Config) -> Result<Self, ObserversError> {
        let every = config.probe_every;
        let trusted = trust::client(config.observer_ca.as_deref())?;
        Ok(Self {
            observers: Observers::default(),
            prober: Prober::new(trusted, every),
            webhook: config.webhook.as_ref().map(Webhook::open).transpose()?,
            every,
            region: config.region.clone(),
        })
    }

    /// What they will find out.
    pub(crate) fn observers(&self) -> Observers {
        self.observers.clone()
    }

    /// Looks until the tasks stop; with a period of nothing, never.
    pub(crate) fn start(self, table: Table, pool: PgPool, replica: &str, tasks: &Tasks) {
        if self.every.is_zero() {
            return;
        }
        let from = match self.region.as_str() {
            "" => replica.to_owned(),
            region => region.to_owned(),
        };
        let (sights, news) = (Arc::new(Sights::new(from.clone())), Arc::new(Notify::new()));
        let (tell, told) = mpsc::channel(QUEUE);
        let has_webhook = self.webhook.is_some();
        if let Some(webhook) = self.webhook {
            tasks.spawn("webhook", webhook.run(told, tasks.token()));
        }
        let rounds = Rounds {
            table,
            prober: Arc::new(self.prober),
            sights: sights.clone(),
            news: news.clone(),
            tell: has_webhook.then_some(tell),
            every: self.every,
        };
        tasks.spawn("observers", rounds.run(tasks.token()));
        let report = Report {
            observers: self.observers,
            sights,
            news,
            pool,
            replica: replica.to_owned(),
            from,
            every: self.every,
        };
        tasks.spawn("observers, report", report.run(tasks.token()));
    }
}

#[cfg(test)]
mod tests;
