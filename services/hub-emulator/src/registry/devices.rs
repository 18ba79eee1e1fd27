//! Writes of device identities and device twins.

use hubshift_azure::etag::IfMatch;
use hubshift_azure::{Device, ErrorCode};
use serde_json::Value;
use time::OffsetDateTime;

use super::{IdentityBody, Record, Registry, TwinChange, TwinWrite, identity, scope};
use crate::answer::Refusal;

impl Registry {
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

    /// PATCH or PUT of a twin.
    pub(crate) fn write_twin(
        &mut self,
        id: &str,
        change: TwinChange,
        how: TwinWrite,
        if_match: &IfMatch,
    ) -> Result<(Value, String), Refusal> {
        let old = self.get(id)?;
        old.check_twin_etag(if_match)?;
        let twin = old.twin.written(change, how, OffsetDateTime::now_utc())?;
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
        let place = scope::place(&self.records, id, None, &body, &mut self.marks)?;
        identity::created(id, body, place, twin, &mut self.marks)
    }

    /// The record of a device with another identity. Nothing is stored.
    pub(crate) fn updated(
        &mut self,
        id: &str,
        body: IdentityBody,
        if_match: &IfMatch,
    ) -> Result<Record, Refusal> {
        let old: &Record = self
            .records
            .get(id)
            .ok_or_else(|| Refusal::device_not_found(id))?;
        old.check_etag(if_match)?;
        let place = scope::place(&self.records, id, Some(old), &body, &mut self.marks)?;
        identity::updated(old, body, place, &mut self.marks)
    }

    /// Puts a device under a parent and leaves everything else of it as it is: for seeds, whose
    /// devices are made before their parents' scopes are known.
    pub(crate) fn attach(&mut self, id: &str, parent_scope: &str) -> Result<(), Refusal> {
        let old: &Record = self
            .records
            .get(id)
            .ok_or_else(|| Refusal::device_not_found(id))?;
        let place = scope::under(&self.records, old, parent_scope, &mut self.marks)?;
        let record = old.at(place);
        self.commit(record)
    }

    /// Puts a device under a parent that is not there any more: for seeds, too.
    pub(crate) fn orphan(&mut self, id: &str, parent_scope: &str) -> Result<(), Refusal> {
        let old = self.get(id)?;
        let record = old.at(scope::orphaned(old, parent_scope)?);
        self.commit(record)
    }
}
