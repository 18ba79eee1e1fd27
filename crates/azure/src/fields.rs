//! Reading JSON objects as the hub does: keys in any case, unknown keys ignored.
//!
//! Clients disagree about case (`eTag` and `etag`, `PrimaryThumbprint`), so derived readers do
//! not do. Errors name the field and never its value, which may be a key in the wrong place.

use std::collections::{BTreeMap, HashMap};
use std::str::FromStr;

use serde_json::{Map, Value};

use crate::secret::Secret;
use crate::wire_enum::UnknownName;

/// A field that cannot be read. The text names the field, never its value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path} {problem}")]
pub struct FieldError {
    /// Where: `authentication.symmetricKey`.
    pub path: String,
    /// What is wrong with it: `must be an object`.
    pub problem: String,
}

/// The fields of one object, by lower-case name. Fields that are taken are gone.
pub(crate) struct Fields {
    path: String,
    by_name: HashMap<String, Value>,
}

impl Fields {
    pub(crate) fn of(value: Value, path: &str) -> Result<Self, FieldError> {
        let Value::Object(object) = value else {
            let shown = if path.is_empty() { "the value" } else { path };
            return Err(error(shown.to_owned(), "must be an object"));
        };
        let mut fields = Self {
            path: path.to_owned(),
            by_name: HashMap::new(),
        };
        for (name, value) in object {
            if fields
                .by_name
                .insert(name.to_ascii_lowercase(), value)
                .is_some()
            {
                return Err(error(fields.full(&name), "is given twice"));
            }
        }
        Ok(fields)
    }

    pub(crate) fn string(&mut self, name: &str) -> Result<Option<String>, FieldError> {
        self.take(name, "must be a string", |value| match value {
            Value::String(text) => Some(text),
            _ => None,
        })
    }

    /// An empty key is no key: some clients send `""` where they mean "make one".
    pub(crate) fn secret(&mut self, name: &str) -> Result<Option<Secret>, FieldError> {
        Ok(self.filled(name)?.map(Secret::new))
    }

    /// A string where empty means absent.
    pub(crate) fn filled(&mut self, name: &str) -> Result<Option<String>, FieldError> {
        Ok(self.string(name)?.filter(|text| !text.is_empty()))
    }

    pub(crate) fn integer(&mut self, name: &str) -> Result<Option<i64>, FieldError> {
        self.take(name, "must be a whole number", |value| value.as_i64())
    }

    /// A whole number of 32 bits.
    pub(crate) fn small_integer(&mut self, name: &str) -> Result<Option<i32>, FieldError> {
        self.take(name, "must be a whole number of 32 bits", |value| {
            value.as_i64().and_then(|number| i32::try_from(number).ok())
        })
    }

    pub(crate) fn boolean(&mut self, name: &str) -> Result<Option<bool>, FieldError> {
        self.take(name, "must be true or false", |value| value.as_bool())
    }

    pub(crate) fn object(&mut self, name: &str) -> Result<Option<Map<String, Value>>, FieldError> {
        self.take(name, "must be an object", |value| match value {
            Value::Object(map) => Some(map),
            _ => None,
        })
    }

    /// An object whose values are all of one kind. Its names keep their case.
    pub(crate) fn map<T>(
        &mut self,
        name: &str,
        problem: &str,
        read: impl Fn(Value) -> Option<T>,
    ) -> Result<Option<BTreeMap<String, T>>, FieldError> {
        self.take(name, problem, |value| match value {
            Value::Object(map) => map
                .into_iter()
                .map(|(name, value)| Some((name, read(value)?)))
                .collect::<Option<BTreeMap<String, T>>>(),
            _ => None,
        })
    }

    /// An object of texts.
    pub(crate) fn texts(
        &mut self,
        name: &str,
    ) -> Result<Option<BTreeMap<String, String>>, FieldError> {
        self.map(name, "must be an object of strings", |value| match value {
            Value::String(text) => Some(text),
            _ => None,
        })
    }

    /// A list of objects.
    pub(crate) fn list<T>(
        &mut self,
        name: &str,
        read: impl Fn(Fields) -> Result<T, FieldError>,
    ) -> Result<Option<Vec<T>>, FieldError> {
        let path = self.full(name);
        match self.present(name) {
            None => Ok(None),
            Some(Value::Array(items)) => items
                .into_iter()
                .enumerate()
                .map(|(index, item)| Self::of(item, &format!("{path}[{index}]")).and_then(&read))
                .collect::<Result<Vec<T>, FieldError>>()
                .map(Some),
            Some(_) => Err(error(path, "must be a list")),
        }
    }

