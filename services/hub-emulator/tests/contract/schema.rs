//! Schemas of the description (Swagger 2.0) as JSON Schema, draft 4, and answers checked by them.
//!
//! Where the two differ:
//! - Swagger 2.0 cannot say that a value may be null, and the real hub sends nulls
//!   (`statusReason`): what is not required may be null.
//! - An object without properties means any JSON (the values of `tags` are "objects").
//! - `int32` is a range.
//!
//! Fields that the description does not have are fine: the real hub sends some (`modelId`).

use std::collections::BTreeMap;

use jsonschema::{Draft, Validator};
use serde_json::{Map, Value, json};

use crate::spec::Spec;

/// How many differences are told.
const SHOWN: usize = 3;

/// What the answers of each operation and status must look like.
pub(crate) struct Schemas {
    validators: BTreeMap<(String, u16), Validator>,
}

impl Schemas {
    pub(crate) fn new(spec: &Spec) -> Self {
        let definitions = named(&spec.definitions);
        let mut validators = BTreeMap::new();
        for operation in &spec.operations {
            for (status, schema) in &operation.responses {
                if let Some(schema) = schema {
                    let validator = validator(schema, &definitions);
                    validators.insert((operation.id.clone(), *status), validator);
                }
            }
        }
        Self { validators }
    }

    /// Checks a body; the operation must have one with this status.
    pub(crate) fn check(&self, operation: &str, status: u16, body: &Value) -> Result<(), String> {
        let key = (operation.to_owned(), status);
        let validator = self
            .validators
            .get(&key)
            .ok_or_else(|| format!("{status} has no body in the description"))?;
        let errors: Vec<String> = validator
            .iter_errors(body)
            .take(SHOWN)
            .map(|error| error.to_string())
            .collect();
        if errors.is_empty() {
            Ok(())
        } else {
            Err(errors.join("; "))
        }
    }
}

fn validator(schema: &Value, definitions: &Value) -> Validator {
    // Draft 4 ignores what stands beside a $ref, so that the reference gets an object of its own.
    let document = json!({"allOf": [converted(schema)], "definitions": definitions});
    jsonschema::options()
        .with_draft(Draft::Draft4)
        .should_validate_formats(true)
        .build(&document)
        .expect("the schema is one")
}

fn converted(schema: &Value) -> Value {
    if let Some(target) = schema.get("$ref") {
        return json!({ "$ref": target });
    }
    let mut draft = Map::new();
    let is_object = schema["type"] == "object";
    let inside = ["properties", "additionalProperties"].map(|key| schema.get(key));
    if is_object && inside == [None, None] {
        return json!({});
    }
    for key in ["type", "enum", "required"] {
        if let Some(value) = schema.get(key) {
            draft.insert(key.to_owned(), value.clone());
        }
    }
    match schema["format"].as_str() {
        Some("int32") => {
            draft.insert("minimum".to_owned(), json!(i32::MIN));
            draft.insert("maximum".to_owned(), json!(i32::MAX));
        }
        Some("date-time") => {
            draft.insert("format".to_owned(), json!("date-time"));
        }
        _ => {}
    }
    for key in ["items", "additionalProperties"] {
        if let Some(inner) = schema.get(key) {
            draft.insert(key.to_owned(), converted(inner));
        }
    }
    if let Some(properties) = schema["properties"].as_object() {
        draft.insert("properties".to_owned(), fields(properties, schema));
    }
    Value::Object(draft)
}

fn fields(properties: &Map<String, Value>, schema: &Value) -> Value {
    let required = schema["required"].as_array();
    let is_required = |name: &str| {
        required.is_some_and(|required| required.iter().any(|required| required == name))
    };
    let field = |(name, property): (&String, &Value)| {
        let strict = converted(property);
        let schema = if is_required(name) {
            strict
        } else {
            json!({"anyOf": [{"type": "null"}, strict]})
        };
        (name.clone(), schema)
    };
    Value::Object(properties.iter().map(field).collect())
}

/// The same for all definitions.
fn named(definitions: &Value) -> Value {
    let definitions = definitions.as_object().unwrap().iter();
    Value::Object(
        definitions
            .map(|(name, schema)| (name.clone(), converted(schema)))
            .collect(),
    )
}

/// The converter itself, so that a check that passes everything would be seen.
#[test]
fn schemas_say_no_where_they_should() {
    let schemas = Schemas::new(&Spec::read());
    let check = |body: Value| schemas.check("Devices_GetIdentity", 200, &body);
    let good = json!({"deviceId": "d", "statusReason": null, "status": "enabled", "more": [1],
        "lastActivityTime": "0001-01-01T00:00:00Z", "cloudToDeviceMessageCount": 0,
        "statusUpdatedTime": "2026-11-23T04:05:06.1234567Z"});
    assert_eq!(check(good.clone()), Ok(()));
    for (name, value) in [
        ("deviceId", json!(1)),
        ("status", json!("on")),
        ("lastActivityTime", json!("yesterday")),
        ("cloudToDeviceMessageCount", json!(1_i64 << 31)),
        ("parentScopes", json!("scope")),
        (
            "authentication",
            json!({"symmetricKey": {"primaryKey": []}}),
        ),
    ] {
        let mut bad = good.clone();
        bad[name] = value;
        assert!(check(bad).is_err(), "{name}");
    }
    let tags = json!({"tags": {"a": 1, "b": {"c": [null]}}, "version": 3});
    assert_eq!(schemas.check("Devices_GetTwin", 200, &tags), Ok(()));
    assert!(schemas.check("Devices_GetTwin", 404, &tags).is_err());
}
