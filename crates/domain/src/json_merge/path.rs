//! Paths into a JSON document: `tags.site.floor`.
//!
//! A member's name may hold any character, so `.` is written `~1`, `~` is written `~0` and an
//! empty name `~2`: a printed path always reads back as the same path.

use std::fmt;

use serde_json::{Map, Value};

/// The names that lead from the root of a document to one of its values; empty for the root.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct JsonPath(Vec<String>);

impl JsonPath {
    /// The root of a document.
    pub fn root() -> Self {
        Self::default()
    }

    /// A path of one name.
    pub fn of(name: &str) -> Self {
        Self(vec![name.to_owned()])
    }

    /// Reads a printed path.
    pub fn parse(text: &str) -> Self {
        if text.is_empty() {
            return Self::root();
        }
        Self(text.split('.').map(unescape).collect())
    }

    /// The names, outermost first.
    pub fn names(&self) -> &[String] {
        &self.0
    }

    pub(super) fn push(&mut self, name: &str) {
        self.0.push(name.to_owned());
    }

    pub(super) fn pop(&mut self) {
        self.0.pop();
    }
}

impl fmt::Display for JsonPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, name) in self.0.iter().enumerate() {
            if i > 0 {
                f.write_str(".")?;
            }
            f.write_str(&escape(name))?;
        }
        Ok(())
    }
}

fn escape(name: &str) -> String {
    if name.is_empty() {
        return "~2".to_owned();
    }
    name.replace('~', "~0").replace('.', "~1")
}

fn unescape(text: &str) -> String {
    if text == "~2" {
        return String::new();
    }
    text.replace("~1", ".").replace("~0", "~")
}

/// Puts `value` at the place that `names` lead to within `map`, or removes what is there. Objects
/// on the way are made where they are missing; an empty `names` changes nothing.
pub fn set_member(map: &mut Map<String, Value>, names: &[String], value: Option<Value>) {
    let Some((first, rest)) = names.split_first() else {
        return;
    };
    if rest.is_empty() {
        match value {
            Some(value) => drop(map.insert(first.clone(), value)),
            None => drop(map.remove(first)),
        }
        return;
    }
    let child = map.entry(first.clone()).or_insert(Value::Null);
    if !child.is_object() {
        *child = Value::Object(Map::new());
    }
    if let Value::Object(child) = child {
        set_member(child, rest, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn any_names_print_and_read_back() {
        for names in [
            vec![],
            vec![""],
            vec!["tags", "a.b", "~1", "~2", ""],
            vec!["ü"],
        ] {
            let path = JsonPath(names.into_iter().map(str::to_owned).collect());
            assert_eq!(JsonPath::parse(&path.to_string()), path);
        }
        assert_eq!(JsonPath::of("tags").to_string(), "tags");
    }

    #[test]
    fn a_member_is_set_and_removed_at_its_place() {
        let mut map = Map::new();
        let path = JsonPath::parse("a.b");
        set_member(&mut map, path.names(), Some(json!(1)));
        assert_eq!(Value::Object(map.clone()), json!({"a": {"b": 1}}));
        set_member(&mut map, path.names(), None);
        assert_eq!(Value::Object(map), json!({"a": {}}));
    }
}
