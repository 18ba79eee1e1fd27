//! Filling an empty registry from an export file: all of it or nothing.
//!
//! The lines may come in any order: devices are made first, then put under their parents, then
//! their modules are made. Edge devices get scopes of this hub, as in every hub, and the scopes
//! that the file's other lines name are read as those of the same devices here.

use std::collections::HashMap;
use std::path::Path;

use hubshift_azure::export_line::{self, ExportFile, LineError};
use hubshift_azure::{ExportImportDevice, ImportMode};
use tracing::warn;

use crate::answer::Refusal;
use crate::journal::Records;
use crate::options::RegistryOptions;
use crate::registry::{Marks, Registry};
use crate::start_error::StartError;

/// The records that an export file makes.
pub(crate) fn load(
    path: &Path,
    marks: Marks,
    options: &RegistryOptions,
) -> Result<(Records, Marks), StartError> {
    let text = std::fs::read_to_string(path).map_err(|source| StartError::File {
        path: path.to_owned(),
        what: "the seed file cannot be read",
        source,
    })?;
    let wrong = |errors| StartError::Seed {
        path: path.to_owned(),
        errors,
    };
    let file = export_line::parse_file(&text).map_err(wrong)?;
    if file.notice.is_some() {
        warn!("the seed file was exported without keys: devices get new ones");
    }
    let mut seed = Seed::new(marks, options.clone());
    seed.sow(&numbered(&text, &file));
    seed.harvest().map_err(wrong)
}

/// The devices and modules with the numbers of their lines.
fn numbered<'a>(text: &'a str, file: &'a ExportFile) -> Vec<(usize, &'a ExportImportDevice)> {
    let notices = usize::from(file.notice.is_some());
    let is_entry = |(line, text): &(usize, &str)| *line > notices && !text.trim().is_empty();
    (1..)
        .zip(text.lines())
        .filter(is_entry)
        .map(|(line, _)| line)
        .zip(&file.devices)
        .collect()
}

/// A registry that is being filled.
struct Seed {
    registry: Registry,
    /// The scopes that Edge devices have here, by those that they have in the file.
    scopes: HashMap<String, String>,
    errors: Vec<LineError>,
}

impl Seed {
    fn new(marks: Marks, options: RegistryOptions) -> Self {
        Self {
            registry: Registry::new(Records::new(), None, marks).with_options(options),
            scopes: HashMap::new(),
            errors: Vec::new(),
        }
    }

    fn sow(&mut self, lines: &[(usize, &ExportImportDevice)]) {
        let (modules, devices): (Vec<_>, Vec<_>) = lines
            .iter()
            .copied()
            .partition(|(_, entry)| entry.module_id.is_some());
        self.each(&devices, Self::device);
        self.each(&devices, Self::attach);
        self.each(&modules, Self::module);
    }

    fn harvest(mut self) -> Result<(Records, Marks), Vec<LineError>> {
        if self.errors.is_empty() {
            return Ok(self.registry.into_records());
        }
        self.errors.sort_by_key(|error| error.line);
        Err(self.errors)
    }

    fn each(
        &mut self,
        lines: &[(usize, &ExportImportDevice)],
        step: fn(&mut Self, &ExportImportDevice) -> Result<(), String>,
    ) {
        for (line, entry) in lines {
            if let Err(reason) = step(self, entry) {
                self.errors.push(LineError {
                    line: *line,
                    reason,
                });
            }
        }
    }

    /// The device, without a parent.
    fn device(&mut self, entry: &ExportImportDevice) -> Result<(), String> {
        let alone = ExportImportDevice {
            device_scope: None,
            parent_scopes: None,
            ..created(entry)?
        };
        self.registry.apply(&alone).map_err(words)?;
        let made = self.registry.get(&entry.id).map_err(words)?;
        if let (Some(theirs), true) = (&entry.device_scope, made.iot_edge) {
            let ours = made.device_scope.clone().unwrap_or_default();
            self.scopes.insert(theirs.clone(), ours);
        }
        Ok(())
    }

    /// The device's parent, if it has one. A device that could not be made is told already.
    fn attach(&mut self, entry: &ExportImportDevice) -> Result<(), String> {
        let Ok(made) = self.registry.get(&entry.id) else {
            return Ok(());
        };
        let theirs = if made.iot_edge {
            match entry.parent_scopes.as_deref().unwrap_or_default() {
                [] => None,
                [parent] => Some(parent),
                _ => return Err("parentScopes has more than one parent".to_owned()),
            }
        } else {
            entry.device_scope.as_ref()
        };
        let Some(theirs) = theirs else { return Ok(()) };
        let ours = self
            .scopes
            .get(theirs)
            .ok_or("no Edge device in the file has the scope of this device's parent")?;
        self.registry.attach(&entry.id, ours).map_err(words)
    }

    fn module(&mut self, entry: &ExportImportDevice) -> Result<(), String> {
        if self.registry.get(&entry.id).is_err() {
            return Err("the module's device is not in the file".to_owned());
        }
        self.registry.apply(&created(entry)?).map_err(words)
    }
}

/// The entry as one that is to be made.
fn created(entry: &ExportImportDevice) -> Result<ExportImportDevice, String> {
    match entry.import_mode {
        None
        | Some(
            ImportMode::Create | ImportMode::CreateOrUpdate | ImportMode::CreateOrUpdateIfMatchETag,
        ) => Ok(ExportImportDevice {
            import_mode: Some(ImportMode::Create),
            ..entry.clone()
        }),
        Some(other) => Err(format!("importMode {other} has no place in a seed file")),
    }
}

fn words(refusal: Refusal) -> String {
    refusal.words
}

#[cfg(test)]
mod tests;
