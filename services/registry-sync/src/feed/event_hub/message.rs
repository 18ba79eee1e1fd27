//! Which device or module a message of an event hub is about, if it is about a registry at all.
//!
//! The hub itself says in an annotation what a message is; its properties alone say nothing, since
//! a device can give its telemetry any properties.

use fe2o3_amqp::types::messaging::annotations::AnnotationKey;
use fe2o3_amqp::types::messaging::{ApplicationProperties, Message, MessageAnnotations};
use fe2o3_amqp::types::primitives::{SimpleValue, Value};
use hubshift_azure::wire_time;

use crate::feed::hint::{Hint, News};

/// The annotation that says what a message is.
const SOURCE: &str = "iothub-message-source";
/// Devices and modules that came and went.
const LIFECYCLE: &str = "deviceLifecycleEvents";
/// Twins that changed: several changes may be one event.
const TWIN: &str = "twinChangeEvents";

/// What a message tells; nothing for telemetry and whatever else is no news of a registry. The body
/// is not looked at: it is only ever a part of what the hub holds.
pub(super) fn news<B>(message: &Message<B>) -> Option<News> {
    let source = source(message.message_annotations.as_ref()?)?;
    let properties = message.application_properties.as_ref()?;
    let text = |name| text(properties, name);
    let module = text("moduleId");
    let (module, is_deleted) = match (source, text("opType")?) {
        (LIFECYCLE, "createDeviceIdentity") => (None, false),
        (LIFECYCLE, "deleteDeviceIdentity") => (None, true),
        (LIFECYCLE, "createModuleIdentity") => (Some(module?), false),
        (LIFECYCLE, "deleteModuleIdentity") => (Some(module?), true),
        (TWIN, "updateTwin" | "replaceTwin") => (module, false),
        _ => return None,
    };
    let time = wire_time::parse(text("operationTimestamp")?)?;
    Some(News {
        hub_name: text("hubName")?.to_owned(),
        hint: Hint::new(text("deviceId")?, module, is_deleted, time)?,
    })
}

fn source(annotations: &MessageAnnotations) -> Option<&str> {
    match annotations.get(&SOURCE as &dyn AnnotationKey)? {
        Value::String(text) => Some(text),
        Value::Symbol(symbol) => Some(symbol.as_str()),
        _ => None,
    }
}

fn text<'a>(properties: &'a ApplicationProperties, name: &str) -> Option<&'a str> {
    match properties.get(name)? {
        SimpleValue::String(text) => Some(text),
        SimpleValue::Symbol(symbol) => Some(symbol.as_str()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use fe2o3_amqp::types::messaging::AmqpValue;
    use time::macros::datetime;

    use super::*;

    type Pairs<'a> = &'a [(&'a str, &'a str)];

    fn message(source: &str, properties: Pairs<'_>) -> Message<AmqpValue<Value>> {
        let mut all = ApplicationProperties::builder()
            .insert("hubName", "acme")
            .insert("operationTimestamp", "2026-11-27T12:00:00.1234567Z");
        for (name, value) in properties {
            all = all.insert(*name, *value);
        }
        Message::builder()
            .message_annotations(MessageAnnotations::builder().insert(SOURCE, source).build())
            .application_properties(all.build())
            .value(Value::Null)
            .build()
    }

    fn told(source: &str, properties: Pairs<'_>) -> Option<(String, bool)> {
        let news = news(&message(source, properties))?;
        assert_eq!(news.hub_name, "acme");
        let noon = datetime!(2026-11-27 12:00:00.1234567 UTC);
        assert_eq!(news.hint.time, noon);
        Some((news.hint.key, news.hint.is_deleted))
    }

    #[test]
    fn every_operation_names_what_it_changed() {
        let cases = [
            (LIFECYCLE, "createDeviceIdentity", "d", false),
            (LIFECYCLE, "deleteDeviceIdentity", "d", true),
            (LIFECYCLE, "createModuleIdentity", "d/m", false),
            (LIFECYCLE, "deleteModuleIdentity", "d/m", true),
            (TWIN, "updateTwin", "d/m", false),
            (TWIN, "replaceTwin", "d/m", false),
        ];
        for (source, operation, key, is_deleted) in cases {
            let all = [("opType", operation), ("deviceId", "d"), ("moduleId", "m")];
            let expected = Some((key.to_owned(), is_deleted));
            assert_eq!(told(source, &all), expected, "{operation}");
        }
        let device = [("opType", "updateTwin"), ("deviceId", "d")];
        assert_eq!(told(TWIN, &device), Some(("d".to_owned(), false)));
    }

    #[test]
    fn telemetry_is_no_news_whatever_properties_a_device_gives_it() {
        let forged = [("opType", "deleteDeviceIdentity"), ("deviceId", "d")];
        assert_eq!(told("Telemetry", &forged), None);
        assert_eq!(told("deviceConnectionStateEvents", &forged), None);
        assert_eq!(told(TWIN, &forged), None);
        let mut bare = message(LIFECYCLE, &forged);
        bare.message_annotations = None;
        assert_eq!(news(&bare), None);
    }

    #[test]
    fn what_does_not_say_enough_is_no_news() {
        let module = [("opType", "createModuleIdentity"), ("deviceId", "d")];
        assert_eq!(told(LIFECYCLE, &module), None);
        assert_eq!(told(LIFECYCLE, &[("opType", "createDeviceIdentity")]), None);
        let broken = [
            ("opType", "createDeviceIdentity"),
            ("deviceId", "two words"),
        ];
        assert_eq!(told(LIFECYCLE, &broken), None);
        let never = [
            ("opType", "createDeviceIdentity"),
            ("deviceId", "d"),
            ("operationTimestamp", "yesterday"),
        ];
        assert_eq!(told(LIFECYCLE, &never), None);
    }
}
