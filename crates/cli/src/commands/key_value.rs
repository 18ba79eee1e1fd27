//! Options of the form `key=json`, and changes of an object by them.

use serde_json::{Map, Value};

/// One member of an object: `site="oslo"`, `floor=3`, `owner=null`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct KeyValue {
    key: String,
    value: Value,
}

/// Reads `key=json`.
///
/// # Errors
/// No `=`, no key, or what follows is not JSON. Words are not taken for strings: `true` and
/// `"true"` must not look alike.
pub(crate) fn parse(text: &str) -> Result<KeyValue, String> {
    let (key, json) = text.split_once('=').ok_or("write KEY=JSON, like floor=3")?;
    if key.is_empty() {
        return Err("the key before `=` is empty".to_owned());
    }
    let value = serde_json::from_str(json).map_err(|error| {
        format!("`{json}` is not JSON ({error}); a text needs quotes: {key}='\"…\"'")
    })?;
    Ok(KeyValue {
        key: key.to_owned(),
        value,
    })
}

/// An object of these members; null ones are left out.
pub(super) fn object(members: &[KeyValue]) -> Map<String, Value> {
    let mut map = Map::new();
    change(&mut map, members);
    map
}

/// Sets these members of an object; null removes one.
pub(super) fn change(map: &mut Map<String, Value>, members: &[KeyValue]) {
    for KeyValue { key, value } in members {
        if value.is_null() {
            map.remove(key);
        } else {
            map.insert(key.clone(), value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_kind_of_json_is_read() {
        for (text, key, value) in [
            ("floor=3", "floor", json!(3)),
            ("site=\"oslo=north\"", "site", json!("oslo=north")),
            ("on=true", "on", json!(true)),
            ("a={\"b\":[1,null]}", "a", json!({"b": [1, null]})),
            ("gone=null", "gone", Value::Null),
        ] {
            assert_eq!(
                parse(text),
                Ok(KeyValue {
                    key: key.to_owned(),
                    value
                }),
                "{text}"
            );
        }
    }

    #[test]
    fn a_bare_word_is_refused_with_the_way_to_write_it() {
        let error = parse("site=oslo").unwrap_err();
        assert!(error.contains("site='\"…\"'"), "{error}");
        for bad in ["site", "=1", "a=", "a={"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn null_removes_a_member_and_the_rest_stays() {
        let mut tags = json!({"site": "oslo", "floor": 3})
            .as_object()
            .unwrap()
            .clone();
        change(
            &mut tags,
            &[parse("floor=null").unwrap(), parse("room=7").unwrap()],
        );
        assert_eq!(Value::Object(tags), json!({"site": "oslo", "room": 7}));
        assert!(object(&[parse("gone=null").unwrap()]).is_empty());
    }
}
