//! What an export shows, stored as seen: identities, twins and keys of what jobs made, without a
//! call for any of them.
//!
//! An export has no generation ids and no versions: what is stored has none either
//! ([`UNREAD`]), until somebody reads the device. What is stored already is more, and stays.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use hubshift_domain::id::is_device;
use hubshift_flow::StepError;
use hubshift_hub::{Exported, HubDevice, export_line};
use hubshift_store::{StoreError, commit};
use time::OffsetDateTime;

use super::Run;
use super::place::Stage;
use crate::jobs::{self, FilesError, export_blob};
use crate::observe::{self, Observed};
use crate::pass::Pass;
use crate::seal::FleetKeys;
use crate::store;
use crate::store::incarnation::UNREAD;
use crate::store::seed::Unseen;
use crate::workflows::trouble::Turn;

/// Devices that are stored together.
const BATCH: usize = 500;

/// What was read, by id.
type Batch = BTreeMap<String, Exported>;

impl Pass {
    /// The whole export.
    pub(super) async fn observe(&mut self, run: &Run<'_>) -> Result<Turn, StepError> {
        // The hub read everything after it was asked to.
        let Some(read_time) = run.row.call_time else {
            self.seed.stage = Stage::Clean;
            return Ok(Turn::More);
        };
        let keys = run.cx.deps.keys(run.cx.fleet).await?;
        let mut made = 0;
        let read = self.read_export(run, &keys, read_time, &mut made).await;
        self.created += made;
        metrics::counter!("hubshift_seeded_devices_total").increment(made);
        if let Err(error) = read {
            return self.files_failed(run, error, true);
        }
        tracing::info!(fleet = %run.cx.fleet, hub = %self.target, made, "made by import jobs");
        self.seed.after.clear();
        self.seed.stage = Stage::Base;
        Ok(Turn::Pause(Duration::ZERO))
    }

    async fn read_export(
        &self,
        run: &Run<'_>,
        keys: &FleetKeys,
        read_time: OffsetDateTime,
        made: &mut u64,
    ) -> Result<(), FilesError> {
        let container = jobs::container(&run.row.container_ref)?;
        let blob = export_blob(run.row.job_id);
        let Some(mut lines) = container.lines(&blob).await? else {
            tracing::warn!(hub = %self.target, blob, "the export is not there");
            return Ok(());
        };
        let (mut batch, mut damaged) = (Batch::new(), 0_u64);
        while let Some(line) = lines.next().await {
            match export_line(&line?) {
                Ok(Some(found)) if is_device(&found.identity.device_id) => {
                    batch.insert(found.identity.device_id.clone(), found);
                }
                Ok(_) => {}
                Err(_) => damaged += 1,
            }
            if batch.len() == BATCH {
                let full = std::mem::take(&mut batch);
                *made += self.store_seen(run, keys, read_time, full).await?;
            }
        }
        *made += self.store_seen(run, keys, read_time, batch).await?;
        if damaged > 0 {
            tracing::warn!(hub = %self.target, damaged, "lines of the export are no devices");
        }
        Ok(())
    }

    /// Stores what no row knows of yet; how many of them are as the authority has them.
    async fn store_seen(
        &self,
        run: &Run<'_>,
        keys: &FleetKeys,
        read_time: OffsetDateTime,
        batch: Batch,
    ) -> Result<u64, StoreError> {
        let (pool, fleet) = (&run.cx.deps.pool, run.cx.fleet.as_str());
        let (source, target) = (self.source.as_str(), self.target.as_str());
        store::import_job::touch(pool, run.row.job_id).await?;
        let ids: Vec<String> = batch.keys().cloned().collect();
        let unseen = store::seed::unseen(pool, fleet, source, target, &ids).await?;
        let (rows, equal) = rows(keys, read_time, batch, &unseen);
        if rows.is_empty() {
            return Ok(0);
        }
        let devices: Vec<String> = rows.iter().map(|row| row.device_id.clone()).collect();
        let lives: Vec<i32> = rows
            .iter()
            .map(|row| i32::try_from(row.incarnation).unwrap_or(i32::MAX))
            .collect();
        let mut tx = pool.begin().await?;
        store::incarnation::set_unread(&mut *tx, fleet, target, &devices, &lives).await?;
        store::observed::upsert(&mut *tx, fleet, target, None, &rows).await?;
        commit(tx).await?;
        Ok(equal)
    }
}

