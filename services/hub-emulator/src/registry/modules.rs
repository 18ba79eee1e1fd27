//! Reads and writes of module identities and module twins.
//!
//! A module is part of its device's record, so every write of one is a commit of that record.

use hubshift_azure::etag::IfMatch;
use hubshift_azure::{ErrorCode, Module};
use serde_json::Value;
use time::OffsetDateTime;

use super::module::{is_system, system_refusal};
use super::{ModuleBody, ModuleRecord, Record, Registry, TwinChange, TwinWrite};
use crate::answer::Refusal;

/// The most modules that a device has, those of the Edge runtime among them.
const MAX_MODULES: usize = 50;

/// A module by its device's id and its own.
pub(crate) type ModuleKey<'a> = (&'a str, &'a str);

impl Registry {
    pub(crate) fn module(&self, (id, module_id): ModuleKey<'_>) -> Result<&ModuleRecord, Refusal> {
        self.get(id)?.modules.get(module_id).ok_or_else(|| {
            // The real hub's words for a missing device are its id; a module has two.
            Refusal::new(ErrorCode::ModuleNotFound, format!("{id}/{module_id}"))
        })
    }

    /// PUT of an identity: without `If-Match` it must not be there, with it it must.
    pub(crate) fn put_module(
        &mut self,
        key: ModuleKey<'_>,
        body: ModuleBody,
        if_match: Option<&IfMatch>,
    ) -> Result<Module, Refusal> {
        let module = match if_match {
            None => self.created_module(key, body, TwinChange::default())?,
            Some(if_match) => self.updated_module(key, body, if_match)?,
        };
        let identity = module.identity(key.0);
        self.commit_module(key.0, module)?;
        Ok(identity)
    }

    /// DELETE of an identity and its twin.
    pub(crate) fn delete_module(
        &mut self,
        key: ModuleKey<'_>,
        if_match: &IfMatch,
    ) -> Result<(), Refusal> {
        if is_system(key.1) {
            return Err(system_refusal());
        }
        self.module(key)?.check_etag(if_match)?;
        let mut record = self.get(key.0)?.clone();
        record.modules.remove(key.1);
        self.commit(record)
    }

    /// PATCH or PUT of a twin.
    pub(crate) fn write_module_twin(
        &mut self,
        key: ModuleKey<'_>,
        change: TwinChange,
        how: TwinWrite,
        if_match: &IfMatch,
    ) -> Result<(Value, String), Refusal> {
        let old = self.module(key)?;
        old.check_twin_etag(if_match)?;
        let twin = old.twin.written(change, how, OffsetDateTime::now_utc())?;
        let module = ModuleRecord {
            twin,
            ..old.clone()
        };
        let shown = (module.shown_twin(key.0), module.twin.etag());
        self.commit_module(key.0, module)?;
        Ok(shown)
    }

    /// Says who manages a module and leaves everything else of it as it is: for seeds, whose lines
    /// are those of exports. The hub's own modules are managed as they are.
    pub(crate) fn managed(&mut self, key: ModuleKey<'_>, by: String) -> Result<(), Refusal> {
        if is_system(key.1) {
            return Ok(());
        }
        let module = ModuleRecord {
            managed_by: Some(by),
            ..self.module(key)?.clone()
        };
        self.commit_module(key.0, module)
    }

    /// The record of a module that is not there yet. Nothing is stored.
    pub(super) fn created_module(
        &mut self,
        (id, module_id): ModuleKey<'_>,
        body: ModuleBody,
        twin: TwinChange,
    ) -> Result<ModuleRecord, Refusal> {
        let modules = &self.get(id)?.modules;
        if modules.contains_key(module_id) && !is_system(module_id) {
            let words = format!("Device {id} already contains Module {module_id}.");
            return Err(Refusal::new(ErrorCode::ModuleAlreadyExistsOnDevice, words).numbered());
        }
        check_count(modules.len() + 1)?;
        ModuleRecord::created(module_id, body, twin, &mut self.marks)
    }

    /// The record of a module with another identity. Nothing is stored.
    pub(super) fn updated_module(
        &mut self,
        key: ModuleKey<'_>,
        body: ModuleBody,
        if_match: &IfMatch,
    ) -> Result<ModuleRecord, Refusal> {
        let old = self.module(key)?.clone();
        old.check_etag(if_match)?;
        old.updated(body, &mut self.marks)
    }

    /// Stores a module with its device.
    pub(super) fn commit_module(&mut self, id: &str, module: ModuleRecord) -> Result<(), Refusal> {
        let mut record: Record = self.get(id)?.clone();
        record.modules.insert(module.module_id.clone(), module);
        self.commit(record)
    }
}

/// Whether a device may have so many modules.
pub(super) fn check_count(modules: usize) -> Result<(), Refusal> {
    if modules <= MAX_MODULES {
        return Ok(());
    }
    let words = "a device has at most 50 modules";
    Err(Refusal::new(ErrorCode::TooManyModulesOnDevice, words))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::Marks;
    use super::super::record::sample;
    use super::*;
    use crate::journal::Records;

    fn registry() -> Registry {
        let records = Records::from([("d".to_owned(), Arc::new(sample("d")))]);
        Registry::new(records, None, Marks::new().unwrap())
    }

    #[test]
    fn a_device_has_at_most_50_modules() {
        let mut registry = registry();
        for n in 0..MAX_MODULES {
            let id = format!("m{n}");
            registry
                .put_module(("d", &id), ModuleBody::default(), None)
                .unwrap();
        }
        let refusal = registry
            .put_module(("d", "more"), ModuleBody::default(), None)
            .unwrap_err();
        assert_eq!(refusal.code, ErrorCode::TooManyModulesOnDevice);
        registry.delete_module(("d", "m7"), &IfMatch::Any).unwrap();
        let body = ModuleBody::default();
        assert!(registry.put_module(("d", "more"), body, None).is_ok());
    }

    #[test]
    fn a_write_of_a_module_leaves_its_device_alone() {
        let mut registry = registry();
        registry
            .put_module(("d", "m"), ModuleBody::default(), None)
            .unwrap();
        let record = registry.get("d").unwrap();
        assert_eq!(record.etag, sample("d").etag);
        assert_eq!(record.twin, sample("d").twin);
    }
}
