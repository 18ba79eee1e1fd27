//! The devices and configurations that the hub knows.
//!
//! Owns the records, their journal and what devices did lately. A change is computed as a new
//! record first, written to the journal second and seen by readers last: nobody sees what a
//! crash would take back.
//!
//! Keeps true: a record of a device, its modules included, changes in `commit` and goes in
//! `delete_device`, and nowhere else.

mod activity;
mod authentication;
mod configuration;
mod configurations;
mod content;
mod devices;
mod echo;
mod entry;
mod identity;
mod key_rotation;
mod marks;
mod module;
mod modules;
mod queries;
mod record;
mod scope;
mod seen;
mod twin_state;

use std::collections::HashMap;
use std::ops::Bound;
use std::sync::Arc;
use std::time::Instant;

use hubshift_azure::etag::IfMatch;
use hubshift_azure::{Device, ErrorCode, RegistryStatistics, ServiceStatistics, Status};
use serde_json::Value;
use time::OffsetDateTime;
use tracing::error;

use crate::answer::Refusal;
use crate::journal::{Configurations, Journal, Records};
use crate::options::RegistryOptions;

pub(crate) use activity::Activity;
pub(crate) use configuration::test_queries;
use echo::Echo;
pub(crate) use identity::IdentityBody;
pub(crate) use marks::Marks;
pub(crate) use module::{ModuleBody, ModuleRecord};
pub(crate) use queries::QuerySettings;
pub(crate) use record::Record;
#[cfg(test)]
pub(crate) use record::sample;
pub(crate) use seen::Seen;
pub(crate) use twin_state::TwinChange;

/// How a twin is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TwinWrite {
    /// PATCH: merge.
    Patch,
    /// PUT: replace tags and desired.
    Replace,
}

/// All devices and configurations of the hub.
pub(crate) struct Registry {
    records: Records,
    configurations: Configurations,
    activities: HashMap<String, Activity>,
    journal: Option<Journal>,
    marks: Marks,
    options: RegistryOptions,
    queries: QuerySettings,
    echo: Echo,
}

impl Registry {
    /// A registry without configurations that behaves as it does when nothing is said.
    pub(crate) fn new(records: Records, journal: Option<Journal>, marks: Marks) -> Self {
        Self {
            records,
            configurations: Configurations::new(),
            activities: HashMap::new(),
            journal,
            marks,
            options: RegistryOptions::default(),
            queries: QuerySettings::default(),
            echo: Echo::default(),
        }
    }

    /// The same with these configurations.
    pub(crate) fn with_configurations(self, configurations: Configurations) -> Self {
        Self {
            configurations,
            ..self
        }
    }

    /// The same, behaving so.
    pub(crate) fn with_options(self, options: RegistryOptions) -> Self {
        Self { options, ..self }
    }

    /// How it behaves.
    pub(crate) fn options(&self) -> &RegistryOptions {
        &self.options
    }

    /// The records, and what makes the next marks.
    pub(crate) fn into_records(self) -> (Records, Marks) {
        (self.records, self.marks)
    }

    /// The configurations, and what makes the next marks.
    pub(crate) fn into_configurations(self) -> (Configurations, Marks) {
        (self.configurations, self.marks)
    }

    pub(crate) fn get(&self, id: &str) -> Result<&Record, Refusal> {
        self.records
            .get(id)
            .map(Arc::as_ref)
            .ok_or_else(|| Refusal::device_not_found(id))
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

    /// Holds a device connected, or not, whatever messages come; forgotten when the process ends.
    pub(crate) fn order_connection(&mut self, id: &str, connected: bool) -> Result<(), Refusal> {
        self.get(id)?;
        let now = OffsetDateTime::now_utc();
        self.activities
            .entry(id.to_owned())
            .or_insert_with(|| Activity::none(now))
            .order(connected, now);
        Ok(())
    }

    /// DELETE of an identity, its twin and its modules.
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

    /// Stores a record.
    pub(crate) fn commit(&mut self, record: Record) -> Result<(), Refusal> {
        if let Some(journal) = &mut self.journal {
            journal.put(&record).map_err(not_written)?;
        }
        let id = record.device_id.clone();
        self.echo.note(&id, self.records.get(&id));
        self.records.insert(id, Arc::new(record));
        Ok(())
    }

    /// How many devices there are. The counts lag as queries do.
    pub(crate) fn statistics(&self) -> RegistryStatistics {
        let mut counts = RegistryStatistics::default();
        let now = Instant::now();
        for record in self.echo.view(&self.records, Bound::Unbounded, now) {
            counts.total_device_count += 1;
            match record.status {
                Status::Enabled => counts.enabled_device_count += 1,
                Status::Disabled => counts.disabled_device_count += 1,
            }
        }
        counts
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
