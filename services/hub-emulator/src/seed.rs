//! Filling an empty registry from an export file: all of it or nothing.
//!
//! The lines may come in any order: devices are made first, then put under their parents, then
//! their modules are made. Edge devices get scopes of this hub, as in every hub, and the scopes
//! that the file's other lines name are read as those of the same devices here. A device whose
//! parent is not in the file keeps the scope that the parent had: it had outlived its parent.

pub(crate) mod configurations;

use std::collections::HashMap;
use std::path::Path;

use hubshift_azure::export_line::{self, ExportFile, LineError};
use hubshift_azure::{ExportImportDevice, ImportMode};
use serde::Deserialize;
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
    let text = text(path)?;
    let file = export_line::parse_file(&text).map_err(|errors| refused(path, errors))?;
    if file.notice.is_some() {
        warn!("the seed file was exported without keys: devices get new ones");
    }
    let mut seed = Seed::new(marks, options.clone());
    seed.sow(&lines(&text, &file));
    seed.harvest().map_err(|errors| refused(path, errors))
}

fn text(path: &Path) -> Result<String, StartError> {
    std::fs::read_to_string(path).map_err(|source| StartError::File {
        path: path.to_owned(),
        what: "the seed file cannot be read",
        source,
    })
}

fn refused(path: &Path, errors: Vec<LineError>) -> StartError {
    StartError::Seed {
        path: path.to_owned(),
        errors,
    }
}

/// A line of the file that is a device or a module.
#[derive(Clone, Copy)]
struct Line<'a> {
    number: usize,
    text: &'a str,
    entry: &'a ExportImportDevice,
}

fn lines<'a>(text: &'a str, file: &'a ExportFile) -> Vec<Line<'a>> {
    let notices = usize::from(file.notice.is_some());
    let is_entry = |(line, text): &(usize, &str)| *line > notices && !text.trim().is_empty();
    (1..)
        .zip(text.lines())
        .filter(is_entry)
        .zip(&file.devices)
        .map(|((number, text), entry)| Line {
            number,
            text,
            entry,
        })
        .collect()
}

/// A registry that is being filled.
struct Seed {
    registry: Registry,
    /// The scopes that Edge devices have here, by those that they have in the file.
    scopes: HashMap<String, String>,
    /// How many devices have a parent that is not in the file.
    orphans: usize,
    errors: Vec<LineError>,
}

impl Seed {
    fn new(marks: Marks, options: RegistryOptions) -> Self {
        Self {
            registry: Registry::new(Records::new(), None, marks).with_options(options),
            scopes: HashMap::new(),
            orphans: 0,
            errors: Vec::new(),
        }
    }

    fn sow(&mut self, lines: &[Line<'_>]) {
        let (modules, devices): (Vec<_>, Vec<_>) = lines
            .iter()
            .copied()
            .partition(|line| line.entry.module_id.is_some());
        self.each(&devices, Self::device);
        self.each(&devices, Self::attach);
        self.each(&modules, Self::module);
    }

    fn harvest(mut self) -> Result<(Records, Marks), Vec<LineError>> {
        if self.errors.is_empty() {
            if self.orphans > 0 {
                warn!(
                    devices = self.orphans,
                    "some parents are not in the seed file"
                );
            }
            return Ok(self.registry.into_records());
        }
        self.errors.sort_by_key(|error| error.line);
        Err(self.errors)
    }

    fn each(&mut self, lines: &[Line<'_>], step: fn(&mut Self, &Line<'_>) -> Result<(), String>) {
        for line in lines {
            if let Err(reason) = step(self, line) {
                let line = line.number;
                self.errors.push(LineError { line, reason });
            }
        }
    }

    /// The device, without a parent.
    fn device(&mut self, line: &Line<'_>) -> Result<(), String> {
        let entry = line.entry;
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
    fn attach(&mut self, line: &Line<'_>) -> Result<(), String> {
        let entry = line.entry;
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
        if let Some(ours) = self.scopes.get(theirs) {
            return self.registry.attach(&entry.id, ours).map_err(words);
        }
        let unknown = "no Edge device in the file has the scope of this device's parent";
        self.registry
            .orphan(&entry.id, theirs)
            .map_err(|_| unknown.to_owned())?;
        self.orphans += 1;
        Ok(())
    }

    fn module(&mut self, line: &Line<'_>) -> Result<(), String> {
        let entry = line.entry;
        if self.registry.get(&entry.id).is_err() {
            return Err("the module's device is not in the file".to_owned());
        }
        self.registry.apply(&created(entry)?).map_err(words)?;
        match (&entry.module_id, managed_by(line.text)?) {
            (Some(module), Some(by)) => self
                .registry
                .managed((&entry.id, module), by)
                .map_err(words),
            _ => Ok(()),
        }
    }
}

/// What a dump says of a module and an export does not.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Managed {
    managed_by: Option<String>,
}

/// Who manages the module of a line.
fn managed_by(text: &str) -> Result<Option<String>, String> {
    serde_json::from_str(text.trim_start_matches('\u{feff}'))
        .map(|managed: Managed| managed.managed_by)
        .map_err(|_| "managedBy must be a string".to_owned())
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
