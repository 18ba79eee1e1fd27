//! The table that answers devices: every fleet, in memory, replaced whole.
//!
//! Durable: the table file. Kept true: readers take one atomic load and no lock; what is served is
//! on disk before it is served, so that not even a restart without a database lowers an epoch;
//! where the disk fails, the older file is taken away rather than served later, and where it
//! hangs, devices don't wait for it; a route under a key that is not trusted is never served.

mod answer;
mod disk;
mod entry;
mod file;
#[cfg(test)]
pub(crate) mod fixture;
mod plan;
mod present;
mod refresher;
mod snapshot;
mod trust;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use hubshift_domain::id::FleetId;
use time::OffsetDateTime;
use tokio::sync::{Mutex, Notify, watch};

pub(crate) use answer::{Answer, AnswerError, Asked, Question, answer, fleet};
use disk::Disk;
pub(crate) use entry::{CanaryEntry, DebtEntry, EPOCH_FORGOTTEN, FleetEntry, FleetFacts, HubEntry};
use file::{FileError, TableFile};
pub(crate) use plan::Read;
pub(crate) use present::present;
pub(crate) use refresher::Refresher;
pub(crate) use snapshot::Snapshot;

use crate::signing::Signer;

/// A handle on the table; clones share it.
#[derive(Clone)]
pub(crate) struct Table {
    shared: Arc<Shared>,
}

struct Shared {
    current: ArcSwap<Snapshot>,
    revisions: watch::Sender<u64>,
    /// Held by whoever replaces the snapshot.
    disk: Mutex<Disk>,
    wanted: Notify,
    stale_after: Duration,
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let snapshot = self.load();
        f.debug_struct("Table")
            .field("fleets", &snapshot.fleets.len())
            .field("as_of", &snapshot.as_of)
            .finish_non_exhaustive()
    }
}

impl Table {
    /// The table as it lies in `dir`, as far as `signer` trusts it; empty when nothing usable does.
    /// `stale_after`: how long the database may be silent before answers say so.
    pub(crate) fn boot(dir: &Path, signer: &Signer, stale_after: Duration) -> Self {
        let file = TableFile::in_dir(dir);
        let found = match file.load() {
            Ok(snapshot) => snapshot,
            Err(FileError::Missing) => Snapshot::empty(),
            Err(error) => {
                tracing::error!(
                    path = %file.path().display(), error = &error as &dyn std::error::Error,
                    "the table file is refused; waiting for the database"
                );
                Snapshot::empty()
            }
        };
        let snapshot = trust::trusted(found.clone(), signer, OffsetDateTime::now_utc());
        if snapshot.is_loaded {
            tracing::info!(
                fleets = snapshot.fleets.len(), as_of = %snapshot.as_of,
                "serving the table from disk until the database answers"
            );
        }
        let shared = Shared {
            current: ArcSwap::from_pointee(snapshot),
            revisions: watch::Sender::new(0),
            disk: Mutex::new(Disk::new(file, found)),
            wanted: Notify::new(),
            stale_after,
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Everything, as it is now. Hold it shortly.
    pub(crate) fn load(&self) -> Guard<Arc<Snapshot>> {
        self.shared.current.load()
    }

    /// One fleet, as it is served now.
    pub(crate) fn get(&self, fleet: &FleetId) -> Option<Arc<FleetEntry>> {
        self.load().fleets.get(fleet).cloned()
    }

    /// What needs an operator's eye.
    pub(crate) fn alerts(&self, fleet: &FleetId) -> Vec<String> {
        self.get(fleet)
            .map(|entry| entry.alerts())
            .unwrap_or_default()
    }

    /// Whether devices can be answered: a table was read, from wherever.
    pub(crate) fn is_loaded(&self) -> bool {
        self.load().is_loaded
    }

    /// How long the database may be silent before answers say that they are stale.
    pub(crate) fn stale_after(&self) -> Duration {
        self.shared.stale_after
    }

    /// Follows the table's revision, which rises whenever a fleet changed.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.shared.revisions.subscribe()
    }

    /// A hint that the database has news: the next refresh comes at once.
    pub(crate) fn refresh_soon(&self) {
        self.shared.wanted.notify_one();
    }

    async fn wanted(&self) {
        self.shared.wanted.notified().await;
    }

    /// Serves these fleets, as a refresh that read nothing else would.
    #[cfg(test)]
    pub(crate) async fn serve(&self, entries: Vec<FleetEntry>) {
        let kept = std::collections::HashSet::new();
        let now = OffsetDateTime::UNIX_EPOCH;
        self.update(|held| held.refreshed(entries, &kept, now))
            .await;
    }

    /// Replaces the snapshot by what `change` makes of it: on disk first, then in memory; in memory
    /// alone while the disk hangs.
    async fn update(&self, change: impl FnOnce(&Snapshot) -> Snapshot) {
        let mut disk = self.shared.disk.lock().await;
        let next = Arc::new(change(&self.shared.current.load_full()));
        let revision = next.revision;
        disk.save(&next).await;
        self.shared.current.store(next);
        self.shared
            .revisions
            .send_if_modified(|last| std::mem::replace(last, revision) != revision);
    }
}

#[cfg(test)]
mod tests;
