//! The part of Microsoft's description that a registry has, as operations.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Map, Value};

const TEXT: &str = include_str!("service.json");

/// Areas that are no part of a registry.
const LEFT_OUT: [&str; 2] = ["/digitaltwins/", "/messages/"];

pub(crate) struct Spec {
    pub(crate) operations: Vec<Operation>,
    /// The schemas that others refer to.
    pub(crate) definitions: Value,
}

/// One method of one path.
pub(crate) struct Operation {
    pub(crate) id: String,
    pub(crate) method: Method,
    /// With `{id}` and the like in it.
    pub(crate) path: String,
    /// The body's schema, if the operation has a body.
    pub(crate) body: Option<Value>,
    /// Headers that it reads.
    pub(crate) headers: Vec<String>,
    /// Query parameters besides the version.
    pub(crate) queries: Vec<String>,
    /// Schemas by status; nothing where the answer has no body.
    pub(crate) responses: BTreeMap<u16, Option<Value>>,
}

impl Spec {
    pub(crate) fn read() -> Self {
        let description: Value = serde_json::from_str(TEXT).unwrap();
        let mut operations = Vec::new();
        for (path, methods) in description["paths"].as_object().unwrap() {
            if LEFT_OUT.iter().any(|area| path.starts_with(area)) {
                continue;
            }
            for (method, operation) in methods.as_object().unwrap() {
                operations.push(Operation::read(method, path, operation));
            }
        }
        Self {
            operations,
            definitions: description["definitions"].clone(),
        }
    }

    pub(crate) fn find(&self, id: &str) -> &Operation {
        let mut operations = self.operations.iter();
        operations
            .find(|operation| operation.id == id)
            .unwrap_or_else(|| panic!("{id} is not in the description"))
    }
}

impl Operation {
    fn read(method: &str, path: &str, operation: &Value) -> Self {
        let parameters = operation["parameters"].as_array();
        let parameters = parameters.map(Vec::as_slice).unwrap_or_default();
        let named = |place: &str| -> Vec<String> {
            let is_here = |parameter: &&Value| parameter["in"] == place;
            let here = parameters.iter().filter(is_here);
            here.map(|parameter| parameter["name"].as_str().unwrap().to_owned())
                .collect()
        };
        let body = parameters
            .iter()
            .find(|parameter| parameter["in"] == "body");
        Self {
            id: operation["operationId"].as_str().unwrap().to_owned(),
            method: method.to_uppercase().parse().unwrap(),
            path: path.to_owned(),
            body: body.map(|parameter| parameter["schema"].clone()),
            headers: named("header"),
            queries: named("query"),
            responses: responses(operation["responses"].as_object().unwrap()),
        }
    }
}

fn responses(responses: &Map<String, Value>) -> BTreeMap<u16, Option<Value>> {
    let pairs = responses.iter();
    pairs
        .map(|(status, response)| (status.parse().unwrap(), response.get("schema").cloned()))
        .collect()
}
