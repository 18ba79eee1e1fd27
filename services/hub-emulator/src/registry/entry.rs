//! Entries of bulk calls and import jobs: one device or module and what to do with it.
//!
//! What is common to devices and modules is here: which action a mode is. What an action does to
//! either is in a file of its own.

mod device;
mod module;

use hubshift_azure::etag::IfMatch;
use hubshift_azure::{ErrorCode, ExportImportDevice, ImportMode};

use super::{Registry, TwinChange};
use crate::answer::Refusal;

impl Registry {
    /// Carries one entry out, whole or not at all.
    pub(crate) fn apply(&mut self, entry: &ExportImportDevice) -> Result<(), Refusal> {
        match &entry.module_id {
            None => device::apply(self, entry),
            Some(module_id) => module::apply(self, entry, (&entry.id, module_id)),
        }
    }

    fn change(&self, entry: &ExportImportDevice) -> TwinChange {
        TwinChange::of_entry(entry, self.options.import_reported)
    }
}

/// What an entry asks for, given whether its identity is there.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Action {
    Create,
    /// Identity and, where the entry has any, tags and properties: one change.
    Update {
        identity: IfMatch,
        twin: IfMatch,
    },
    Delete(IfMatch),
    UpdateTwin(IfMatch),
}

impl Action {
    fn of(entry: &ExportImportDevice, is_there: bool) -> Result<Self, Refusal> {
        let update = Self::Update {
            identity: IfMatch::Any,
            twin: IfMatch::Any,
        };
        Ok(match entry.mode() {
            ImportMode::Create => Self::Create,
            ImportMode::Update => update,
            ImportMode::UpdateIfMatchETag => Self::update_if_match(entry)?,
            ImportMode::CreateOrUpdate if is_there => update,
            ImportMode::CreateOrUpdateIfMatchETag if is_there => Self::update_if_match(entry)?,
            ImportMode::CreateOrUpdate | ImportMode::CreateOrUpdateIfMatchETag => Self::Create,
            ImportMode::Delete => Self::Delete(IfMatch::Any),
            ImportMode::DeleteIfMatchETag => Self::Delete(etag(entry)?),
            ImportMode::UpdateTwin => Self::UpdateTwin(IfMatch::Any),
            ImportMode::UpdateTwinIfMatchETag => {
                Self::UpdateTwin(twin_etag(entry).ok_or_else(|| missing("twinETag"))?)
            }
        })
    }

    /// The twin's etag is looked at where the entry has one.
    fn update_if_match(entry: &ExportImportDevice) -> Result<Self, Refusal> {
        Ok(Self::Update {
            identity: etag(entry)?,
            twin: twin_etag(entry).unwrap_or(IfMatch::Any),
        })
    }
}

fn etag(entry: &ExportImportDevice) -> Result<IfMatch, Refusal> {
    entry
        .etag
        .as_deref()
        .map(IfMatch::parse)
        .ok_or_else(|| missing("eTag"))
}

fn twin_etag(entry: &ExportImportDevice) -> Option<IfMatch> {
    entry.twin_etag.as_deref().map(IfMatch::parse)
}

fn missing(field: &str) -> Refusal {
    Refusal::new(ErrorCode::ArgumentNull, format!("{field} is missing"))
}

#[cfg(test)]
mod tests;
