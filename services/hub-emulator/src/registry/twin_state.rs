//! The twin's part of a record: tags, properties and the hub's notes about them.
//!
//! Keeps true: `$version` of desired and the twin's version only rise; the etag moves on every
//! write of tags or desired and on nothing else; `$metadata` has an entry for each property.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hubshift_azure::limits::{self, LimitError};
use hubshift_azure::{ExportImportDevice, Twin, wire_time};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use time::OffsetDateTime;

use super::TwinWrite;

/// The version of a twin that is new: the hub's own writing of it was the first.
const FIRST_VERSION: i64 = 2;

/// Tags and properties of one device or module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TwinState {
    etag: u64,
    pub(crate) version: i64,
    pub(crate) tags: Map<String, Value>,
    desired: Map<String, Value>,
    desired_version: i64,
    metadata: Map<String, Value>,
    /// Nothing but what an import brought: devices of this hub report nothing.
    #[serde(default)]
    reported: Map<String, Value>,
    /// How often an import brought some.
    #[serde(default)]
    reported_writes: i64,
    #[serde(default)]
    reported_metadata: Map<String, Value>,
    /// When the twin was made, as text on the wire.
    created: String,
}

/// What a client sends: a patch or a replacement. What is `None` was not sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct TwinChange {
    pub(crate) tags: Option<Map<String, Value>>,
    pub(crate) desired: Option<Map<String, Value>>,
    /// Devices report, services do not: only an import can bring these.
    pub(crate) reported: Option<Map<String, Value>>,
}

impl TwinChange {
    /// What an entry of a bulk call or an import brings. Whether the real hub stores reported
    /// properties then is not known, so the caller says.
    pub(crate) fn of_entry(entry: &ExportImportDevice, with_reported: bool) -> Self {
        let properties = entry.properties.as_ref();
        Self {
            tags: entry.tags.clone(),
            desired: entry.desired().cloned(),
            reported: properties
                .and_then(|both| both.reported.clone())
                .filter(|_| with_reported),
        }
    }

    /// Whether reported properties were sent and nothing else.
    fn is_of_reported(&self) -> bool {
        self.tags.is_none() && self.desired.is_none() && self.reported.is_some()
    }

    /// Whether nothing was sent.
    pub(crate) fn is_empty(&self) -> bool {
        self.tags.is_none() && self.desired.is_none() && self.reported.is_none()
    }
}

impl From<Twin> for TwinChange {
    /// Clients echo the hub's `$metadata` and `$version`; they are not theirs to set.
    fn from(twin: Twin) -> Self {
        let has_desired = twin
            .properties
            .as_ref()
            .is_some_and(|both| both.desired.is_some());
        let desired = has_desired.then(|| twin.plain_desired());
        Self {
            tags: twin.tags,
            desired,
            reported: None,
        }
    }
}

impl TwinState {
    /// The twin of a new device or module.
    pub(crate) fn new(change: TwinChange, now: OffsetDateTime) -> Result<Self, LimitError> {
        let state = Self {
            etag: 0,
            version: FIRST_VERSION - 1,
            tags: Map::new(),
            desired: Map::new(),
            desired_version: 0,
            metadata: Map::new(),
            reported: Map::new(),
            reported_writes: 0,
            reported_metadata: Map::new(),
            created: wire_time::write(now),
        };
        let tags = Some(change.tags.unwrap_or_default());
        state.replaced(TwinChange { tags, ..change }, now)
    }

    /// The twin after a write of either kind.
    pub(crate) fn written(
        &self,
        change: TwinChange,
        how: TwinWrite,
        now: OffsetDateTime,
    ) -> Result<Self, LimitError> {
        match how {
            TwinWrite::Patch => self.patched(change, now),
            TwinWrite::Replace => self.replaced(change, now),
        }
    }

    /// The twin after a PATCH: merged, `null` removes, what was not sent stays.
    pub(crate) fn patched(
        &self,
        change: TwinChange,
        now: OffsetDateTime,
    ) -> Result<Self, LimitError> {
        let mut next = self.next();
        merge(&mut next.tags, &change.tags.unwrap_or_default());
        if let Some(desired) = change.desired {
            next.set_desired(&desired, now);
        }
        next.checked()
    }

