//! Reading devices by their ids, a chunk at a time, and storing what the hub said.

use futures::{StreamExt as _, TryStreamExt as _};
use hubshift_flow::StepError;
use hubshift_hub::{HubDevice, HubError};
use hubshift_store::{StoreError, commit};
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::{CONCURRENCY, Scan, Work};
use crate::observe::{self, Observed};
use crate::store;
use crate::workflows::trouble::Turn;

/// How many names of devices are kept as evidence.
const SAMPLE: usize = 10;

impl Scan {
    /// Reads these devices and stores what the hub holds, or that it does not have them.
    pub(super) async fn read(
        &mut self,
        work: &Work<'_>,
        devices: Vec<String>,
    ) -> Result<Turn, StepError> {
        if devices.is_empty() {
            return Ok(Turn::More);
        }
        self.calls += devices.len() as u64;
        let read_time = store::authority::now(&work.cx.deps.pool).await?;
        let read = match get_all(work, devices).await {
            Ok(read) => read,
            Err(error) => return work.failed(error),
        };
        let (mut found, mut gone) = (Vec::new(), Vec::new());
        for (id, device) in read {
            match device {
                Some(device) => found.push(device),
                None => gone.push(id),
            }
        }
        self.store(work, &found, &gone, read_time).await?;
        Ok(Turn::More)
    }

    async fn store(
        &mut self,
        work: &Work<'_>,
        found: &[HubDevice],
        gone: &[String],
        read_time: OffsetDateTime,
    ) -> Result<(), StepError> {
        let (fleet, hub) = (work.cx.fleet.as_str(), self.hub.as_str());
        let devices: Vec<String> = found
            .iter()
            .map(|device| device.identity.device_id.clone())
            .collect();
        let mut tx = work.cx.deps.pool.begin().await.map_err(StoreError::from)?;
        let older = older(&mut tx, fleet, hub, &devices, found, read_time).await?;
        if !older.is_empty() {
            // Before the rows that prove it are overwritten.
            store::scan::open(&mut *tx, &self.new_row(work)).await?;
            store::scan::mark_rewound(&mut *tx, self.scan_id).await?;
        }
        let rows = self.rows(&mut tx, work, &devices, found, read_time).await?;
        store::observed::upsert(&mut *tx, fleet, hub, Some(self.scan_id), &rows).await?;
        store::observed::mark_seen(&mut *tx, fleet, hub, self.scan_id, &devices).await?;
        store::observed::mark_missing(&mut *tx, fleet, hub, self.scan_id, gone, read_time).await?;
        commit(tx).await?;
        self.rewind.older += older.len() as u64;
        let room = SAMPLE.saturating_sub(self.rewind.older_sample.len());
        self.rewind
            .older_sample
            .extend(older.into_iter().take(room));
        Ok(())
    }

    async fn rows(
        &self,
        connection: &mut PgConnection,
        work: &Work<'_>,
        devices: &[String],
        found: &[HubDevice],
        read_time: OffsetDateTime,
    ) -> Result<Vec<Observed>, StepError> {
        let (fleet, hub) = (work.cx.fleet.as_str(), self.hub.as_str());
        let generations: Vec<String> = found
            .iter()
            .map(|device| device.generation_id.clone())
            .collect();
        let incarnations =
            store::incarnation::resolve(connection, fleet, hub, devices, &generations).await?;
        let rows = found.iter().zip(incarnations).map(|(device, incarnation)| {
            let incarnation = u32::try_from(incarnation).unwrap_or(1);
            observe::observed(&work.keys, incarnation, device, read_time)
        });
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

/// Devices that were seen with a higher twin version in the same life.
async fn older(
    connection: &mut PgConnection,
    fleet: &str,
    hub: &str,
    devices: &[String],
    found: &[HubDevice],
    read_time: OffsetDateTime,
) -> Result<Vec<String>, StoreError> {
    let generations: Vec<String> = found
        .iter()
        .map(|device| device.generation_id.clone())
        .collect();
    let versions: Vec<i64> = found.iter().map(|device| device.twin_version).collect();
    store::observed::rewound_by(
        connection,
        fleet,
        hub,
        devices,
        &generations,
        &versions,
        read_time,
    )
    .await
}

async fn get_all(
    work: &Work<'_>,
    devices: Vec<String>,
) -> Result<Vec<(String, Option<HubDevice>)>, HubError> {
    let calls = devices.into_iter().map(|id| {
        let hub = work.hub.clone();
        async move {
            let device = hub.get(&id).await.into_result()?;
            Ok::<_, HubError>((id, device))
        }
    });
    futures::stream::iter(calls)
        .buffer_unordered(CONCURRENCY)
        .try_collect()
        .await
}
