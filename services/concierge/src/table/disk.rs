//! Saving the table, one save at a time.
//!
//! Kept true: when a save fails while an epoch rose, the older file is taken away, so that no
//! restart serves it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::OwnedMutexGuard;

use super::Snapshot;
use super::file::{self, TableFile};

/// How old the file's `as_of` may grow while nothing else changes.
const SAVE_AT_LEAST_EVERY: Duration = Duration::from_secs(60);

/// The file, and how the last save went. Locked by whoever replaces the snapshot.
pub(super) struct Disk {
    file: TableFile,
    saved: Option<Instant>,
    /// Whether the last try to save failed.
    is_behind: bool,
}

impl Disk {
    /// Nothing saved yet by this process.
    pub(super) fn new(file: TableFile) -> Self {
        Self {
            file,
            saved: None,
            is_behind: false,
        }
    }

    /// Whether to save though no fleet changed.
    pub(super) fn is_due(&self) -> bool {
        let is_old = |at: Instant| at.elapsed() > SAVE_AT_LEAST_EVERY;
        self.is_behind || self.saved.is_none_or(is_old)
    }

    fn save(&mut self, held: &Snapshot, next: &Snapshot) {
        let rises = next.rises_above(held);
        let saved = match file::encode(next).and_then(|bytes| self.file.save(&bytes)) {
            Err(error) if rises => self.file.remove().and(Err(error)),
            outcome => outcome,
        };
        let path = self.file.path().display();
        match saved {
            Ok(()) => {
                self.saved = Some(Instant::now());
                if std::mem::take(&mut self.is_behind) {
                    tracing::info!(%path, "the table is saved again");
                }
            }
            Err(error) if !std::mem::replace(&mut self.is_behind, true) => tracing::error!(
                %path, rises, error = &error as &dyn std::error::Error,
                "the table can't be saved; a restart would need the database"
            ),
            Err(_) => {}
        }
    }
}

/// Saves on a thread that may block, and gives the lock back. The lock goes along: a caller that
/// is cancelled must not let the next one write the same file. `None` when saving panicked.
pub(super) async fn save(
    mut disk: OwnedMutexGuard<Disk>,
    held: Arc<Snapshot>,
    next: Arc<Snapshot>,
) -> Option<OwnedMutexGuard<Disk>> {
    let saving = move || {
        disk.save(&held, &next);
        disk
    };
    tokio::task::spawn_blocking(saving)
        .await
        .inspect_err(|error| tracing::error!(%error, "saving the table stopped"))
        .ok()
}
