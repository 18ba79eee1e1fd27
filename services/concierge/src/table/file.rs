//! The table on disk: what a concierge serves when it starts without its database.
//!
//! Durable: one file, replaced whole by an atomic rename after it was synced. A first line names
//! format and version, a second one the SHA-256 of the rest. Kept true: a file that is cut short,
//! altered or of another version is refused whole, never half-read.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use super::{FleetEntry, Snapshot};

const FORMAT: &str = "hubshift-table 1";

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
    #[error("the table file is not of format `{FORMAT}`")]
    Format,
    /// It was cut short or altered.
    #[error("the table file does not match its checksum")]
    Checksum,
    /// It is whole, and yet not a table.
    #[error("the table file holds no table")]
    Content(#[source] serde_json::Error),
}

#[derive(Serialize)]
struct Written<'a> {
    as_of: OffsetDateTime,
    fleets: Vec<&'a FleetEntry>,
}

#[derive(Deserialize)]
struct Read {
    as_of: OffsetDateTime,
    fleets: Vec<FleetEntry>,
}

/// Where the table is kept.
#[derive(Debug, Clone)]
pub(crate) struct TableFile {
    path: PathBuf,
}

impl TableFile {
    /// The table file of a data folder.
    pub(crate) fn in_dir(dir: &Path) -> Self {
        Self {
            path: dir.join("table"),
        }
    }

    /// Its path, for logs.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads it.
    pub(super) fn load(&self) -> Result<Snapshot, FileError> {
        let bytes = std::fs::read(&self.path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => FileError::Missing,
            _ => FileError::Io(error),
        })?;
        decode(&bytes)
    }

    /// Replaces it: after this returns, the new content survives a power cut.
    pub(super) fn save(&self, bytes: &[u8]) -> Result<(), FileError> {
        let dir = self.path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(dir).map_err(FileError::Io)?;
        let aside = self
            .path
            .with_extension(format!("{}.new", std::process::id()));
        let written = write(&aside, bytes)
            .and_then(|()| std::fs::rename(&aside, &self.path))
            .and_then(|()| std::fs::File::open(dir)?.sync_all());
        if written.is_err() {
            // What is left of it is of no use, and on a full disk it is in the way.
            let _gone = std::fs::remove_file(&aside);
        }
        written.map_err(FileError::Io)
    }

    /// Takes it away: no table is better than one with an older epoch.
    pub(super) fn remove(&self) -> Result<(), FileError> {
        match std::fs::remove_file(&self.path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(FileError::Io(error)),
            _ => Ok(()),
        }
    }
}

fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = std::fs::File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// The file's content.
pub(super) fn encode(snapshot: &Snapshot) -> Result<Vec<u8>, FileError> {
    let mut fleets: Vec<&FleetEntry> = snapshot.fleets.values().map(AsRef::as_ref).collect();
    fleets.sort_by(|a, b| a.fleet_id.cmp(&b.fleet_id));
    let written = Written {
        as_of: snapshot.as_of,
        fleets,
    };
    let body = serde_json::to_vec(&written).map_err(FileError::Content)?;
    let mut bytes = format!("{FORMAT}\nsha256 {}\n", checksum(&body)).into_bytes();
    bytes.extend_from_slice(&body);
    Ok(bytes)
}

/// Reads the file's content.
pub(super) fn decode(bytes: &[u8]) -> Result<Snapshot, FileError> {
    let rest = bytes
        .strip_prefix(FORMAT.as_bytes())
        .and_then(|rest| rest.strip_prefix(b"\nsha256 "))
        .ok_or(FileError::Format)?;
    let (sum, rest) = rest.split_at_checked(64).ok_or(FileError::Checksum)?;
    let body = rest.strip_prefix(b"\n").ok_or(FileError::Checksum)?;
    if sum != checksum(body).as_bytes() {
        return Err(FileError::Checksum);
    }
    let read: Read = serde_json::from_slice(body).map_err(FileError::Content)?;
    Ok(Snapshot::from_disk(read.fleets, read.as_of))
}

fn checksum(body: &[u8]) -> String {
    Sha256::digest(body)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::fixture::entry;
    use super::*;

    fn table(epoch: u64) -> Snapshot {
        let entries = vec![entry("acme", epoch, 1), entry("other", 1024, 1)];
        Snapshot::of(entries, OffsetDateTime::UNIX_EPOCH)
    }

    #[test]
    fn a_table_survives_the_disk() {
        let dir = tempfile::tempdir().unwrap();
        let file = TableFile::in_dir(&dir.path().join("data"));
        assert!(matches!(file.load(), Err(FileError::Missing)));
        for epoch in [1024, 2049] {
            file.save(&encode(&table(epoch)).unwrap()).unwrap();
            assert_eq!(file.load().unwrap().fleets, table(epoch).fleets);
        }
        let left: Vec<_> = std::fs::read_dir(dir.path().join("data"))
            .unwrap()
            .collect();
        assert_eq!(left.len(), 1, "{left:?}");
        file.remove().unwrap();
        file.remove().unwrap();
        assert!(matches!(file.load(), Err(FileError::Missing)));
    }

    #[test]
    fn a_file_cut_at_any_byte_is_refused() {
        let bytes = encode(&table(2049)).unwrap();
        for length in 0..bytes.len() {
            assert!(decode(&bytes[..length]).is_err(), "cut at {length}");
        }
        assert!(decode(&bytes).is_ok());
    }

    #[test]
    fn a_file_with_any_byte_altered_is_refused() {
        let bytes = encode(&table(2049)).unwrap();
        for at in 0..bytes.len() {
            let mut altered = bytes.clone();
            altered[at] ^= 1;
            assert!(decode(&altered).is_err(), "altered at {at}");
        }
        assert!(decode(&[bytes.as_slice(), b" "].concat()).is_err());
    }

    #[test]
    fn a_file_of_another_version_is_refused_as_such() {
        let mut bytes = encode(&table(2049)).unwrap();
        bytes[FORMAT.len() - 1] = b'2';
        assert!(matches!(decode(&bytes), Err(FileError::Format)));
    }
}
