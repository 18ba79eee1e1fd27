//! The table that answers devices: every fleet, in memory, replaced whole.
//!
//! Durable: the table file. Kept true: readers take one atomic load and no lock; what is served is
//! on disk before it is served, so that not even a restart without a database lowers an epoch;
//! where the disk fails, the older file is taken away rather than served later.

mod answer;
mod entry;
mod file;
#[cfg(test)]
pub(crate) mod fixture;
mod plan;
mod present;
mod refresher;
mod snapshot;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, Guard};
use hubshift_domain::id::FleetId;
use tokio::sync::{Mutex, Notify, watch};

pub(crate) use answer::{Answer, AnswerError, Asked, Question, answer, fleet};
pub(crate) use entry::{DebtEntry, EPOCH_FORGOTTEN, FleetEntry, FleetFacts, HubEntry};
use file::{FileError, TableFile};
pub(crate) use plan::Read;
pub(crate) use present::present;
pub(crate) use refresher::Refresher;
pub(crate) use snapshot::Snapshot;

/// How old the file's `as_of` may grow while nothing else changes.
const SAVE_AT_LEAST_EVERY: Duration = Duration::from_secs(60);

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

struct Disk {
    file: TableFile,
    saved: Option<Instant>,
    /// Whether the last try to save failed.
    is_behind: bool,
}

impl Table {
    /// The table as it lies in `dir`; empty when nothing usable does. `stale_after`: how long the
    /// database may be silent before answers say so.
    pub(crate) fn boot(dir: &Path, stale_after: Duration) -> Self {
        let file = TableFile::in_dir(dir);
        let snapshot = match file.load() {
            Ok(snapshot) => {
                tracing::info!(
                    fleets = snapshot.fleets.len(), as_of = %snapshot.as_of,
                    "serving the table from disk until the database answers"
                );
                snapshot
            }
            Err(FileError::Missing) => Snapshot::empty(),
            Err(error) => {
                tracing::error!(
                    path = %file.path().display(), error = &error as &dyn std::error::Error,
                    "the table file is refused; waiting for the database"
                );
                Snapshot::empty()
            }
        };
        let disk = Mutex::new(Disk {
            file,
            saved: None,
            is_behind: false,
        });
        let shared = Shared {
            current: ArcSwap::from_pointee(snapshot),
            revisions: watch::Sender::new(0),
            disk,
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
        let now = time::OffsetDateTime::UNIX_EPOCH;
        self.update(|held| held.refreshed(entries, &kept, now))
            .await;
    }

    /// Replaces the snapshot by what `change` makes of it: on disk first, then in memory.
    async fn update(&self, change: impl FnOnce(&Snapshot) -> Snapshot) {
        let mut disk = self.shared.disk.lock().await;
        let held = self.shared.current.load_full();
        let next = Arc::new(change(&held));
        if disk.is_due() || next.revision != held.revision {
            disk.save(&held, next.clone()).await;
        }
        let revision = next.revision;
        self.shared.current.store(next);
        self.shared
            .revisions
            .send_if_modified(|last| std::mem::replace(last, revision) != revision);
    }
}

impl Disk {
    fn is_due(&self) -> bool {
        self.is_behind
            || self
                .saved
                .is_none_or(|at| at.elapsed() > SAVE_AT_LEAST_EVERY)
    }

    /// Saves, or makes sure that no older epoch is served from disk later.
    async fn save(&mut self, held: &Snapshot, next: Arc<Snapshot>) {
        let rises = next.rises_above(held);
        let file = self.file.clone();
        let saving = move || match file::encode(&next).and_then(|bytes| file.save(&bytes)) {
            Err(error) if rises => file.remove().and(Err(error)),
            outcome => outcome,
        };
        let outcome = match tokio::task::spawn_blocking(saving).await {
            Ok(outcome) => outcome,
            Err(stopped) => Err(FileError::Io(stopped.into())),
        };
        match outcome {
            Ok(()) => {
                self.saved = Some(Instant::now());
                if std::mem::take(&mut self.is_behind) {
                    tracing::info!(path = %self.file.path().display(), "the table is saved again");
                }
            }
            Err(error) if !std::mem::replace(&mut self.is_behind, true) => tracing::error!(
                path = %self.file.path().display(), rises,
                error = &error as &dyn std::error::Error,
                "the table can't be saved; a restart would need the database"
            ),
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests;
