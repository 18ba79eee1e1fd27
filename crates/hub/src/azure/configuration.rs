//! Configurations (automatic deployments), as if they were devices without credentials.
//!
//! Their content is one text, because a hub treats it as one: it never changes. What is written
//! with another content is taken away and made anew, as the hub would answer 200 to the change
//! and keep the old one. Where the hub then refuses the new one, the old one is put back: it is as
//! it was, in a new life. An etag goes out quoted: a bare one is refused.

use hubshift_azure::wire_time;
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::calls::absent;
use super::convert::there;
use super::transport::{Call, Class, Request};
use super::wire::Configuration;
use super::{invalid, partial};
use crate::credentials::Credentials;
use crate::device::{DeviceWrite, EtagPair, HubDevice, Identity, Summary};
use crate::key::Key;
use crate::outcome::{HubError, Rejection};

const CONTENT: &str = "content";
const METRICS: &str = "metrics";
const SCHEMA: &str = "schemaVersion";
/// What stands in the tags, and on the wire under the same names.
const IN_TAGS: [&str; 3] = ["labels", "priority", "targetCondition"];

pub(super) async fn get(call: &Call<'_>, id: &str) -> Result<Option<HubDevice>, HubError> {
    absent(read(call, id).await)?.map(shown).transpose()
}

pub(super) async fn create(
    call: &Call<'_>,
    id: &str,
    write: &DeviceWrite,
) -> Result<HubDevice, HubError> {
    shown(put(call, id, &body(id, write)?, None).await?)
}

pub(super) async fn update(
    call: &Call<'_>,
    id: &str,
    write: &DeviceWrite,
    if_match: &EtagPair,
) -> Result<HubDevice, HubError> {
    let Some(etag) = if_match.twin.as_ref().or(if_match.identity.as_ref()) else {
        return Err(invalid("the update names no etag"));
    };
    let body = body(id, write)?;
    let current = read(call, id).await?;
    if current.etag.as_ref() != Some(etag) {
        return Err(Rejection::PreconditionFailed.into());
    }
    if content(&current) == body[CONTENT] {
        return shown(put(call, id, &body, Some(etag)).await?);
    }
    let old = body_of(id, current)?;
    delete(call, id, etag).await?;
    match make(call, id, &body).await {
        Err(HubError::Rejected(Rejection::Invalid(text))) => {
            make(call, id, &old).await.map_err(|error| taken(&error))?;
            Err(Rejection::Invalid(text).into())
        }
        made => made.map_err(|error| taken(&error)),
    }
}

/// Makes what was taken away, with a second try where the hub asks to slow down: the budget lets it
/// wait for as long, if the call has the time.
async fn make(call: &Call<'_>, id: &str, body: &Value) -> Result<HubDevice, HubError> {
    let made = match put(call, id, body, None).await {
        Err(HubError::Rejected(Rejection::Throttled { .. })) => put(call, id, body, None).await,
        other => other,
    };
    made.and_then(shown)
}

fn taken(error: &HubError) -> HubError {
    partial(
        "the old content was taken away, the new is not there",
        error,
    )
}

pub(super) async fn delete(call: &Call<'_>, id: &str, etag: &str) -> Result<(), HubError> {
    let path = ["configurations", id];
    let request = Request::new(Class::Configuration, Method::DELETE, &path);
    call.send(request.if_match(etag)).await.map(|_| ())
}

/// All of them: a hub takes 100 at most.
pub(super) async fn list(call: &Call<'_>) -> Result<Vec<Summary>, HubError> {
    let request = Request::new(Class::Configuration, Method::GET, &["configurations"]);
    let found: Vec<Configuration> = call.send(request.query("top", "100")).await?.json()?;
    found.into_iter().map(row).collect()
}

async fn read(call: &Call<'_>, id: &str) -> Result<Configuration, HubError> {
    let path = ["configurations", id];
    call.send(Request::new(Class::Configuration, Method::GET, &path))
        .await?
        .json()
}

