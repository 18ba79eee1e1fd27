//! Which partitions an event hub has: asked of its management node, by a request with an answer.

use fe2o3_amqp::session::SessionHandle;
use fe2o3_amqp::types::messaging::{AmqpValue, ApplicationProperties, Body, Message, Properties};
use fe2o3_amqp::types::primitives::{Array, SimpleValue, Value};
use fe2o3_amqp::{Receiver, Sender};

use super::FeedError;

/// Where requests go and answers come from.
const NODE: &str = "$management";
/// What is asked about.
const KIND: &str = "com.microsoft:eventhub";
/// The status of an answer that has what was asked for.
const FOUND: i32 = 200;

/// The partitions' ids, at least one. `name` is ours, and names the links.
pub(super) async fn ask(
    session: &mut SessionHandle<()>,
    entity: &str,
    name: &str,
) -> Result<Vec<String>, FeedError> {
    let reply_to = format!("{name}-answers");
    let sender = Sender::builder()
        .name(format!("{name}-requests"))
        .target(NODE);
    let mut sender = Box::pin(sender.attach(session)).await?;
    let receiver = Receiver::builder()
        .name(reply_to.as_str())
        .source(NODE)
        .target(reply_to.as_str());
    let mut receiver = Box::pin(receiver.attach(session)).await?;
    let request = request(entity, &reply_to);
    let outcome = Box::pin(sender.send::<AmqpValue<Value>>(request)).await?;
    if !outcome.is_accepted() {
        return Err(FeedError::Amqp("the request", format!("{outcome:?}")));
    }
    let answer = receiver.recv::<Body<Value>>().await?;
    receiver.accept(&answer).await?;
    partitions(answer.message())
}

fn request(entity: &str, reply_to: &str) -> Message<AmqpValue<Value>> {
    let properties = Properties::builder()
        .message_id(1_u64)
        .reply_to(reply_to)
        .build();
    let what = ApplicationProperties::builder()
        .insert("operation", "READ")
        .insert("name", entity)
        .insert("type", KIND)
        .build();
    Message::builder()
        .properties(properties)
        .application_properties(what)
        .value(Value::Null)
        .build()
}

/// What an answer says.
fn partitions(answer: &Message<Body<Value>>) -> Result<Vec<String>, FeedError> {
    match status(answer) {
        None | Some(FOUND) => {}
        Some(status) => {
            let text = format!("the event hub is not there or not ours, status {status}");
            return Err(FeedError::Amqp("the request", text));
        }
    }
    match partition_ids(&answer.body) {
        Some(ids) if !ids.is_empty() => Ok(ids),
        _ => Err(FeedError::Partitions),
    }
}

fn status(answer: &Message<Body<Value>>) -> Option<i32> {
    let properties = answer.application_properties.as_ref()?;
    let status = properties
        .get("status-code")
        .or_else(|| properties.get("statusCode"));
    match status? {
        SimpleValue::Int(status) => Some(*status),
        _ => None,
    }
}

fn partition_ids(body: &Body<Value>) -> Option<Vec<String>> {
    let Body::Value(AmqpValue(Value::Map(map))) = body else {
        return None;
    };
    let (_, ids) = map
        .iter()
        .find(|(key, _)| text(key) == Some("partition_ids"))?;
    let (Value::Array(Array(ids)) | Value::List(ids)) = ids else {
        return None;
    };
    ids.iter().map(|id| text(id).map(str::to_owned)).collect()
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Some(text),
        Value::Symbol(symbol) => Some(symbol.as_str()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use fe2o3_amqp::types::primitives::OrderedMap;

    use super::*;

    fn answer(status: i32, ids: Value) -> Message<Body<Value>> {
        let mut map = OrderedMap::new();
        map.insert(Value::from("name"), Value::from("acme"));
        map.insert(Value::from("partition_ids"), ids);
        Message::builder()
            .application_properties(
                ApplicationProperties::builder()
                    .insert("status-code", status)
                    .build(),
            )
            .body(Body::Value(AmqpValue(Value::Map(map))))
            .build()
    }

    fn ids(ids: &[&str]) -> Vec<Value> {
        ids.iter().map(|id| Value::from(*id)).collect()
    }

    #[test]
    fn partitions_are_read_from_an_array_or_a_list() {
        for found in [
            Value::Array(Array(ids(&["0", "1"]))),
            Value::List(ids(&["0", "1"])),
        ] {
            let found = partitions(&answer(FOUND, found)).unwrap();
            assert_eq!(found, ["0", "1"]);
        }
    }

    #[test]
    fn an_answer_without_partitions_is_none() {
        for broken in [Value::Null, Value::List(Vec::new()), Value::from("0")] {
            let error = partitions(&answer(FOUND, broken)).unwrap_err();
            assert!(matches!(error, FeedError::Partitions), "{error:?}");
        }
        let missing = answer(404, Value::List(ids(&["0"])));
        let error = partitions(&missing).unwrap_err().to_string();
        assert!(error.contains("404"), "{error}");
    }
}