    /// The twin after a PUT: tags and desired are what was sent, nothing if nothing was. Reported
    /// properties stay, unless an import brings some; if it brings nothing else, the rest stays.
    pub(crate) fn replaced(
        &self,
        change: TwinChange,
        now: OffsetDateTime,
    ) -> Result<Self, LimitError> {
        let mut next = self.next();
        if change.is_of_reported() {
            next.etag = self.etag;
        } else {
            (next.tags, next.desired, next.metadata) = (Map::new(), Map::new(), Map::new());
            merge(&mut next.tags, &change.tags.unwrap_or_default());
            next.set_desired(&change.desired.unwrap_or_default(), now);
        }
        if let Some(reported) = change.reported {
            next.set_reported(&reported, now);
        }
        next.checked()
    }

    /// The etag: base64 of an eight-byte counter.
    pub(crate) fn etag(&self) -> String {
        STANDARD.encode(self.etag.to_be_bytes())
    }

    /// Desired properties as they were set.
    pub(crate) fn desired(&self) -> &Map<String, Value> {
        &self.desired
    }

    /// Desired properties with `$metadata` and `$version`.
    pub(crate) fn shown_desired(&self) -> Map<String, Value> {
        let mut shown = self.desired.clone();
        shown.insert("$metadata".to_owned(), Value::Object(self.metadata.clone()));
        shown.insert("$version".to_owned(), self.desired_version.into());
        shown
    }

    /// Reported properties as they were set.
    pub(crate) fn reported(&self) -> &Map<String, Value> {
        &self.reported
    }

    /// Reported properties with `$metadata` and `$version`.
    pub(crate) fn shown_reported(&self) -> Map<String, Value> {
        let metadata = match self.reported_writes {
            0 => json!({ "$lastUpdated": self.created }),
            _ => Value::Object(self.reported_metadata.clone()),
        };
        let mut shown = self.reported.clone();
        shown.insert("$metadata".to_owned(), metadata);
        shown.insert("$version".to_owned(), (1 + self.reported_writes).into());
        shown
    }

    fn next(&self) -> Self {
        Self {
            etag: self.etag + 1,
            version: self.version + 1,
            ..self.clone()
        }
    }

    fn set_desired(&mut self, patch: &Map<String, Value>, now: OffsetDateTime) {
        self.desired_version += 1;
        merge(&mut self.desired, patch);
        let stamp = Stamp {
            time: wire_time::write(now),
            version: self.desired_version,
        };
        stamp.touch(&mut self.metadata, patch);
    }

    fn set_reported(&mut self, reported: &Map<String, Value>, now: OffsetDateTime) {
        self.reported_writes += 1;
        (self.reported, self.reported_metadata) = (Map::new(), Map::new());
        merge(&mut self.reported, reported);
        let stamp = Stamp {
            time: wire_time::write(now),
            version: 1 + self.reported_writes,
        };
        stamp.touch(&mut self.reported_metadata, reported);
    }

    fn checked(self) -> Result<Self, LimitError> {
        limits::check_tags(&self.tags)?;
        limits::check_desired(&self.desired)?;
        limits::check_reported(&self.reported)?;
        Ok(self)
    }
}

/// RFC 7386: objects merge, `null` removes, anything else replaces.
fn merge(target: &mut Map<String, Value>, patch: &Map<String, Value>) {
    for (name, value) in patch {
        match value {
            Value::Null => {
                target.remove(name);
            }
            Value::Object(inner) => {
                let mut merged = take_object(target, name);
                merge(&mut merged, inner);
                target.insert(name.clone(), Value::Object(merged));
            }
            other => {
                target.insert(name.clone(), other.clone());
            }
        }
    }
}

/// Takes out the object of that name: an empty one if there is none or something else.
fn take_object(target: &mut Map<String, Value>, name: &str) -> Map<String, Value> {
    match target.remove(name) {
        Some(Value::Object(map)) => map,
        _ => Map::new(),
    }
}

/// When and in which version a property was written.
struct Stamp {
    time: String,
    version: i64,
}

impl Stamp {
    fn touch(&self, metadata: &mut Map<String, Value>, patch: &Map<String, Value>) {
        metadata.insert("$lastUpdated".to_owned(), self.time.clone().into());
        metadata.insert("$lastUpdatedVersion".to_owned(), self.version.into());
        for (name, value) in patch {
            match value {
                Value::Null => {
                    metadata.remove(name);
                }
                Value::Object(inner) => {
                    let mut touched = take_object(metadata, name);
                    self.touch(&mut touched, inner);
                    metadata.insert(name.clone(), Value::Object(touched));
                }
                _ => {
                    let mut leaf = Map::new();
                    self.touch(&mut leaf, &Map::new());
                    metadata.insert(name.clone(), Value::Object(leaf));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
