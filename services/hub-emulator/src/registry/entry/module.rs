//! Entries of modules.
//!
//! The modules of the Edge runtime are in every export, and their identities are the hub's own:
//! an entry that would make or update one sets its twin and leaves its identity alone. So a
//! hub's export can be given to another hub as it is.

use hubshift_azure::ExportImportDevice;
use hubshift_azure::etag::IfMatch;
use time::OffsetDateTime;

use super::Action;
use crate::answer::Refusal;
use crate::registry::module::{is_system, system_refusal};
use crate::registry::modules::ModuleKey;
use crate::registry::{ModuleBody, ModuleRecord, Registry, TwinWrite};

pub(super) fn apply(
    registry: &mut Registry,
    entry: &ExportImportDevice,
    key: ModuleKey<'_>,
) -> Result<(), Refusal> {
    let is_there = registry.get(key.0)?.modules.contains_key(key.1);
    match Action::of(entry, is_there)? {
        Action::Create | Action::Update { .. } if is_system(key.1) && !is_there => {
            Err(system_refusal())
        }
        Action::Create if is_system(key.1) => write_twin(registry, entry, key, &IfMatch::Any),
        Action::Update { twin, .. } if is_system(key.1) => write_twin(registry, entry, key, &twin),
        Action::Create => {
            let change = registry.change(entry);
            let module = registry.created_module(key, entry.into(), change)?;
            registry.commit_module(key.0, module)
        }
        Action::Update { identity, twin } => update(registry, entry, key, (&identity, &twin)),
        Action::Delete(if_match) => registry.delete_module(key, &if_match),
        Action::UpdateTwin(if_match) => write_twin(registry, entry, key, &if_match),
    }
}

/// An entry cannot say who manages a module, so that stays as it is.
fn update(
    registry: &mut Registry,
    entry: &ExportImportDevice,
    key: ModuleKey<'_>,
    (identity, twin): (&IfMatch, &IfMatch),
) -> Result<(), Refusal> {
    let body = ModuleBody {
        managed_by: registry.module(key)?.managed_by.clone(),
        ..entry.into()
    };
    let module = registry.updated_module(key, body, identity)?;
    let change = registry.change(entry);
    if change.is_empty() {
        return registry.commit_module(key.0, module);
    }
    module.check_twin_etag(twin)?;
    let twin = module.twin.replaced(change, OffsetDateTime::now_utc())?;
    registry.commit_module(key.0, ModuleRecord { twin, ..module })
}

fn write_twin(
    registry: &mut Registry,
    entry: &ExportImportDevice,
    key: ModuleKey<'_>,
    if_match: &IfMatch,
) -> Result<(), Refusal> {
    let change = registry.change(entry);
    registry
        .write_module_twin(key, change, TwinWrite::Replace, if_match)
        .map(|_| ())
}
