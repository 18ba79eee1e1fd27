//! Reading a backup: from one store to prove it, from any store to restore it.

use hubshift_domain::id::FleetId;
use hubshift_domain::identity::Fingerprint;

use super::Vault;
use super::chunk::{ChunkError, unpack};
use super::key::CipherError;
use super::line::Line;
use super::manifest::{ChunkEntry, Manifest, VERSION, chunk_path, manifest_path};
use super::stores::{ObjectError, Store};
use crate::seal::FleetKeys;

/// Why a store does not hold a backup as it was written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// An object can't be read.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// The store is no longer configured.
    #[error("the store is no longer configured")]
    NoStore,
    /// The manifest is not the one that was written.
    #[error("the manifest is damaged")]
    Manifest,
    /// A chunk is damaged.
    #[error("chunk {number} of {count} ({name}) {problem}")]
    Chunk {
        /// From 1.
        number: usize,
        /// Chunks in all.
        count: usize,
        /// Its name.
        name: String,
        /// What is wrong.
        problem: ChunkError,
    },
    /// All chunks are whole and yet do not add up.
    #[error("the digest of its records is {found} instead of {expected}")]
    Digest {
        /// What the manifest says.
        expected: String,
        /// What is there.
        found: String,
    },
}

impl ReadError {
    /// Whether the backup was encrypted for a key that we do not have.
    pub(crate) fn is_other_key(&self) -> bool {
        let Self::Chunk { problem, .. } = self else {
            return false;
        };
        matches!(problem, ChunkError::Cipher(CipherError::OtherKey))
    }

    /// Whether the store might answer the next time.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            Self::Object(ObjectError::Unavailable(_)) => true,
            Self::Object(ObjectError::Missing(_))
            | Self::NoStore
            | Self::Manifest
            | Self::Chunk { .. }
            | Self::Digest { .. } => false,
        }
    }
}

/// What one store was found to hold.
#[derive(Debug)]
pub(crate) struct Reading {
    /// The store's name.
    pub(crate) store: String,
    /// Whether the digest came out, or why not.
    pub(crate) result: Result<(), ReadError>,
}

/// Reads a backup from each store that shall hold it, as a restore would.
pub(crate) async fn check_all(
    vault: &Vault,
    keys: &FleetKeys,
    fleet: &FleetId,
    manifest: &Manifest,
    stores: &[String],
) -> Vec<Reading> {
    let mut readings = Vec::with_capacity(stores.len());
    for name in stores {
        let result = match vault.stores.find(name) {
            Some(store) => check(vault, keys, store, fleet, manifest).await,
            None => Err(ReadError::NoStore),
        };
        readings.push(Reading {
            store: name.clone(),
            result,
        });
    }
    readings
}

async fn check(
    vault: &Vault,
    keys: &FleetKeys,
    store: &Store,
    fleet: &FleetId,
    manifest: &Manifest,
) -> Result<(), ReadError> {
    let bytes = store.get(&manifest_path(fleet, manifest.backup)).await?;
    let stored: Manifest = serde_json::from_slice(&bytes).map_err(|_| ReadError::Manifest)?;
    if stored != *manifest || stored.version != VERSION {
        return Err(ReadError::Manifest);
    }
    let mut digest = Fingerprint::default();
    for number in 0..manifest.chunks.len() {
        let lines = chunk(vault, keys, store, fleet, manifest, number).await?;
        digest = lines
            .iter()
            .fold(digest, |digest, line| digest.xor(fingerprint(keys, line)));
    }
    let found = digest.to_string();
    match found == manifest.digest {
        true => Ok(()),
        false => Err(ReadError::Digest {
            expected: manifest.digest.clone(),
            found,
        }),
    }
}

/// The devices of chunk `number` (from 0), from the first store that holds it whole.
pub(crate) async fn chunk_from_any(
    vault: &Vault,
    keys: &FleetKeys,
    fleet: &FleetId,
    manifest: &Manifest,
    number: usize,
) -> Result<Vec<Line>, ReadError> {
    let mut last = ReadError::NoStore;
    for store in vault.stores.iter() {
        match chunk(vault, keys, store, fleet, manifest, number).await {
            Ok(lines) => return Ok(lines),
            // One that may answer later is better news than one that is damaged.
            Err(error) if !last.is_passing() => last = error,
            Err(_) => {}
        }
    }
    Err(last)
}

async fn chunk(
    vault: &Vault,
    keys: &FleetKeys,
    store: &Store,
    fleet: &FleetId,
    manifest: &Manifest,
    number: usize,
) -> Result<Vec<Line>, ReadError> {
    let Some(entry) = manifest.chunks.get(number) else {
        return Ok(Vec::new());
    };
    let bytes = store.get(&chunk_path(fleet, &entry.name)).await?;
    unpack(&vault.key, keys, entry, &bytes)
        .map_err(|problem| named(manifest, entry, number, problem))
}

fn named(manifest: &Manifest, entry: &ChunkEntry, number: usize, problem: ChunkError) -> ReadError {
    ReadError::Chunk {
        number: number + 1,
        count: manifest.chunks.len(),
        name: entry.name.clone(),
        problem,
    }
}

/// The fingerprint of a device in a backup.
pub(crate) fn fingerprint(keys: &FleetKeys, line: &Line) -> Fingerprint {
    line.record.fingerprint(&keys.fingerprint, &line.device_id)
}
