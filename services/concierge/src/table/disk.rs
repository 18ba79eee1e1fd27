//! Saving the table, one save at a time, without ever waiting long for it.
//!
//! Kept true: what a restart must know is saved at once; the whole file is not written for a new
//! `as_of` or signature alone, which with thousands of fleets would never end: those are at most a
//! minute old in it. When a save fails while an epoch rose, the older file is taken away, so that no
//! restart serves it. A disk that hangs keeps nobody waiting: after a second the table is served
//! from memory, and nothing is saved until the disk has moved again; then the newest table is.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::task::{JoinError, spawn_blocking};
use tokio::time::timeout;

use super::Snapshot;
use super::file::{self, FileError, TableFile};
use crate::signing::Seal;

/// How old `as_of` and signatures in the file may grow while nothing else changes.
const SAVE_AT_LEAST_EVERY: Duration = Duration::from_secs(60);
/// How long devices wait for the disk.
const LIMIT: Duration = Duration::from_secs(1);

/// Why the file is not what is served.
#[derive(Debug, thiserror::Error)]
enum SaveError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error("the disk did not take it within {LIMIT:?}")]
    Hangs,
    #[error("saving it stopped")]
    Stopped(#[source] JoinError),
}

/// The file, and whether it is what is served. Locked by whoever replaces the snapshot.
pub(super) struct Disk {
    path: PathBuf,
    /// What files are sealed with: of the keys that every held route was verified under.
    seal: Arc<Seal>,
    /// Its lock goes along with a save, onto the thread that may hang: neither a caller that gave
    /// up nor one that was cancelled lets the next one write the same file.
    written: Arc<Mutex<Written>>,
    is_behind: bool,
}

/// What this process knows of the file's content.
pub(super) struct Written {
    file: TableFile,
    /// The last table that it was seen to hold.
    holds: Arc<Snapshot>,
    /// What that was sealed with.
    seal: Arc<Seal>,
    /// When it was saved; `None` when it never was, or when the last try failed.
    saved: Option<Instant>,
}

impl Disk {
    /// Nothing saved yet by this process; `holds` is what was found.
    pub(super) fn new(file: TableFile, holds: Arc<Snapshot>, seal: Seal) -> Self {
        let path = file.path().to_owned();
        let seal = Arc::new(seal);
        let written = Written {
            file,
            holds,
            seal: seal.clone(),
            saved: None,
        };
        Self {
            path,
            seal,
            written: Arc::new(Mutex::new(written)),
            is_behind: false,
        }
    }

    /// What files are sealed with.
    pub(super) fn seal(&self) -> &Seal {
        &self.seal
    }

    /// Seals the next files with this one: every route that is saved from now on was verified under
    /// its keys.
    pub(super) fn reseal(&mut self, seal: Seal) {
        self.seal = Arc::new(seal);
    }

    /// Saves what is to be served next, if there is a reason to. Returns within a second, and at
    /// once while an older save is known to hang.
    pub(super) async fn save(&mut self, next: &Arc<Snapshot>) {
        if self.is_behind && self.written.try_lock().is_err() {
            return;
        }
        let saving = save(self.written.clone(), next.clone(), self.seal.clone());
        let outcome = timeout(LIMIT, saving).await;
        self.tell(outcome.unwrap_or(Err(SaveError::Hangs)));
    }

    fn tell(&mut self, outcome: Result<(), SaveError>) {
        let behind = if outcome.is_err() { 1.0 } else { 0.0 };
        metrics::gauge!("hubshift_concierge_table_file_behind").set(behind);
        let was_behind = std::mem::replace(&mut self.is_behind, outcome.is_err());
        let path = self.path.display();
        match outcome {
            Ok(()) if was_behind => tracing::info!(%path, "the table is saved again"),
            Err(error) if !was_behind => tracing::error!(
                %path, error = &error as &dyn std::error::Error,
                "the table can't be saved; it is served from memory, and a restart would need the \
                 database"
            ),
            Ok(()) | Err(_) => {}
        }
    }

    /// Hangs for as long as the guard is held.
    #[cfg(test)]
    pub(super) fn hang(&self) -> OwnedMutexGuard<Written> {
        self.written.clone().try_lock_owned().unwrap()
    }
}

impl Written {
    /// Whether a restart would miss something, the keys changed, the last save failed, or it is long
    /// ago.
    fn is_due(&self, next: &Snapshot, seal: &Seal) -> bool {
        let is_old = |at: Instant| at.elapsed() > SAVE_AT_LEAST_EVERY;
        self.saved.is_none_or(is_old) || !self.seal.is(seal) || next.is_news_to(&self.holds)
    }

    fn save(&mut self, next: Arc<Snapshot>, seal: Arc<Seal>) -> Result<(), FileError> {
        self.saved = None;
        let written = file::encode(&next, &seal).and_then(|bytes| self.file.save(&bytes));
        if let Err(error) = written {
            if next.rises_above(&self.holds) {
                self.file.remove()?;
                self.holds = Arc::new(Snapshot::empty());
            }
            return Err(error);
        }
        (self.holds, self.seal) = (next, seal);
        self.saved = Some(Instant::now());
        Ok(())
    }
}

async fn save(
    written: Arc<Mutex<Written>>,
    next: Arc<Snapshot>,
    seal: Arc<Seal>,
) -> Result<(), SaveError> {
    let mut written: OwnedMutexGuard<Written> = written.lock_owned().await;
    if !written.is_due(&next, &seal) {
        return Ok(());
    }
    let saved = spawn_blocking(move || written.save(next, seal)).await;
    Ok(saved.map_err(SaveError::Stopped)??)
}
