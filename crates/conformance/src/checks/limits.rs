//! How large twins may be, and what may stand in them.

use serde_json::{Map, Value, json};

use crate::check::{Failure, Found, checks, held, must};
use crate::room::Room;

checks! { "limits":
    Rule OwnDevices "§1.6" tags_have_at_most_8_kb;
    Rule OwnDevices "§1.6" desired_properties_have_at_most_32_kb;
    Rule OwnDevices "§1.6" a_text_has_at_most_4_kb;
    Rule OwnDevices "§1.6" nesting_has_at_most_10_levels;
    Rule OwnDevices "§1.6" whole_numbers_end_at_2_to_the_52;
    Rule OwnDevices "§1.6" names_have_no_dot_dollar_hash_and_space;
}

/// Well below a limit is taken, well above it is not: where exactly it is, counts do not agree.
async fn limited(room: &Room, below: Value, above: Value) -> Found {
    let (id, _) = room.make(json!({})).await?;
    room.patch(&id, &below).await?.good()?;
    refused(room, &id, &above, "too much").await?;
    held()
}

async fn refused(room: &Room, id: &str, body: &Value, what: &str) -> Result<(), Failure> {
    let answer = room.patch(id, body).await?;
    let is_refused = matches!(answer.status, 400 | 413);
    must(is_refused, format!("{what}: answered {}", answer.shown()))
}

/// So many texts of 1,000 bytes.
fn texts(count: usize) -> Value {
    let text = |number| (format!("t{number}"), json!("x".repeat(1_000)));
    Value::Object((0..count).map(text).collect::<Map<_, _>>())
}

/// An object in an object, so many in all.
fn nested(levels: usize) -> Value {
    (1..levels).fold(json!({"leaf": 1}), |inner, _| json!({ "a": inner }))
}

async fn tags_have_at_most_8_kb(room: &Room) -> Found {
    limited(room, json!({"tags": texts(7)}), json!({"tags": texts(9)})).await
}

async fn desired_properties_have_at_most_32_kb(room: &Room) -> Found {
    let desired = |count| json!({"properties": {"desired": texts(count)}});
    limited(room, desired(30), desired(34)).await
}

async fn a_text_has_at_most_4_kb(room: &Room) -> Found {
    let tag = |length| json!({"tags": {"a": "x".repeat(length)}});
    limited(room, tag(4_000), tag(4_200)).await
}

async fn nesting_has_at_most_10_levels(room: &Room) -> Found {
    limited(
        room,
        json!({"tags": nested(9)}),
        json!({"tags": nested(12)}),
    )
    .await
}

async fn whole_numbers_end_at_2_to_the_52(room: &Room) -> Found {
    let tag = |number: i64| json!({"tags": {"a": number}});
    limited(room, tag((1 << 52) - 1), tag(1 << 53)).await
}

async fn names_have_no_dot_dollar_hash_and_space(room: &Room) -> Found {
    let (id, _) = room.make(json!({})).await?;
    for name in ["a.b", "$a", "a#b", "a b"] {
        refused(room, &id, &json!({"tags": { name: 1 }}), name).await?;
    }
    held()
}
