//! The state file: what a device must not forget when it restarts.
//!
//! Durable: the signed route, when its epoch was accepted, and the signed key set. Replaced whole
//! by an atomic rename. Kept true: a file that can't be read is an error, not an empty state, for
//! an empty state would accept an older epoch.

use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// What is saved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Saved {
    /// The route with the highest epoch accepted.
    pub(super) route: String,
    /// When that epoch was accepted, Unix milliseconds.
    pub(super) accepted_unix_ms: i64,
    /// The key set that the recovery key signed, where one is pinned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) key_set: Option<String>,
}

/// Where it is saved.
#[derive(Debug, Clone)]
pub(super) struct StateFile {
    pub(super) path: PathBuf,
}

impl StateFile {
    /// Reads it; `None` when there is none.
    pub(super) fn load(&self) -> std::io::Result<Option<Saved>> {
        let bytes = match std::fs::read(&self.path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            read => read?,
        };
        serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(std::io::Error::from)
    }

    /// Replaces it; survives a power cut once this returns.
    pub(super) fn save(&self, saved: &Saved) -> std::io::Result<()> {
        let bytes = serde_json::to_vec(saved)?;
        let aside = self.beside(".new");
        let mut file = std::fs::File::create(&aside)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        std::fs::rename(&aside, &self.path)?;
        self.sync_folder()
    }

    /// Makes room for a new beginning; what was there can still be looked at.
    pub(super) fn put_aside(&self) -> std::io::Result<()> {
        std::fs::rename(&self.path, self.beside(".refused"))?;
        self.sync_folder()
    }

    /// The whole name with something after it: ids with dots in them must not share a file.
    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(suffix);
        name.into()
    }

    fn sync_folder(&self) -> std::io::Result<()> {
        let dir = self.path.parent().filter(|dir| !dir.as_os_str().is_empty());
        std::fs::File::open(dir.unwrap_or(Path::new(".")))?.sync_all()
    }
}
