//! Bodies by schema: what the description allows, and mostly what a hub takes.

use rand::Rng as _;
use rand::rngs::StdRng;
use serde_json::{Map, Value, json};

use crate::common::key;
use crate::pools::{self, one_of};

/// How often a field that may be left out is there.
const PRESENT: f64 = 0.6;
/// How deep JSON of no given form may be.
const DEPTH: usize = 3;

const WORDS: [&str; 8] = [
    "a",
    "site",
    "ä€𝄞",
    "two words",
    "0",
    "true",
    "x/y",
    "\"quoted\\\"",
];
const NAMES: [&str; 10] = [
    "site", "floor", "rate", "a", "b", "c", "deep", "ÄÖ", "with.dot", "$dollar",
];
const TIMES: [&str; 4] = [
    "2026-11-23T04:05:06.1234567Z",
    "2030-01-01T00:00:00+02:00",
    "0001-01-01T00:00:00Z",
    "1999-12-31T23:59:59Z",
];
/// A container on a port that nothing listens on: jobs must not reach for any other machine.
const CONTAINERS: [&str; 3] = [
    "http://127.0.0.1:9/c?sv=2019-12-12&sig=eA%3D%3D",
    "no uri",
    "",
];
const ETAGS: [&str; 4] = ["MA==", "AAAAAAAAAAE=", "*", "not an etag"];

/// Makes values for one request.
pub(crate) struct Maker<'a> {
    pub(crate) rng: &'a mut StdRng,
    pub(crate) definitions: &'a Value,
    /// The scope of an Edge device.
    pub(crate) scope: &'a str,
    /// The path's own names; a bulk call has none, and its entries choose.
    pub(crate) id: Option<String>,
    pub(crate) module: Option<String>,
}

impl Maker<'_> {
    /// A value for a field of this name and schema.
    pub(crate) fn value(&mut self, name: &str, schema: &Value) -> Value {
        if let Some(target) = schema["$ref"].as_str() {
            let definitions = self.definitions;
            let name = target.rsplit('/').next().unwrap_or_default();
            return self.value(name, &definitions[name]);
        }
        if let Some(value) = self.known(name) {
            return value;
        }
        if let Some(choices) = schema["enum"].as_array() {
            let choice = self.rng.random_range(0..choices.len());
            return choices[choice].clone();
        }
        match schema["type"].as_str() {
            Some("object") => self.object(schema),
            Some("array") => {
                let count = self.rng.random_range(0..4);
                (0..count)
                    .map(|_| self.value(name, &schema["items"]))
                    .collect()
            }
            Some("integer") => json!(self.rng.random_range(-1..400)),
            Some("boolean") => json!(self.rng.random_bool(0.5)),
            Some("string") if schema["format"] == "date-time" => json!(one_of(&TIMES, self.rng)),
            _ => json!(one_of(&WORDS, self.rng)),
        }
    }

    fn object(&mut self, schema: &Value) -> Value {
        let mut object = Map::new();
        let Some(properties) = schema["properties"].as_object() else {
            let Some(inner) = schema.get("additionalProperties") else {
                return self.anything(DEPTH);
            };
            for _ in 0..self.rng.random_range(0..4) {
                let name = one_of(&NAMES, self.rng);
                object.insert(name.to_owned(), self.value("", inner));
            }
            return Value::Object(object);
        };
        for (name, property) in properties {
            let is_needed = matches!(name.as_str(), "id" | "deviceId" | "moduleId" | "query");
            if is_needed || self.rng.random_bool(PRESENT) {
                object.insert(name.clone(), self.value(name, property));
            }
        }
        Value::Object(object)
    }

    /// Values that a hub looks into.
    fn known(&mut self, name: &str) -> Option<Value> {
        let rng = &mut *self.rng;
        Some(match name {
            "id" | "deviceId" => json!(self.id.clone().unwrap_or_else(|| pools::device(rng))),
            // An entry of a bulk call is a module's now and then.
            "moduleId" if self.module.is_none() && rng.random_bool(0.8) => Value::Null,
            "moduleId" => json!(self.module.clone().unwrap_or_else(|| pools::module(rng))),
            "jobId" => json!(self.id),
            "AuthenticationMechanism" if rng.random_bool(0.8) => authentication(rng),
            "primaryKey" | "secondaryKey" => json!(key('D').expose()),
            "primaryThumbprint" | "secondaryThumbprint" => json!("0f".repeat(20)),
            "etag" | "eTag" | "twinETag" => json!(one_of(&ETAGS, rng)),
            "query" => json!(one_of(&pools::QUERIES, rng)),
            "targetCondition" | "queryCondition" => json!(one_of(&pools::CONDITIONS, rng)),
            "deviceScope" if rng.random_bool(0.7) => Value::Null,
            "deviceScope" => json!(self.scope),
            "parentScopes" if rng.random_bool(0.7) => json!([]),
            "parentScopes" => json!([self.scope]),
            "inputBlobContainerUri" | "outputBlobContainerUri" => json!(one_of(&CONTAINERS, rng)),
            _ => return None,
        })
    }

    /// JSON of no given form.
    fn anything(&mut self, depth: usize) -> Value {
        let kinds = if depth == 0 { 5 } else { 7 };
        match self.rng.random_range(0..kinds) {
            0 => Value::Null,
            1 => json!(self.rng.random_bool(0.5)),
            2 => json!(self.rng.random_range(-1000..1000)),
            3 => json!(f64::from(self.rng.random_range(-8_i32..8)) / 4.0),
            4 => json!(one_of(&WORDS, self.rng)),
            5 => (0..2).map(|_| self.anything(depth - 1)).collect(),
            _ => {
                let name = one_of(&NAMES, self.rng);
                json!({ name: self.anything(depth - 1) })
            }
        }
    }
}

/// One that a hub takes.
fn authentication(rng: &mut StdRng) -> Value {
    let keys = json!({"primaryKey": key('B').expose(), "secondaryKey": key('C').expose()});
    match rng.random_range(0..4) {
        0 => json!({"type": "sas", "symmetricKey": keys}),
        1 => json!({"type": "sas", "symmetricKey": {"primaryKey": "", "secondaryKey": ""}}),
        2 => json!({"type": "certificateAuthority"}),
        _ => {
            json!({"type": "selfSigned", "x509Thumbprint": {"primaryThumbprint": "0f".repeat(20)}})
        }
    }
}
