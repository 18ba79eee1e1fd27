//! The devices that the hub knows.
//!
//! Owns the records, their journal and what devices did lately. A change is computed as a new
//! record first, written to the journal second and seen by readers last: nobody sees what a
//! crash would take back.

mod activity;
mod echo;
mod entry;
mod identity;
mod marks;
mod module_twins;
mod record;
mod twin_state;

use std::collections::HashMap;
use std::ops::Bound;

use hubshift_azure::etag::IfMatch;
use hubshift_azure::{Device, ErrorCode, RegistryStatistics, ServiceStatistics, Status};
use serde_json::Value;
use time::OffsetDateTime;
use tracing::error;

use crate::answer::Refusal;
use crate::journal::{Journal, Records};

pub(crate) use activity::Activity;
use echo::Echo;
pub(crate) use identity::{IdentityBody, created};
pub(crate) use marks::Marks;
pub(crate) use record::Record;
#[cfg(test)]
pub(crate) use record::sample;
pub(crate) use twin_state::TwinChange;

/// How a twin is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TwinWrite {
    /// PATCH: merge.
    Patch,
    /// PUT: replace tags and desired.
    Replace,
}

/// All devices of the hub.
pub(crate) struct Registry {
    records: Records,
    activities: HashMap<String, Activity>,
    journal: Option<Journal>,
    marks: Marks,
    echo: Echo,
}

impl Registry {
    pub(crate) fn new(records: Records, journal: Option<Journal>, marks: Marks) -> Self {
        Self {
            records,
            activities: HashMap::new(),
            journal,
            marks,
            echo: Echo::default(),
        }
    }

    pub(crate) fn get(&self, id: &str) -> Result<&Record, Refusal> {
        self.records
            .get(id)
            .ok_or_else(|| Refusal::device_not_found(id))
    }

    /// Records in the order of their ids, from after this one.
    pub(crate) fn after(&self, id: Option<&str>) -> impl Iterator<Item = &Record> {
        let start = id.map_or(Bound::Unbounded, Bound::Excluded);
        self.records
            .range::<str, _>((start, Bound::Unbounded))
            .map(|(_, record)| record)
    }

    /// The identity as the hub shows it.
    pub(crate) fn device(&self, record: &Record) -> Device {
        record.device(self.activity(&record.device_id), OffsetDateTime::now_utc())
    }

    /// The twin as the hub shows it.
    pub(crate) fn twin(&self, record: &Record) -> Value {
        record.twin(self.activity(&record.device_id), OffsetDateTime::now_utc())
    }

    pub(crate) fn activity(&self, id: &str) -> Option<&Activity> {
        self.activities.get(id)
    }

    /// Counts a message of a device.
    pub(crate) fn note_message(&mut self, id: &str) {
        let now = OffsetDateTime::now_utc();
        self.activities
            .entry(id.to_owned())
            .and_modify(|activity| activity.note(now))
            .or_insert_with(|| Activity::first(now));
    }

    /// PUT of an identity: without `If-Match` it must not be there, with it it must.
    pub(crate) fn put_device(
        &mut self,
        id: &str,
        body: IdentityBody,
        if_match: Option<&IfMatch>,
    ) -> Result<Device, Refusal> {
        let record = match if_match {
            None => self.created(id, body, TwinChange::default())?,
            Some(if_match) => self.updated(id, body, if_match)?,
        };
        let device = self.device(&record);
        self.commit(record)?;
        Ok(device)
    }

    /// DELETE of an identity and its twin.
    pub(crate) fn delete_device(&mut self, id: &str, if_match: &IfMatch) -> Result<(), Refusal> {
        self.get(id)?.check_etag(if_match)?;
        if let Some(journal) = &mut self.journal {
            journal.delete(id).map_err(not_written)?;
        }
        self.echo.note(id, self.records.get(id));
        self.records.remove(id);
        self.activities.remove(id);
        Ok(())
    }

    /// PATCH or PUT of a twin.
    pub(crate) fn write_twin(
        &mut self,
        id: &str,
        change: TwinChange,
        write: TwinWrite,
        if_match: &IfMatch,
    ) -> Result<(Value, String), Refusal> {
        let old = self.get(id)?;
        old.check_twin_etag(if_match)?;
        let now = OffsetDateTime::now_utc();
        let twin = match write {
            TwinWrite::Patch => old.twin.patched(change, now)?,
            TwinWrite::Replace => old.twin.replaced(change, now)?,
        };
        let record = Record {
            twin,
            ..old.clone()
        };
        let shown = (self.twin(&record), record.twin.etag());
        self.commit(record)?;
        Ok(shown)
    }

    /// The record of a device that is not there yet. Nothing is stored.
    pub(crate) fn created(
        &mut self,
        id: &str,
        body: IdentityBody,
        twin: TwinChange,
    ) -> Result<Record, Refusal> {
        if self.records.contains_key(id) {
            let words = format!("A device with ID '{id}' is already registered.");
            return Err(Refusal::new(ErrorCode::DeviceAlreadyExists, words));
        }
        identity::created(id, body, twin, &mut self.marks)
    }

    /// The record of a device with another identity. Nothing is stored.
    pub(crate) fn updated(
        &mut self,
        id: &str,
        body: IdentityBody,
        if_match: &IfMatch,
    ) -> Result<Record, Refusal> {
        let old = self
            .records
            .get(id)
            .ok_or_else(|| Refusal::device_not_found(id))?;
        old.check_etag(if_match)?;
        identity::updated(old, body, &mut self.marks)
    }

    /// Stores a record.
    pub(crate) fn commit(&mut self, record: Record) -> Result<(), Refusal> {
        if let Some(journal) = &mut self.journal {
            journal.put(&record).map_err(not_written)?;
        }
        let id = &record.device_id;
        self.echo.note(id, self.records.get(id));
        self.records.insert(record.device_id.clone(), record);
        Ok(())
    }

    pub(crate) fn statistics(&self) -> RegistryStatistics {
        let total = self.records.len() as i64;
        let is_enabled = |record: &&Record| record.status == Status::Enabled;
        let enabled = self.records.values().filter(is_enabled).count() as i64;
        RegistryStatistics {
            total_device_count: total,
            enabled_device_count: enabled,
            disabled_device_count: total - enabled,
        }
    }

    pub(crate) fn service_statistics(&self) -> ServiceStatistics {
        let now = OffsetDateTime::now_utc();
        let connected = self
            .activities
            .values()
            .filter(|seen| seen.is_connected(now))
            .count();
        ServiceStatistics {
            connected_device_count: connected as i64,
        }
    }
}

fn not_written(error: std::io::Error) -> Refusal {
    error!(%error, "the data file cannot be written");
    Refusal::new(ErrorCode::ServerError, "the data file cannot be written")
}