async fn put(
    call: &Call<'_>,
    id: &str,
    body: &Value,
    etag: Option<&str>,
) -> Result<Configuration, HubError> {
    let path = ["configurations", id];
    let request = Request::new(Class::Configuration, Method::PUT, &path).body(body);
    let request = match etag {
        Some(etag) => request.if_match(etag),
        None => request,
    };
    call.send(request).await?.json()
}

fn row(wire: Configuration) -> Result<Summary, HubError> {
    let etag = there(wire.etag, "etag")?;
    Ok(Summary {
        device_id: key_of(&wire.id)?,
        identity_etag: etag.clone(),
        twin_etag: etag,
        twin_version: version(wire.last_updated_time_utc.as_deref())?,
        connected: false,
        last_activity: None,
    })
}

fn shown(wire: Configuration) -> Result<HubDevice, HubError> {
    let etag = there(wire.etag.clone(), "etag")?;
    let version = version(wire.last_updated_time_utc.as_deref())?;
    Ok(HubDevice {
        identity: Identity {
            device_id: key_of(&wire.id)?,
            enabled: true,
            status_reason: None,
            credentials: Credentials::None,
            iot_edge: false,
            parent: None,
            managed_by: None,
        },
        tags: tags(&wire),
        desired: desired(&wire),
        generation_id: there(wire.created_time_utc, "createdTimeUtc")?,
        identity_etag: etag.clone(),
        twin_etag: etag,
        twin_version: version,
        desired_version: version,
    })
}

fn key_of(id: &str) -> Result<String, HubError> {
    let id = there(Some(id).filter(|id| !id.is_empty()), "id")?;
    Ok(Key::Configuration(id).to_string())
}

/// The time of the last change in milliseconds: it only rises, as a twin's version does.
fn version(last_updated: Option<&str>) -> Result<i64, HubError> {
    let time = there(
        last_updated.and_then(wire_time::parse),
        "lastUpdatedTimeUtc",
    )?;
    Ok(i64::try_from(time.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX))
}

/// What is not there and what is empty are the same to a hub, and so they are here.
fn tags(wire: &Configuration) -> Map<String, Value> {
    let mut tags = Map::new();
    if let Some(labels) = wire.labels.as_ref().filter(|labels| !labels.is_empty()) {
        tags.insert("labels".to_owned(), Value::Object(labels.clone()));
    }
    tags.insert("priority".to_owned(), wire.priority.unwrap_or(0).into());
    if let Some(condition) = wire
        .target_condition
        .as_ref()
        .filter(|text| !text.is_empty())
    {
        tags.insert("targetCondition".to_owned(), condition.as_str().into());
    }
    tags
}

fn desired(wire: &Configuration) -> Map<String, Value> {
    let mut desired = Map::new();
    // The names of an object come out in one order, whatever order the hub had them in.
    desired.insert(CONTENT.to_owned(), content(wire).to_string().into());
    let queries = wire
        .metrics
        .as_ref()
        .and_then(|metrics| metrics.queries.as_ref());
    if let Some(queries) = queries.filter(|queries| !queries.is_empty()) {
        desired.insert(METRICS.to_owned(), Value::Object(queries.clone()));
    }
    if let Some(version) = &wire.schema_version {
        desired.insert(SCHEMA.to_owned(), version.as_str().into());
    }
    desired
}

/// The content without the parts that the hub names and leaves empty.
fn content(wire: &Configuration) -> Value {
    let Some(Value::Object(parts)) = &wire.content else {
        return json!({});
    };
    let is_there = |value: &Value| match value {
        Value::Null => false,
        Value::Object(part) => !part.is_empty(),
        _ => true,
    };
    let that_are = |keep: &dyn Fn(&Value) -> bool| -> Map<String, Value> {
        let kept = parts.iter().filter(|part| keep(part.1));
        kept.map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    };
    let filled = that_are(&is_there);
    Value::Object(match filled.is_empty() {
        true => that_are(&|value| !value.is_null()),
        false => filled,
    })
}

