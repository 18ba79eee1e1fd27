//! Writing the registry as an export file, keys included: what a seed can be made of again.

use std::io::{self, Write};

use hubshift_azure::export_line;

use crate::registry::Registry;

/// Writes all devices and modules, one a line. Configurations have no place in such a file.
pub(crate) fn dump(registry: &Registry, out: &mut impl Write) -> io::Result<()> {
    for record in registry.snapshot() {
        for entry in record.entries() {
            writeln!(out, "{}", export_line::write(&entry)?)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::journal::Records;
    use crate::registry::{Marks, sample};

    #[test]
    fn every_entry_has_a_line_that_can_be_read() {
        let records = ["b", "a"].map(|id| (id.to_owned(), Arc::new(sample(id))));
        let registry = Registry::new(Records::from(records), None, Marks::new().unwrap());
        let mut out = Vec::new();
        dump(&registry, &mut out).unwrap();
        let file = export_line::parse_file(&String::from_utf8(out).unwrap()).unwrap();
        let ids: Vec<_> = file.devices.iter().map(|entry| &entry.id).collect();
        assert_eq!(ids, ["a", "b"]);
    }
}