/// The rows of those that are asked for, and how many of them are as the authority has them. The
/// copy is the life that it is a copy of.
fn rows(
    keys: &FleetKeys,
    read_time: OffsetDateTime,
    batch: Batch,
    unseen: &[Unseen],
) -> (Vec<Observed>, u64) {
    let unseen: HashMap<&str, &Unseen> = unseen
        .iter()
        .map(|unseen| (unseen.device_id.as_str(), unseen))
        .collect();
    let (mut rows, mut equal) = (Vec::new(), 0);
    for (id, found) in batch {
        let Some(at_source) = unseen.get(id.as_str()) else {
            continue;
        };
        let life = u32::try_from(at_source.incarnation).unwrap_or(1);
        let Some(row) = seen(keys, life, found, read_time) else {
            continue;
        };
        equal += u64::from(row.fingerprint.0[..] == at_source.fingerprint[..]);
        rows.push(row);
    }
    (rows, equal)
}

/// A row without a generation; nothing where the export has no etags, which later writes need.
fn seen(
    keys: &FleetKeys,
    life: u32,
    found: Exported,
    read_time: OffsetDateTime,
) -> Option<Observed> {
    let device = HubDevice {
        identity: found.identity,
        tags: found.tags,
        desired: found.desired,
        generation_id: UNREAD.to_owned(),
        identity_etag: found.identity_etag?,
        twin_etag: found.twin_etag?,
        twin_version: 0,
        desired_version: 0,
    };
    // Without randomness nothing can be sealed; the next scan stores what is there.
    observe::observed(keys, life, &device, read_time).ok()
}

#[cfg(test)]
mod tests {
    use hubshift_hub::{Credentials, Identity, Secret};
    use serde_json::json;

    use super::*;
    use crate::seal::tests::keys;

    fn exported(id: &str, site: &str) -> (String, Exported) {
        let identity = Identity {
            device_id: id.to_owned(),
            enabled: true,
            status_reason: None,
            credentials: Credentials::Sas {
                primary: Secret::new("Y2FuYXJ5"),
                secondary: Secret::new("Y2FuYXJ5Mg=="),
            },
            iot_edge: false,
            parent: None,
            managed_by: None,
        };
        let found = Exported {
            identity,
            tags: json!({"site": site}).as_object().unwrap().clone(),
            desired: serde_json::Map::new(),
            identity_etag: Some("MQ==".into()),
            twin_etag: Some("AAAAAAAAAAE=".into()),
        };
        (id.to_owned(), found)
    }

    fn unseen(keys: &FleetKeys, id: &str, site: &str, incarnation: i32) -> Unseen {
        let (_, found) = exported(id, site);
        let row = seen(keys, 1, found, OffsetDateTime::UNIX_EPOCH).unwrap();
        Unseen {
            device_id: id.to_owned(),
            incarnation,
            fingerprint: row.fingerprint.0.to_vec(),
        }
    }

    #[test]
    fn copies_are_stored_as_the_life_of_the_original_and_counted_when_they_are_equal() {
        let keys = keys(5);
        let known = [unseen(&keys, "a", "x", 3), unseen(&keys, "b", "x", 1)];
        let batch = Batch::from([exported("a", "x"), exported("b", "y"), exported("c", "x")]);
        let (rows, equal) = rows(&keys, OffsetDateTime::UNIX_EPOCH, batch, &known);
        let stored: Vec<_> = rows
            .iter()
            .map(|row| (row.device_id.as_str(), row.incarnation))
            .collect();
        // What nobody asks for, or has a row already, is left alone.
        assert_eq!((stored, equal), (vec![("a", 3), ("b", 1)], 1));
        assert!(rows.iter().all(|row| row.generation_id == UNREAD));
        let opened = keys.open("a", &rows[0].sealed).unwrap();
        assert_eq!(opened, exported("a", "x").1.identity.credentials);
    }

    #[test]
    fn what_has_no_etag_is_left_to_be_read() {
        let keys = keys(5);
        let (_, mut found) = exported("a", "x");
        found.twin_etag = None;
        assert!(seen(&keys, 1, found, OffsetDateTime::UNIX_EPOCH).is_none());
    }
}