/// What writes a configuration as it was read.
fn body_of(id: &str, wire: Configuration) -> Result<Value, HubError> {
    let read = shown(wire)?;
    let write = DeviceWrite {
        identity: read.identity,
        tags: read.tags,
        desired: read.desired,
    };
    body(id, &write)
}

fn body(id: &str, write: &DeviceWrite) -> Result<Value, HubError> {
    let text = write.desired.get(CONTENT).and_then(Value::as_str);
    let content = text.and_then(|text| serde_json::from_str::<Value>(text).ok());
    let Some(content) = content else {
        return Err(invalid("a configuration's content is a text of JSON"));
    };
    let mut body = json!({ "id": id, CONTENT: content });
    for name in IN_TAGS {
        if let Some(value) = write.tags.get(name) {
            body[name] = value.clone();
        }
    }
    if let Some(version) = write.desired.get(SCHEMA) {
        body[SCHEMA] = version.clone();
    }
    if let Some(queries) = write.desired.get(METRICS) {
        body[METRICS] = json!({ "queries": queries });
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(json: Value) -> Configuration {
        serde_json::from_value(json).unwrap()
    }

    fn full() -> Value {
        json!({
            "id": "site-7", "schemaVersion": "1.0", "labels": {"a": "b"}, "priority": 3,
            "content": {
                "modulesContent": {"$edgeAgent": {"properties.desired": {"z": 1, "a": null}}},
                "deviceContent": null, "moduleContent": {},
            },
            "targetCondition": "tags.site = 7",
            "createdTimeUtc": "2026-11-23T04:05:06.1234567Z",
            "lastUpdatedTimeUtc": "2026-11-23T04:05:07.5Z",
            "systemMetrics": {"results": {}, "queries": {"appliedCount": "select 1"}},
            "metrics": {"results": {"n": 1}, "queries": {"n": "select deviceId from devices"}},
            "etag": "MQ==",
        })
    }

    #[test]
    fn what_is_read_is_written_back_without_the_hubs_own() {
        let read = shown(wire(full())).unwrap();
        assert_eq!(read.identity.device_id, "/configurations/site-7");
        assert_eq!(read.generation_id, "2026-11-23T04:05:06.1234567Z");
        assert_eq!(read.twin_version, read.desired_version);
        let expected = json!({
            "id": "site-7", "schemaVersion": "1.0", "labels": {"a": "b"}, "priority": 3,
            "content": {
                "modulesContent": {"$edgeAgent": {"properties.desired": {"z": 1, "a": null}}},
            },
            "targetCondition": "tags.site = 7",
            "metrics": {"queries": {"n": "select deviceId from devices"}},
        });
        assert_eq!(body_of("site-7", wire(full())).unwrap(), expected);
    }

    #[test]
    fn a_later_change_has_the_higher_version() {
        let at = |time| version(Some(time)).unwrap();
        assert!(at("2026-11-23T04:05:07.5Z") > at("2026-11-23T04:05:07.499Z"));
        assert!(version(None).is_err() && version(Some(wire_time::NEVER)).is_err());
    }

    #[test]
    fn the_order_of_names_and_empty_parts_make_no_difference() {
        let mut other = full();
        other["labels"] = json!({});
        other["content"] = json!({
            "modulesContent": {"$edgeAgent": {"properties.desired": {"a": null, "z": 1}}},
        });
        let mut one = full();
        one["labels"] = Value::Null;
        let (one, other) = (shown(wire(one)).unwrap(), shown(wire(other)).unwrap());
        assert_eq!((one.tags, one.desired), (other.tags, other.desired));
    }

    #[test]
    fn a_configuration_without_its_content_is_not_written() {
        let read = shown(wire(full())).unwrap();
        let write = DeviceWrite {
            identity: read.identity,
            tags: read.tags,
            desired: Map::new(),
        };
        let found = body("site-7", &write).unwrap_err();
        assert!(matches!(found, HubError::Rejected(Rejection::Invalid(_))));
    }
}
