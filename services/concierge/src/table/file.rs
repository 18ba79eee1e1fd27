//! The table on disk: what a concierge serves when it starts without its database.
//!
//! Durable: one file, replaced whole by an atomic rename after it was synced. Its first line names
//! format and version: version 2 is written, version 1 is read. Kept true: a file that is cut
//! short, altered or of another version is refused whole, never half-read.

mod bytes;
#[cfg(fuzzing)]
pub(super) mod fuzz;
mod record;
mod storage;
#[cfg(test)]
mod tests;
mod v1;
mod v2;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::Snapshot;
use crate::signing::Seal;
pub(super) use storage::{FileSystem, Storage};
pub(super) use v2::encode;

/// Why a table file is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FileError {
    /// There is none.
    #[error("there is no table file")]
    Missing,
    /// It can't be read or written.
    #[error("the table file can't be read or written")]
    Io(#[source] std::io::Error),
    /// It is not of a format and version that this binary reads.
    #[error("the table file is not of format `hubshift-table 1` or `hubshift-table 2`")]
    Format,
    /// It was cut short or altered.
    #[error("the table file does not match its checksum")]
    Checksum,
    /// It is whole, and yet not a table.
    #[error("the table file holds no table")]
    Json(#[source] serde_json::Error),
    /// It is whole, and yet its fleets can't be read.
    #[error("the table file holds no fleets that can be read")]
    Record(#[source] bytes::Malformed),
}

/// What a file held.
#[derive(Debug)]
pub(super) struct Loaded {
    /// The table.
    pub(super) snapshot: Snapshot,
    /// Whether this concierge wrote it, under the keys that are trusted now: its routes were
    /// verified then.
    pub(super) is_vouched: bool,
    /// Whether this concierge wrote it, under whatever keys. Of another file nothing counts but
    /// signatures.
    pub(super) is_ours: bool,
}

impl Loaded {
    /// No file, or none that is to be used.
    pub(super) fn nothing() -> Self {
        Self {
            snapshot: Snapshot::empty(),
            is_vouched: true,
            is_ours: true,
        }
    }
}

/// Where the table is kept.
#[derive(Debug, Clone)]
pub(crate) struct TableFile {
    path: PathBuf,
    storage: Arc<dyn Storage>,
}

impl TableFile {
    /// The table file of a data folder.
    pub(crate) fn in_dir(dir: &Path) -> Self {
        Self::on(dir, Arc::new(FileSystem))
    }

    /// The same, on something that stores files.
    pub(super) fn on(dir: &Path, storage: Arc<dyn Storage>) -> Self {
        Self {
            path: dir.join("table"),
            storage,
        }
    }

    /// Its path, for logs.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    fn dir(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("."))
    }

    /// Reads it. `seal`: whose files need no signature check.
    pub(super) fn load(&self, seal: &Seal) -> Result<Loaded, FileError> {
        let read = self.storage.read(&self.path);
        let bytes = read.map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => FileError::Missing,
            _ => FileError::Io(error),
        })?;
        decode(&bytes, seal)
    }

    /// Replaces it: after this returns, the new content survives a power cut.
    pub(super) fn save(&self, bytes: &[u8]) -> Result<(), FileError> {
        let storage = &self.storage;
        storage.create_dir(self.dir()).map_err(FileError::Io)?;
        let aside = self
            .path
            .with_extension(format!("{}.new", std::process::id()));
        let written = storage
            .write(&aside, bytes)
            .and_then(|()| storage.rename(&aside, &self.path))
            .and_then(|()| storage.sync_dir(self.dir()));
        if written.is_err() {
            // What is left of it is of no use, and on a full disk it is in the way.
            let _gone = storage.remove(&aside);
        }
        written.map_err(FileError::Io)
    }

    /// Takes it away, for good: no table is better than one with an older epoch.
    pub(super) fn remove(&self) -> Result<(), FileError> {
        match self.storage.remove(&self.path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(FileError::Io(error)),
            _ => self.storage.sync_dir(self.dir()).map_err(FileError::Io),
        }
    }
}

/// Reads the file's content. `seal`: whose files need no signature check.
pub(super) fn decode(bytes: &[u8], seal: &Seal) -> Result<Loaded, FileError> {
    match line(bytes) {
        Some((v2::FORMAT, rest)) => v2::decode(rest, seal),
        Some((v1::FORMAT, rest)) => Ok(Loaded {
            snapshot: v1::decode(rest)?,
            is_vouched: false,
            is_ours: false,
        }),
        _ => Err(FileError::Format),
    }
}

/// The first line without its end, and the rest.
fn line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let at = bytes.iter().position(|byte| *byte == b'\n')?;
    Some((&bytes[..at], &bytes[at + 1..]))
}

/// A first line of a label and 64 hexadecimal digits: the digits, and the rest.
fn labelled<'a>(bytes: &'a [u8], label: &[u8]) -> Result<(&'a [u8], &'a [u8]), FileError> {
    line(bytes)
        .and_then(|(line, rest)| Some((line.strip_prefix(label)?, rest)))
        .filter(|(digits, _)| digits.len() == 64)
        .ok_or(FileError::Checksum)
}

/// Whether this is the checksum of this content.
fn matches(sum: &[u8], body: &[u8]) -> bool {
    sum == checksum(body).as_bytes()
}

fn checksum(body: &[u8]) -> String {
    hex(&Sha256::digest(body))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(digits: &[u8]) -> Option<Vec<u8>> {
    let digits = std::str::from_utf8(digits).ok()?;
    let byte = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    (0..digits.len()).step_by(2).map(byte).collect()
}
