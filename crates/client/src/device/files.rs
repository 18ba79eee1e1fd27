//! The state file: what a device must not forget when it restarts.
//!
//! Durable: the signed route, when its epoch was accepted, what the slot's timer runs for, and the
//! signed key set. Replaced whole by an atomic rename. Kept true: a file that can't be read is an
//! error, not an empty state, for an empty state would accept an older epoch.

use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Aim;

/// What is saved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Saved {
    /// The route with the highest epoch accepted.
    pub(super) route: String,
    /// When that epoch was accepted, Unix milliseconds.
    pub(super) accepted_unix_ms: i64,
    /// What the slot's timer runs for; an older version did not save it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) aim: Option<SavedAim>,
    /// The key set that the recovery key signed, where one is pinned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) key_set: Option<String>,
}

/// What the slot's timer runs for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SavedAim {
    /// The canary's id; none: the active hub.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    canary: Option<String>,
    /// When the timer started, Unix milliseconds.
    since_unix_ms: i64,
    /// How long it runs, milliseconds.
    wait_ms: u64,
}

impl SavedAim {
    /// An aim, at this time of the wall clock.
    pub(super) fn of(aim: &Aim, unix_ms: i64) -> Self {
        let ago = i64::try_from(aim.ago.as_millis()).unwrap_or(0);
        Self {
            canary: aim.canary.clone(),
            since_unix_ms: unix_ms.saturating_sub(ago),
            wait_ms: u64::try_from(aim.wait.as_millis()).unwrap_or(u64::MAX),
        }
    }

    /// The aim at this time of the wall clock. A clock that went back makes a wait longer, at most
    /// by the whole of it; of a canary it says nothing.
    pub(super) fn at(&self, unix_ms: i64) -> Option<Aim> {
        let ago = unix_ms.saturating_sub(self.since_unix_ms);
        if self.canary.is_some() && ago < 0 {
            return None;
        }
        Some(Aim {
            canary: self.canary.clone(),
            ago: Duration::from_millis(u64::try_from(ago).unwrap_or(0)),
            wait: Duration::from_millis(self.wait_ms),
        })
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_aim_is_as_old_as_the_clock_says_and_a_canarys_needs_one_that_went_on() {
        let aim = Aim {
            canary: Some("c-1".into()),
            ago: Duration::from_secs(2),
            wait: Duration::from_secs(5),
        };
        let saved = SavedAim::of(&aim, 10_000);
        assert_eq!(saved.at(10_000), Some(aim.clone()));
        let later = saved.at(11_000).unwrap();
        assert_eq!((later.ago, later.wait), (Duration::from_secs(3), aim.wait));
        assert_eq!(saved.at(7_999), None);
        let active = Aim {
            canary: None,
            ..aim
        };
        let back = SavedAim::of(&active, 10_000).at(0).unwrap();
        assert_eq!(back.ago, Duration::ZERO);
    }

    #[test]
    fn a_file_of_an_older_version_is_read() {
        let old = r#"{"route":"r","accepted_unix_ms":7}"#;
        assert_eq!(serde_json::from_str::<Saved>(old).unwrap().aim, None);
    }
}
