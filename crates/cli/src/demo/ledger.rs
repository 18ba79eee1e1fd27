//! The auditor's own record of every write that anybody acknowledged.
//!
//! It lives in this process's memory alone: nothing in the product can read it. It knows nothing
//! of epochs, journals or merges; only who promised what, and when.

use std::collections::BTreeMap;

use hubshift_hub::{Credentials, HubDevice};
use serde_json::Value;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

/// Who acknowledged a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Via {
    /// Hubshift: must never be lost.
    Hubshift,
    /// The hub itself, past Hubshift, and it did not reach the standby before the hub died:
    /// recovered if the hub comes back as it was, else listed.
    PastUs,
}

/// What was written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Change {
    /// The device was made, with this state.
    Create(Expected),
    /// It may connect, or not.
    Enabled(bool),
    /// One tag.
    Tag(String, Value),
    /// One desired property.
    Desired(String, Value),
    /// It is gone.
    Delete,
}

impl Change {
    /// The part of the device that it writes, as a conflict's path would name it.
    pub(crate) fn part(&self) -> String {
        match self {
            Self::Create(_) | Self::Delete => String::new(),
            Self::Enabled(_) => "status".into(),
            Self::Tag(key, _) => format!("tags.{key}"),
            Self::Desired(key, _) => format!("desired.{key}"),
        }
    }
}

/// What a device should be.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Expected {
    pub(crate) enabled: bool,
    /// Hash of its credentials.
    pub(crate) key: String,
    pub(crate) tags: BTreeMap<String, Value>,
    pub(crate) desired: BTreeMap<String, Value>,
}

impl Expected {
    /// What a hub shows.
    pub(crate) fn of(device: &HubDevice) -> Self {
        Self {
            enabled: device.identity.enabled,
            key: key_hash(&device.identity.credentials),
            tags: device.tags.clone().into_iter().collect(),
            desired: device.desired.clone().into_iter().collect(),
        }
    }

    /// Whether it shows what the change wrote.
    pub(crate) fn shows(&self, change: &Change) -> bool {
        match change {
            Change::Create(state) => self.key == state.key,
            Change::Enabled(enabled) => self.enabled == *enabled,
            Change::Tag(key, value) => self.tags.get(key) == Some(value),
            Change::Desired(key, value) => self.desired.get(key) == Some(value),
            Change::Delete => false,
        }
    }
}

/// A fingerprint of secrets for the auditor's comparison.
pub(crate) fn key_hash(credentials: &Credentials) -> String {
    let bytes = credentials.to_bytes();
    Sha256::digest(bytes.as_slice())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// One acknowledged write.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) at: OffsetDateTime,
    pub(crate) device: String,
    pub(crate) change: Change,
    pub(crate) via: Via,
}

/// Every acknowledged write, in order.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) entries: Vec<Entry>,
    /// Generation ids as the hubs first showed them: (hub, device).
    pub(crate) generations: BTreeMap<(&'static str, String), String>,
    /// Amounts that were acknowledged, per counter.
    pub(crate) counters: BTreeMap<String, i64>,
    /// Parts of documents that were acknowledged: (document, part).
    pub(crate) documents: BTreeMap<(String, String), Value>,
    /// Devices whose held conflict the operator resolved as "deleted".
    pub(crate) resolved_deleted: Vec<String>,
    /// Devices whose held conflict the operator resolved as "kept".
    pub(crate) resolved_kept: Vec<String>,
    /// Writes that were handed in late or twice.
    pub(crate) late: u64,
}

impl Ledger {
    /// Notes a write that was just acknowledged.
    pub(crate) fn note(&mut self, via: Via, device: &str, change: Change) {
        let at = OffsetDateTime::now_utc();
        self.entries.push(Entry {
            at,
            device: device.to_owned(),
            change,
            via,
        });
    }

    /// Notes which life of a device a hub shows.
    pub(crate) fn note_generation(&mut self, hub: &'static str, device: &HubDevice) {
        let key = (hub, device.identity.device_id.clone());
        self.generations.insert(key, device.generation_id.clone());
    }

    /// Adds to what a counter must show.
    pub(crate) fn count(&mut self, counter: &str, amount: i64) {
        *self.counters.entry(counter.to_owned()).or_default() += amount;
    }
}
