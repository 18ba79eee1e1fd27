//! What Event Grid delivers, in both of its schemas: which devices came and went.
//!
//! Event Grid's own schema is an array of events with `eventType`, `eventTime` and `data`;
//! CloudEvents 1.0 is one event, or an array of them, with `specversion`, `type`, `time` and
//! `data`. Deliveries may be late, repeated and out of order.

use hubshift_azure::wire_time;
use serde_json::Value;

use super::hint::{Hint, News};

const CREATED: &str = "Microsoft.Devices.DeviceCreated";
const DELETED: &str = "Microsoft.Devices.DeviceDeleted";
const VALIDATION: &str = "Microsoft.EventGrid.SubscriptionValidationEvent";

/// What is in a delivery.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Delivery {
    /// Event Grid asks whether we want its events: it is answered with this code.
    Validation(String),
    /// Devices that came or went; what says nothing of a registry is left out.
    Events(Vec<News>),
}

/// A delivery that cannot be read. Says nothing of its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum DeliveryError {
    /// The body is not JSON.
    #[error("the delivery is not JSON")]
    Json,
    /// The body is neither an event nor an array of them.
    #[error("the delivery is neither an event nor an array of events")]
    Shape,
    /// An event about a device does not say which, where or when.
    #[error("an event about a device lacks its type, time, hub or device")]
    Event,
}

/// Reads a body.
pub(super) fn read(body: &[u8]) -> Result<Delivery, DeliveryError> {
    let events = match serde_json::from_slice(body).map_err(|_| DeliveryError::Json)? {
        Value::Array(events) => events,
        event @ Value::Object(_) => vec![event],
        _ => return Err(DeliveryError::Shape),
    };
    if let Some(code) = events.iter().find_map(validation_code) {
        return Ok(Delivery::Validation(code));
    }
    let events: Result<Vec<_>, _> = events
        .iter()
        .filter_map(|event| device(event).transpose())
        .collect();
    Ok(Delivery::Events(events?))
}

fn validation_code(event: &Value) -> Option<String> {
    (kind(event)? == VALIDATION)
        .then(|| text(event.get("data")?, "validationCode").map(str::to_owned))
        .flatten()
}

/// The event's device; nothing if it is about something else.
fn device(event: &Value) -> Result<Option<News>, DeliveryError> {
    let is_deleted = match kind(event).ok_or(DeliveryError::Event)? {
        CREATED => false,
        DELETED => true,
        _ => return Ok(None),
    };
    let found = || {
        let data = event.get("data")?;
        let time = text(event, "eventTime").or_else(|| text(event, "time"))?;
        let time = wire_time::parse(time)?;
        Some(News {
            hub_name: text(data, "hubName")?.to_owned(),
            hint: Hint::new(text(data, "deviceId")?, None, is_deleted, time)?,
        })
    };
    found().map(Some).ok_or(DeliveryError::Event)
}

fn kind(event: &Value) -> Option<&str> {
    text(event, "eventType").or_else(|| text(event, "type"))
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name)?.as_str()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn delivered(body: &Value) -> Result<Delivery, DeliveryError> {
        read(body.to_string().as_bytes())
    }

    fn grid(kind: &str) -> Value {
        json!({"id": "1", "subject": "devices/d-1", "eventType": kind,
            "topic": "/SUBSCRIPTIONS/S/RESOURCEGROUPS/G/PROVIDERS/MICROSOFT.DEVICES/IOTHUBS/ACME",
            "eventTime": "2026-11-27T12:00:00.1234567Z", "dataVersion": "1",
            "data": {"hubName": "acme", "deviceId": "d-1", "twin": {}}})
    }

    fn cloud(kind: &str) -> Value {
        json!({"specversion": "1.0", "id": "1", "type": kind, "subject": "devices/d-1",
            "source": "/SUBSCRIPTIONS/S/PROVIDERS/MICROSOFT.DEVICES/IOTHUBS/ACME",
            "time": "2026-11-27T12:00:00.1234567Z",
            "data": {"hubName": "acme", "deviceId": "d-1"}})
    }

    #[test]
    fn both_schemas_say_the_same() {
        for (body, is_deleted) in [
            (json!([grid(CREATED)]), false),
            (json!([grid(DELETED)]), true),
            (cloud(CREATED), false),
            (json!([cloud(DELETED)]), true),
        ] {
            let Ok(Delivery::Events(events)) = delivered(&body) else {
                panic!("{body}")
            };
            assert_eq!(events.len(), 1);
            assert_eq!(events[0].hub_name, "acme");
            assert_eq!(events[0].hint.key, "d-1");
            assert_eq!(events[0].hint.is_deleted, is_deleted);
        }
    }

    #[test]
    fn what_says_nothing_of_a_registry_is_left_out() {
        let body = json!([
            grid("Microsoft.Devices.DeviceConnected"),
            grid("Microsoft.Devices.DeviceTelemetry"),
            grid(CREATED)
        ]);
        let Ok(Delivery::Events(events)) = delivered(&body) else {
            panic!("{body}")
        };
        assert_eq!(events.len(), 1);
    }

    #[test]
    fn a_validation_gives_its_code() {
        let body = json!([{"id": "1", "eventType": VALIDATION, "subject": "",
            "data": {"validationCode": "512d38b6", "validationUrl": "https://x"}}]);
        assert_eq!(
            delivered(&body),
            Ok(Delivery::Validation("512d38b6".into()))
        );
    }

    #[test]
    fn what_cannot_be_read_is_refused_and_not_shown() {
        assert_eq!(read(b"{"), Err(DeliveryError::Json));
        assert_eq!(delivered(&json!(7)), Err(DeliveryError::Shape));
        assert_eq!(delivered(&json!([{}])), Err(DeliveryError::Event));
        let mut no_device = grid(CREATED);
        no_device["data"]["deviceId"] = json!("two words");
        assert_eq!(delivered(&json!([no_device])), Err(DeliveryError::Event));
    }
}
