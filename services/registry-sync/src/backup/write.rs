//! Writing a backup: what a hub was just seen to hold, chunk by chunk, to every store.
//!
//! Nothing counts before it was read back; what a crash leaves behind in the stores is found
//! there again by its name, or lies unused.

use bytes::Bytes;
use hubshift_domain::epoch::Epoch;
use hubshift_domain::id::{FleetId, HubId};
use hubshift_domain::identity::Fingerprint;
use hubshift_store::StoreError;
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Vault;
use super::chunk::{CHUNK_RECORDS, ChunkError, pack};
use super::line::Line;
use super::manifest::{Manifest, VERSION, chunk_path, manifest_path};
use super::stores::ObjectError;
use crate::observe::Observed;
use crate::seal::{FleetKeys, KeyError};
use crate::store::journal::list;

/// Why a backup could not be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A credential does not open.
    #[error("the credential of a device does not open")]
    Key(#[from] KeyError),
    /// A chunk can't be made.
    #[error(transparent)]
    Chunk(#[from] ChunkError),
    /// A store fails.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// The manifest can't be written.
    #[error("the manifest cannot be written")]
    Manifest(#[from] serde_json::Error),
}

/// What is backed up.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Source {
    /// The backup's id.
    pub(crate) backup: Uuid,
    /// The fleet.
    pub(crate) fleet: FleetId,
    /// The hub.
    pub(crate) hub: HubId,
    /// The epoch.
    pub(crate) epoch: Epoch,
    /// When the scan behind it began.
    pub(crate) watermark: OffsetDateTime,
}

/// Writes a hub's devices to every store. Holds one chunk in memory.
pub(crate) async fn write(
    vault: &Vault,
    pool: &PgPool,
    keys: &FleetKeys,
    source: &Source,
) -> Result<Manifest, WriteError> {
    let mut manifest = Manifest {
        version: VERSION,
        backup: source.backup,
        fleet: source.fleet.to_string(),
        hub: source.hub.to_string(),
        epoch: source.epoch.0,
        watermark: source.watermark,
        record_count: 0,
        digest: String::new(),
        key_id: vault.key.id().to_owned(),
        chunks: Vec::new(),
    };
    let mut digest = Fingerprint::default();
    let mut after = String::new();
    loop {
        let rows = {
            let mut connection = pool.acquire().await.map_err(StoreError::from)?;
            let limit = CHUNK_RECORDS as i64;
            list::records(
                &mut connection,
                &source.fleet,
                source.hub.as_str(),
                &after,
                limit,
            )
            .await?
        };
        let Some(last) = rows.last() else { break };
        after.clone_from(&last.device_id);
        digest = rows
            .iter()
            .fold(digest, |digest, row| digest.xor(row.fingerprint));
        put_chunk(vault, keys, source, &rows, &mut manifest).await?;
    }
    manifest.digest = digest.to_string();
    let path = manifest_path(&source.fleet, source.backup);
    vault.stores.put(&path, manifest.to_bytes()?.into()).await?;
    Ok(manifest)
}

async fn put_chunk(
    vault: &Vault,
    keys: &FleetKeys,
    source: &Source,
    rows: &[Observed],
    manifest: &mut Manifest,
) -> Result<(), WriteError> {
    let lines = rows
        .iter()
        .map(|row| line(keys, row))
        .collect::<Result<Vec<_>, _>>()?;
    let packed = pack(&vault.key, keys, &lines)?;
    let bytes: Bytes = packed.bytes;
    vault
        .stores
        .put(&chunk_path(&source.fleet, &packed.entry.name), bytes)
        .await?;
    manifest.record_count += packed.entry.record_count;
    manifest.chunks.push(packed.entry);
    Ok(())
}

fn line(keys: &FleetKeys, row: &Observed) -> Result<Line, KeyError> {
    Ok(Line {
        device_id: row.device_id.clone(),
        incarnation: row.incarnation,
        record: row.record.clone(),
        credentials: keys.open(&row.device_id, &row.sealed)?,
    })
}
