//! Fingerprints of tags and desired properties, so that a million devices fit in memory.

use hubshift_domain::identity::canonical_json;
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

/// Equal for objects that are equal whatever the order of their members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Print([u8; 16]);

impl Print {
    pub(crate) fn of(map: &Map<String, Value>) -> Self {
        let text = canonical_json(&Value::Object(map.clone()));
        let mut print = [0; 16];
        for (to, from) in print.iter_mut().zip(Sha256::digest(text.as_bytes())) {
            *to = from;
        }
        Self(print)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_order_of_members_does_not_matter_and_their_values_do() {
        let print = |value: Value| Print::of(value.as_object().unwrap());
        assert_eq!(
            print(json!({"a": 1, "b": 2})),
            print(json!({"b": 2, "a": 1}))
        );
        assert_ne!(print(json!({"a": 1})), print(json!({"a": 2})));
    }
}
