//! The rows of `devices.modules`.

use serde_json::Value;

use super::{Record, Registry};

impl Registry {
    /// The twins of a device's modules, in the order of their ids.
    pub(crate) fn module_twins(&self, _record: &Record) -> Vec<Value> {
        // Records have no modules.
        Vec::new()
    }
}
