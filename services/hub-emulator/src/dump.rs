//! Writing the registry as export files, keys included: what seeds can be made of again.
//!
//! Lines are those of export jobs. A module's says besides who manages it: no export of the real
//! hub does, importers pass it over, and a seed reads it.

use std::io::{self, Write};

use hubshift_azure::ExportImportDevice;
use serde::Serialize;

use crate::registry::{Record, Registry};

/// A line of a device or of a module.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    #[serde(flatten)]
    entry: ExportImportDevice,
    #[serde(skip_serializing_if = "Option::is_none")]
    managed_by: Option<&'a str>,
}

/// Writes all devices and modules, one a line.
pub(crate) fn devices(registry: &Registry, out: &mut impl Write) -> io::Result<()> {
    for record in registry.snapshot() {
        device(&record, out)?;
    }
    Ok(())
}

/// Writes a device and its modules, one a line.
pub(crate) fn device(record: &Record, out: &mut impl Write) -> io::Result<()> {
    for entry in record.entries() {
        let module = entry.module_id.as_deref();
        let module = module.and_then(|id| record.modules.get(id));
        let managed_by = module.and_then(|module| module.managed_by.as_deref());
        line(&Line { entry, managed_by }, out)?;
    }
    Ok(())
}

/// Writes all configurations, one a line.
pub(crate) fn configurations(registry: &Registry, out: &mut impl Write) -> io::Result<()> {
    for configuration in registry.configurations() {
        line(configuration, out)?;
    }
    Ok(())
}

fn line(value: &impl Serialize, out: &mut impl Write) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use hubshift_azure::export_line;

    use super::*;
    use crate::journal::Records;
    use crate::registry::{Marks, ModuleBody, sample};

    #[test]
    fn every_entry_has_a_line_that_can_be_read() {
        let records = ["b", "a"].map(|id| (id.to_owned(), Arc::new(sample(id))));
        let mut registry = Registry::new(Records::from(records), None, Marks::new().unwrap());
        let body = ModuleBody::default();
        registry.put_module(("a", "m"), body, None).unwrap();
        registry.managed(("a", "m"), "me".to_owned()).unwrap();
        let mut out = Vec::new();
        devices(&registry, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let file = export_line::parse_file(&text).unwrap();
        let ids: Vec<_> = file.devices.iter().map(|entry| &entry.id).collect();
        assert_eq!(ids, ["a", "a", "b"]);
        let module = text.lines().nth(1).unwrap();
        assert!(module.ends_with(r#","managedBy":"me"}"#), "{module}");
        assert_eq!(text.matches("managedBy").count(), 1);
    }
}
