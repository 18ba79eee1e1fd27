//! The rows of `devices.modules`.

use serde_json::Value;

use super::{Record, Registry};

impl Registry {
    /// The twins of a device's modules, in the order of their ids.
    pub(crate) fn module_twins(&self, record: &Record) -> Vec<Value> {
        let modules = record.modules.values();
        modules
            .map(|module| module.shown_twin(&record.device_id))
            .collect()
    }
}
