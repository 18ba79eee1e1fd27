//! What an event comes to, whichever way it came: one device or module to look at, and where the
//! hint of it is kept.

use std::collections::BTreeMap;

use hubshift_azure::device_id;
use hubshift_domain::id::{FleetId, HubId};
use hubshift_store::StoreError;
use time::OffsetDateTime;

use crate::deps::Deps;
use crate::store::hint::{self, NewHints};

/// What a hub said, and which hub it was.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct News {
    /// The hub's own name, the first label of its host.
    pub(super) hub_name: String,
    pub(super) hint: Hint,
}

/// A device or module that changed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Hint {
    /// `d` for the device `d`, `d/m` for its module `m`.
    pub(super) key: String,
    pub(super) is_deleted: bool,
    /// When it changed, by the hub's clock.
    pub(super) time: OffsetDateTime,
}

impl Hint {
    /// A hint of a device, or of one of its modules; nothing if an id is none.
    pub(super) fn new(
        device: &str,
        module: Option<&str>,
        is_deleted: bool,
        time: OffsetDateTime,
    ) -> Option<Self> {
        device_id::check(device).ok()?;
        let key = match module {
            None => device.to_owned(),
            Some(module) => {
                // Modules' ids follow the rules of devices'.
                device_id::check(module).ok()?;
                format!("{device}/{module}")
            }
        };
        Some(Self {
            key,
            is_deleted,
            time,
        })
    }
}

/// Stores hints, then wakes the sync: once it returns, nothing of them is lost.
pub(super) async fn keep(
    deps: &Deps,
    fleet: &FleetId,
    hub: &HubId,
    hints: Vec<Hint>,
) -> Result<(), StoreError> {
    if hints.is_empty() {
        return Ok(());
    }
    metrics::counter!("hubshift_registry_hints_total").increment(hints.len() as u64);
    hint::put(&deps.pool, fleet.as_str(), hub.as_str(), &latest(hints)).await?;
    deps.sync.notify_one();
    Ok(())
}

/// One hint per device or module: the latest.
fn latest(hints: Vec<Hint>) -> NewHints {
    let mut by_key: BTreeMap<String, Hint> = BTreeMap::new();
    for hint in hints {
        let is_newer = by_key
            .get(&hint.key)
            .is_none_or(|known| known.time <= hint.time);
        if is_newer {
            by_key.insert(hint.key.clone(), hint);
        }
    }
    let mut new = NewHints::default();
    for (key, hint) in by_key {
        new.devices.push(key);
        new.deleted.push(hint.is_deleted);
        new.times.push(hint.time);
    }
    new
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOON: OffsetDateTime = datetime!(2026-11-27 12:00 UTC);

    #[test]
    fn a_module_is_named_beside_its_device() {
        let key = |device, module| Hint::new(device, module, false, NOON).map(|hint| hint.key);
        assert_eq!(key("d", None).as_deref(), Some("d"));
        assert_eq!(key("d", Some("m")).as_deref(), Some("d/m"));
        assert_eq!(key("two words", None), None);
        assert_eq!(key("d", Some("m/n")), None);
        assert_eq!(key("", Some("m")), None);
    }

    #[test]
    fn of_two_events_of_a_device_the_later_one_counts() {
        let hint = |is_deleted, minute: u8| {
            let time = NOON.replace_minute(minute).unwrap();
            Hint::new("d", None, is_deleted, time).unwrap()
        };
        let hints = latest(vec![hint(true, 5), hint(false, 4)]);
        assert_eq!((hints.devices.len(), hints.deleted), (1, vec![true]));
    }
}
