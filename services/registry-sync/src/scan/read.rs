//! Reading devices by their ids, a chunk at a time, and storing what the hub said.

use futures::StreamExt as _;
use hubshift_flow::StepError;
use hubshift_hub::{HubDevice, HubError, Rejection};
use hubshift_store::{StoreError, commit};
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::{CONCURRENCY, Scan, Work};
use crate::observe::{self, Observed};
use crate::store;
use crate::workflows::trouble::{Brake, Turn, is_unreadable};

/// How many names of devices are kept as evidence.
const SAMPLE: usize = 10;

/// What came of asking for devices.
#[derive(Default)]
struct Reading {
    found: Vec<HubDevice>,
    gone: Vec<String>,
    /// What the hub has and does not let be read.
    unreadable: Vec<String>,
    /// Those of them whose devices are disabled.
    out_of_reach: Vec<String>,
    /// The first device, in their order, of which nothing is known yet.
    unread: Option<String>,
    failure: Option<HubError>,
    calls: u64,
}

impl Scan {
    /// Reads these devices and stores what the hub holds, or that it does not have them. When the
    /// hub asks for a pause in between, what was read is stored, and the first device that was not
    /// is named.
    pub(super) async fn read(
        &mut self,
        work: &Work<'_>,
        devices: Vec<String>,
    ) -> Result<(Turn, Option<String>), StepError> {
        if devices.is_empty() {
            return Ok((Turn::More, None));
        }
        let read_time = store::authority::now(&work.cx.deps.pool).await?;
        let reading = get_all(work, devices).await;
        self.calls += reading.calls;
        if let Some(first) = reading.unreadable.first() {
            let (hub, count) = (self.hub.as_str(), reading.unreadable.len());
            tracing::warn!(
                hub,
                count,
                first,
                "not readable: what was last seen of them stays"
            );
        }
        if reading.has_news() {
            self.store(work, &reading, read_time).await?;
        }
        match reading.failure {
            None => Ok((Turn::More, None)),
            Some(error) => Ok((work.failed(error)?, reading.unread)),
        }
    }

    async fn store(
        &mut self,
        work: &Work<'_>,
        reading: &Reading,
        read_time: OffsetDateTime,
    ) -> Result<(), StepError> {
        let (found, gone) = (&reading.found, &reading.gone);
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
        let seen = [devices, reading.unreadable.clone()].concat();
        store::observed::mark_seen(&mut *tx, fleet, hub, self.scan_id, &seen).await?;
        store::out_of_reach::note(&mut *tx, fleet, hub, &reading.out_of_reach).await?;
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

/// Asks for devices, side by side, until one call fails.
async fn get_all(work: &Work<'_>, devices: Vec<String>) -> Reading {
    let brake = Brake::default();
    let brake = &brake;
    let calls = devices.into_iter().map(|id| {
        let hub = work.hub.clone();
        async move {
            if brake.is_pulled() {
                return (id, None);
            }
            let answer = hub.get(&id).await.into_result();
            if answer
                .as_ref()
                .is_err_and(|error| !is_unreadable(&id, error))
            {
                brake.pull();
            }
            (id, Some(answer))
        }
    });
    let calls: Vec<_> = calls.collect();
    let mut answers = futures::stream::iter(calls).buffered(CONCURRENCY);
    let mut reading = Reading::default();
    while let Some((id, answer)) = answers.next().await {
        reading.take(id, answer);
    }
    reading
}

impl Reading {
    fn has_news(&self) -> bool {
        !(self.found.is_empty() && self.gone.is_empty() && self.unreadable.is_empty())
    }

    fn take(&mut self, id: String, answer: Option<Result<Option<HubDevice>, HubError>>) {
        self.calls += u64::from(answer.is_some());
        match answer {
            Some(Ok(Some(device))) => self.found.push(device),
            Some(Ok(None)) => self.gone.push(id),
            Some(Err(error)) if is_unreadable(&id, &error) => {
                if matches!(error, HubError::Rejected(Rejection::DeviceDisabled)) {
                    self.out_of_reach.push(id.clone());
                }
                self.unreadable.push(id);
            }
            None => {
                self.unread.get_or_insert(id);
            }
            Some(Err(error)) => {
                self.unread.get_or_insert(id);
                // A hub that is only busy is the least of the troubles.
                if self.failure.as_ref().is_none_or(is_throttled) {
                    self.failure = Some(error);
                }
            }
        }
    }
}

fn is_throttled(error: &HubError) -> bool {
    matches!(error, HubError::Rejected(Rejection::Throttled { .. }))
}

#[cfg(test)]
mod tests;
