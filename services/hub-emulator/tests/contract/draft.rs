//! A request before it is sent: made from an operation, then bent.

use std::fmt;

use hubshift_azure::path;
use rand::Rng as _;
use rand::rngs::StdRng;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue, IF_MATCH};
use serde_json::Value;

use crate::generate::Maker;
use crate::pools::{self, one_of};
use crate::spec::{Operation, Spec};

/// A request. What `json` holds is the body unless `raw` says something else.
pub(crate) struct Draft {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) queries: Vec<(&'static str, String)>,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    pub(crate) json: Option<Value>,
    pub(crate) raw: Option<Vec<u8>>,
    /// How it was bent, for the report.
    pub(crate) bent: Vec<&'static str>,
}

impl Draft {
    /// A request as the description has it, with names that may be there.
    pub(crate) fn new(operation: &Operation, spec: &Spec, scope: &str, rng: &mut StdRng) -> Self {
        let names = Names::choose(operation, rng);
        let json = operation.body.as_ref().map(|schema| {
            let mut maker = Maker {
                rng: &mut *rng,
                definitions: &spec.definitions,
                scope,
                id: names.id.clone(),
                module: names.module.clone(),
            };
            maker.value("", schema)
        });
        let mut headers = headers(operation, rng);
        if json.is_some() {
            let kind = HeaderValue::from_static("application/json; charset=utf-8");
            headers.push((CONTENT_TYPE, kind));
        }
        Self {
            method: operation.method.clone(),
            path: names.fill(&operation.path),
            queries: queries(operation, rng),
            headers,
            json,
            raw: None,
            bent: Vec::new(),
        }
    }

    /// Path and query.
    pub(crate) fn target(&self) -> String {
        let pairs = self.queries.iter();
        let pairs = pairs.map(|(name, value)| format!("{name}={}", path::encode_segment(value)));
        format!("{}?{}", self.path, pairs.collect::<Vec<_>>().join("&"))
    }

    /// The body as it goes out.
    pub(crate) fn body(&self) -> Option<Vec<u8>> {
        let json = self.json.as_ref().map(|json| json.to_string().into_bytes());
        self.raw.clone().or(json)
    }
}

/// For the report: enough to see what was sent, never a whole huge body.
impl fmt::Debug for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body = self.body().unwrap_or_default();
        let body: String = String::from_utf8_lossy(&body).chars().take(600).collect();
        let path: String = self.target().chars().take(200).collect();
        write!(f, "{} {path} {:?}", self.method, self.headers)?;
        write!(f, " bent: {:?} body: {body}", self.bent)
    }
}

/// The names that a path has places for.
struct Names {
    id: Option<String>,
    module: Option<String>,
}

impl Names {
    fn choose(operation: &Operation, rng: &mut StdRng) -> Self {
        let has = |names: [&str; 2]| names.iter().any(|name| operation.path.contains(name));
        let id = has(["{id}", "{deviceId}"]).then(|| pools::name(&operation.path, rng));
        let module = has(["{mid}", "{moduleId}"]).then(|| pools::module(rng));
        Self { id, module }
    }

    fn fill(&self, template: &str) -> String {
        let encoded = |name: &Option<String>| path::encode_segment(name.as_deref().unwrap_or(""));
        let (id, module) = (encoded(&self.id), encoded(&self.module));
        let path = template.replace("{id}", &id).replace("{deviceId}", &id);
        path.replace("{mid}", &module)
            .replace("{moduleId}", &module)
    }
}

/// `If-Match` decides whether a write is one: mostly it lets it through.
fn headers(operation: &Operation, rng: &mut StdRng) -> Vec<(HeaderName, HeaderValue)> {
    let mut headers = Vec::new();
    let is_needed = operation.method == Method::DELETE;
    for name in &operation.headers {
        if name == "If-Match" && (is_needed || rng.random_bool(0.6)) {
            let tag = one_of(&["\"*\"", "*", "\"*\"", "\"MA==\"", "AAAAAAAAAAE="], rng);
            headers.push((IF_MATCH, HeaderValue::from_static(tag)));
        }
        if name == "x-ms-max-item-count" && rng.random_bool(0.5) {
            let size = one_of(&["1", "10", "100"], rng);
            let name = HeaderName::from_static("x-ms-max-item-count");
            headers.push((name, HeaderValue::from_static(size)));
        }
    }
    headers
}

fn queries(operation: &Operation, rng: &mut StdRng) -> Vec<(&'static str, String)> {
    let versions = ["2021-04-12", "2021-04-12", "2020-09-30", "2024-03-31"];
    let mut queries = vec![("api-version", one_of(&versions, rng).to_owned())];
    for name in &operation.queries {
        let (name, values) = match name.as_str() {
            "top" => ("top", ["1", "5", "1000"]),
            "jobType" => (
                "jobType",
                ["scheduleUpdateTwin", "scheduleDeviceMethod", "unknown"],
            ),
            "jobStatus" => ("jobStatus", ["completed", "running", "queued"]),
            other => panic!("no values for {other}"),
        };
        if rng.random_bool(0.6) {
            queries.push((name, one_of(&values, rng).to_owned()));
        }
    }
    queries
}