    pub(crate) fn strings(&mut self, name: &str) -> Result<Option<Vec<String>>, FieldError> {
        self.take(name, "must be a list of strings", |value| match value {
            Value::Array(items) => items
                .into_iter()
                .map(|item| match item {
                    Value::String(text) => Some(text),
                    _ => None,
                })
                .collect::<Option<Vec<String>>>(),
            _ => None,
        })
    }

    pub(crate) fn choice<T>(&mut self, name: &str) -> Result<Option<T>, FieldError>
    where
        T: FromStr<Err = UnknownName>,
    {
        let path = self.full(name);
        let Some(text) = self.string(name)? else {
            return Ok(None);
        };
        text.parse()
            .map(Some)
            .map_err(|unknown: UnknownName| error(path, &unknown.to_string()))
    }

    /// As [`Self::choice`], where newer hubs may have names that are not known here.
    pub(crate) fn choice_or<T: FromStr>(
        &mut self,
        name: &str,
        unknown: T,
    ) -> Result<Option<T>, FieldError> {
        Ok(self
            .string(name)?
            .map(|text| text.parse().unwrap_or(unknown)))
    }

    pub(crate) fn nested<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(Fields) -> Result<T, FieldError>,
    ) -> Result<Option<T>, FieldError> {
        let path = self.full(name);
        let Some(value) = self.present(name) else {
            return Ok(None);
        };
        Self::of(value, &path).and_then(read).map(Some)
    }

    fn take<T>(
        &mut self,
        name: &str,
        problem: &str,
        read: impl FnOnce(Value) -> Option<T>,
    ) -> Result<Option<T>, FieldError> {
        let Some(value) = self.present(name) else {
            return Ok(None);
        };
        read(value)
            .map(Some)
            .ok_or_else(|| error(self.full(name), problem))
    }

    fn present(&mut self, name: &str) -> Option<Value> {
        self.by_name
            .remove(&name.to_ascii_lowercase())
            .filter(|value| !value.is_null())
    }

    fn full(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        }
    }
}

fn error(path: String, problem: &str) -> FieldError {
    FieldError {
        path,
        problem: problem.to_owned(),
    }
}

/// Reads the type through `from_value`, so that serde callers get the same tolerance.
macro_rules! deserialize_by_fields {
    ($type:ty) => {
        impl $type {
            /// Reads the JSON form: keys in any case, unknown keys ignored.
            pub fn from_value(value: serde_json::Value) -> Result<Self, $crate::FieldError> {
                $crate::fields::Fields::of(value, "").and_then(Self::read)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let value = <serde_json::Value as serde::Deserialize>::deserialize(d)?;
                Self::from_value(value).map_err(serde::de::Error::custom)
            }
        }
    };
}

pub(crate) use deserialize_by_fields;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_are_found_in_any_case() {
        let mut fields = Fields::of(json!({"ETAG": "a"}), "").unwrap();
        assert_eq!(fields.string("eTag").unwrap().as_deref(), Some("a"));
    }

    #[test]
    fn two_spellings_of_one_key_are_refused() {
        let found = Fields::of(json!({"id": "a", "ID": "b"}), "").err().unwrap();
        assert!(
            found
                .to_string()
                .to_lowercase()
                .contains("id is given twice")
        );
    }

    #[test]
    fn an_error_names_the_path_and_not_the_value() {
        let mut fields = Fields::of(json!({"symmetricKey": "canary"}), "authentication").unwrap();
        let found = fields.object("symmetricKey").unwrap_err();
        assert_eq!(
            found.to_string(),
            "authentication.symmetricKey must be an object"
        );
    }

    #[test]
    fn an_item_of_a_list_is_named_by_its_place() {
        let mut fields = Fields::of(json!({"devices": [{"id": "a"}, {"id": 1}]}), "").unwrap();
        let read = |mut item: Fields| item.string("id");
        let found = fields.list("devices", read).unwrap_err();
        assert_eq!(found.to_string(), "devices[1].id must be a string");
    }

    #[test]
    fn a_map_keeps_the_case_of_its_names_and_has_one_kind_of_value() {
        let object = json!({"labels": {"Room": "4"}, "other": {"a": 1}});
        let mut fields = Fields::of(object, "").unwrap();
        assert_eq!(fields.texts("LABELS").unwrap().unwrap()["Room"], "4");
        let found = fields.texts("other").unwrap_err();
        assert_eq!(found.to_string(), "other must be an object of strings");
    }

    #[test]
    fn null_is_absent() {
        let mut fields = Fields::of(json!({"status": null}), "").unwrap();
        assert_eq!(fields.string("status").unwrap(), None);
    }
}
