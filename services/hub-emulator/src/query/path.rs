//! A field: where in a row a value stands.

use std::fmt;

use serde_json::{Map, Value};

use super::expr::Quoted;
use super::reader::is_keyword;
use super::statement::Collection;
use super::words::is_plain;

/// The name that may stand before every path.
const ROOT: &str = "devices";

/// A path into a row, never empty: `tags.site.floor`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path(Vec<String>);

impl Path {
    /// Nothing for a path without parts.
    pub(super) fn new(parts: Vec<String>) -> Option<Self> {
        (!parts.is_empty()).then_some(Self(parts))
    }

    /// A path as it stands in a query, with or without the collection's name in front:
    /// `devices.tags.site`, `devices.modules.moduleId`. Nothing if the name is that of a
    /// collection that the query does not run over: there are no joins.
    pub(super) fn within(mut parts: Vec<String>, collection: Collection) -> Option<Self> {
        let is_next = |parts: &[String], name: &str| {
            parts
                .first()
                .is_some_and(|first| first.eq_ignore_ascii_case(name))
        };
        if !is_next(&parts, ROOT) {
            return Self::new(parts);
        }
        parts.remove(0);
        for (name, inner) in [("modules", Collection::Modules), ("jobs", Collection::Jobs)] {
            if is_next(&parts, name) {
                if inner != collection {
                    return None;
                }
                parts.remove(0);
                break;
            }
        }
        Self::new(parts)
    }

    /// The last part: the name of a column that was given none.
    pub(super) fn last(&self) -> &str {
        self.0.last().map_or("", String::as_str)
    }

    /// The value in a row and the name that it has there, or nothing where it is undefined.
    pub(super) fn find<'a>(&self, row: &'a Value) -> Option<(&'a str, &'a Value)> {
        let hubs_parts = self.hubs_parts();
        let mut parts = self.0.iter().enumerate();
        parts.try_fold(("", row), |(_, value), (depth, name)| {
            entry(value.as_object()?, name, depth < hubs_parts)
        })
    }

    /// How many parts are the hub's own names. The hub's names go in any case (`DeviceId`), what
    /// users named does not.
    fn hubs_parts(&self) -> usize {
        match self
            .0
            .first()
            .map(|root| root.to_ascii_lowercase())
            .as_deref()
        {
            Some("tags" | "configurations" | "outcome") => 1,
            Some("properties") => 2,
            _ => usize::MAX,
        }
    }
}

fn entry<'a>(
    map: &'a Map<String, Value>,
    name: &str,
    is_in_any_case: bool,
) -> Option<(&'a str, &'a Value)> {
    map.get_key_value(name)
        .or_else(|| {
            map.iter()
                .find(|(key, _)| is_in_any_case && key.eq_ignore_ascii_case(name))
        })
        .map(|(key, value)| (key.as_str(), value))
}

impl fmt::Display for Path {
    /// Any path at all can be written: a first part that is no plain name gets the collection's
    /// name in front.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((first, rest)) = self.0.split_first() else {
            return Ok(());
        };
        if needs_brackets(first) || first.eq_ignore_ascii_case(ROOT) {
            f.write_str(ROOT)?;
            write_part(f, first)?;
        } else {
            f.write_str(first)?;
        }
        rest.iter().try_for_each(|name| write_part(f, name))
    }
}

fn write_part(f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
    if needs_brackets(name) {
        write!(f, ".[{}]", Quoted(name))
    } else {
        write!(f, ".{name}")
    }
}

fn needs_brackets(name: &str) -> bool {
    is_keyword(name) || !is_plain(name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parts(text: &str) -> Vec<String> {
        text.split('.').map(str::to_owned).collect()
    }

    fn path(text: &str) -> Path {
        Path::new(parts(text)).unwrap()
    }

    #[test]
    fn the_hubs_names_go_in_any_case_and_users_names_do_not() {
        let row = json!({
            "deviceId": "d", "capabilities": {"iotEdge": true},
            "tags": {"Site": 1}, "properties": {"desired": {"Rate": 2}},
        });
        let find = |text: &str| {
            path(text)
                .find(&row)
                .map(|(name, value)| (name, value.clone()))
        };
        assert_eq!(find("DEVICEID"), Some(("deviceId", json!("d"))));
        assert_eq!(find("Capabilities.iotedge"), Some(("iotEdge", json!(true))));
        assert_eq!(find("Tags.Site"), Some(("Site", json!(1))));
        assert_eq!(find("tags.site"), None);
        assert_eq!(find("properties.Desired.Rate"), Some(("Rate", json!(2))));
        assert_eq!(find("properties.desired.rate"), None);
        assert_eq!(find("deviceId.more"), None);
    }

    #[test]
    fn a_collections_name_may_stand_in_front() {
        let within = |text: &str, collection| Path::within(parts(text), collection);
        let (devices, modules, jobs) = (Collection::Devices, Collection::Modules, Collection::Jobs);
        assert_eq!(within("devices.deviceId", devices), Some(path("deviceId")));
        assert_eq!(within("Devices.deviceId", modules), Some(path("deviceId")));
        assert_eq!(within("devices.modules.a.b", modules), Some(path("a.b")));
        assert_eq!(within("devices.jobs.jobId", jobs), Some(path("jobId")));
        assert_eq!(within("devices.jobs.jobId", devices), None);
        assert_eq!(within("devices.modules.moduleId", jobs), None);
        assert_eq!(within("devices", devices), None);
        assert_eq!(within("devices.modules", modules), None);
    }
}
