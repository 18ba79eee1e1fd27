//! The table that answers devices: every fleet, in memory, replaced whole.
//!
//! Durable: the table file. Kept true: readers take one atomic load and no lock; what is served is
//! on disk before it is served, so that not even a restart without a database lowers an epoch;
//! where the disk fails, the older file is taken away rather than served later, and where it
//! hangs, devices don't wait for it; a route under a key that is not trusted is never served nor
//! saved.

mod answer;
mod disk;
mod encoded;
mod entry;
mod file;
#[cfg(any(test, fuzzing))]
#[cfg_attr(fuzzing, allow(dead_code, reason = "tests need more of it"))]
pub(crate) mod fixture;
#[cfg(fuzzing)]
pub(crate) mod fuzz;
mod missing;
mod plan;
mod present;
mod refresher;
pub(crate) mod sample;
mod snapshot;
mod take;
mod trust;

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use hubshift_domain::id::FleetId;
use time::OffsetDateTime;
use tokio::sync::{Mutex, Notify, watch};

pub(crate) use answer::{Answer, AnswerError, Asked, Door, answer, fleet};
use disk::Disk;
pub(crate) use encoded::rfc3339;
pub(crate) use entry::{CanaryEntry, DebtEntry, EPOCH_FORGOTTEN, FleetEntry, FleetFacts, HubEntry};
use file::{FileError, Loaded, TableFile};
use missing::Missing;
pub(crate) use plan::Read;
pub(crate) use present::present;
pub(crate) use refresher::Refresher;
pub(crate) use snapshot::Snapshot;
pub(crate) use take::{Told, take};

use crate::signing::{Seal, Signer};

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
    missing: Missing,
    is_leaving: AtomicBool,
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
        Self::boot_from(TableFile::in_dir(dir), signer, stale_after)
    }

    fn boot_from(file: TableFile, signer: &Signer, stale_after: Duration) -> Self {
        let signer = &signer.fixed();
        let seal = signer.seal();
        let Loaded {
            mut snapshot,
            is_vouched,
            is_ours,
        } = found(&file, &seal);
        if is_vouched {
            snapshot.keys = Arc::from(seal.keys());
        }
        let holds = Arc::new(snapshot);
        let current = if is_vouched {
            holds.clone()
        } else {
            let now = OffsetDateTime::now_utc();
            Arc::new(trust::trusted(&holds, is_ours, signer, now))
        };
        if current.is_loaded {
            tracing::info!(
                fleets = current.fleets.len(), as_of = %current.as_of, verified = !is_vouched,
                "serving the table from disk until the database answers"
            );
        }
        let shared = Shared {
            revisions: watch::Sender::new(current.revision),
            current: ArcSwap::new(current),
            disk: Mutex::new(Disk::new(file, holds, seal)),
            wanted: Notify::new(),
            missing: Missing::default(),
            is_leaving: AtomicBool::new(false),
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

    /// Whether devices are to be sent here: a table was read, and this process is not about to stop.
    pub(crate) fn is_offered(&self) -> bool {
        self.is_loaded() && !self.shared.is_leaving.load(Ordering::Relaxed)
    }

    /// This process is about to stop: devices are still answered, and sent elsewhere from now on.
    pub(crate) fn leave(&self) {
        self.shared.is_leaving.store(true, Ordering::Relaxed);
    }

    /// A device asked for a fleet that is not here, and no database has said yet which fleets there
    /// are: other concierges are asked, on the side. Never waits.
    pub(crate) fn miss(&self, fleet: &FleetId) {
        self.shared.missing.note(fleet);
    }

    /// Waits until a fleet was missed.
    pub(crate) async fn missed(&self) {
        self.shared.missing.any().await;
    }

    /// The fleets that were missed since the last time.
    pub(crate) fn take_missing(&self) -> HashSet<FleetId> {
        self.shared.missing.take()
    }

    /// Serves nothing but what `signer` trusts, if its keys are not those of the last time.
    pub(crate) async fn follow_keys(&self, signer: &Signer) {
        let mut disk = self.shared.disk.lock().await;
        let signer = signer.fixed();
        let seal = signer.seal();
        if seal.is(disk.seal()) {
            return;
        }
        let held = self.shared.current.load_full();
        let verify = move || trust::trusted(&held, true, &signer, OffsetDateTime::now_utc());
        // A signature check per fleet: not on a thread that others wait for.
        match tokio::task::spawn_blocking(verify).await {
            Ok(next) => {
                disk.reseal(seal);
                self.replace(&mut disk, next).await;
            }
            Err(error) => tracing::error!(%error, "held routes could not be verified; once more"),
        }
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
        let next = change(&self.shared.current.load_full());
        self.replace(&mut disk, next).await;
    }

    async fn replace(&self, disk: &mut Disk, next: Snapshot) {
        let revision = next.revision;
        next.encode();
        let next = Arc::new(next);
        disk.save(&next).await;
        self.shared.current.store(next);
        self.shared
            .revisions
            .send_if_modified(|last| std::mem::replace(last, revision) != revision);
    }
}

/// What lies on the disk; nothing if it can't be used.
fn found(file: &TableFile, seal: &Seal) -> Loaded {
    match file.load(seal) {
        Ok(loaded) => loaded,
        Err(FileError::Missing) => Loaded::nothing(),
        Err(error) => {
            tracing::error!(
                path = %file.path().display(), error = &error as &dyn std::error::Error,
                "the table file is refused; waiting for the database and other concierges"
            );
            Loaded::nothing()
        }
    }
}

#[cfg(test)]
mod tests;
