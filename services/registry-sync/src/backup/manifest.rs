//! The manifest of a backup: what belongs to it and what must come out of it. No ids, no secrets.

use hubshift_domain::id::FleetId;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

/// The layout that this version writes.
pub(crate) const VERSION: u16 = 1;

/// One chunk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ChunkEntry {
    /// Keyed fingerprint of what is in it, hexadecimal: also its name in the stores.
    pub(crate) name: String,
    /// Devices in it.
    pub(crate) record_count: u64,
}

/// A whole backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    /// The layout.
    pub(crate) version: u16,
    /// The backup's id.
    pub(crate) backup: Uuid,
    /// The fleet's slug.
    pub(crate) fleet: String,
    /// Slug of the hub that it was taken of.
    pub(crate) hub: String,
    /// The epoch that it was taken in.
    pub(crate) epoch: u64,
    /// When the scan behind it began: every change before that is in it.
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) watermark: OffsetDateTime,
    /// Devices in it.
    pub(crate) record_count: u64,
    /// Digest over its records, hexadecimal.
    pub(crate) digest: String,
    /// Which key opens its chunks.
    pub(crate) key_id: String,
    /// Its chunks, in order.
    pub(crate) chunks: Vec<ChunkEntry>,
}

impl Manifest {
    /// As it is stored.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec_pretty(self)
    }
}

/// Where a backup's manifest is.
pub(crate) fn manifest_path(fleet: &FleetId, backup: Uuid) -> String {
    format!("{}/backups/{backup}/manifest.json", fleet.name())
}

/// Where a chunk is. Equal chunks of several backups are one object.
pub(crate) fn chunk_path(fleet: &FleetId, name: &str) -> String {
    format!("{}/chunks/{name}.age", fleet.name())
}
