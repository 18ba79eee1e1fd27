//! What an answer must be: one that the description has, or a refusal in the hub's own form.

use hubshift_azure::{ErrorCode, headers};
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use serde_json::Value;

use crate::schema::Schemas;
use crate::spec::Operation;

/// An answer as it came.
pub(crate) struct Seen {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Seen {
    pub(crate) async fn read(response: reqwest::Response) -> reqwest::Result<Self> {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.bytes().await?.to_vec();
        Ok(Self {
            status,
            headers,
            body,
        })
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    pub(crate) fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

/// Why the answer is none that there may be.
pub(crate) fn judge(operation: &Operation, schemas: &Schemas, seen: &Seen) -> Result<(), String> {
    let found = match seen.status {
        200..300 => success(operation, schemas, seen),
        400..500 => refusal(operation, schemas, seen),
        _ => Err("a status that no answer may have".to_owned()),
    };
    found.map_err(|reason| format!("{} {}: {reason}", operation.id, seen.status))
}

fn success(operation: &Operation, schemas: &Schemas, seen: &Seen) -> Result<(), String> {
    match operation.responses.get(&seen.status) {
        None => Err("not in the description".to_owned()),
        Some(None) if seen.body.is_empty() => Ok(()),
        Some(None) => Err("has a body".to_owned()),
        Some(Some(_)) => {
            let body = json(seen)?;
            // The description knows twins only; projections, counts and jobs are rows of any form.
            let is_query = operation.id == "Query_GetTwins";
            if is_query && seen.header(headers::ITEM_TYPE) != "Twin" {
                return rows(&body);
            }
            schemas.check(&operation.id, seen.status, &body)
        }
    }
}

fn rows(body: &Value) -> Result<(), String> {
    let rows = body.as_array().ok_or("is no list")?;
    if rows.iter().all(Value::is_object) {
        Ok(())
    } else {
        Err("has a row that is no object".to_owned())
    }
}

fn refusal(operation: &Operation, schemas: &Schemas, seen: &Seen) -> Result<(), String> {
    let body = json(seen)?;
    // A bulk call that failed in part answers with its result.
    if operation.responses.contains_key(&seen.status) && body.get("isSuccessful").is_some() {
        return schemas.check(&operation.id, seen.status, &body);
    }
    let name = seen.header(headers::ERROR_CODE);
    let code = ErrorCode::find(name).ok_or_else(|| format!("unknown error {name:?}"))?;
    if code.status() != seen.status {
        return Err(format!("{name} has status {}", code.status()));
    }
    if seen.header(headers::REQUEST_ID).is_empty() {
        return Err("has no request id".to_owned());
    }
    if first_envelope(&body, name) || second_envelope(&body, code) || nested(&body, code) {
        Ok(())
    } else {
        Err(format!("is in neither envelope: {body}"))
    }
}

fn first_envelope(body: &Value, name: &str) -> bool {
    let start = format!("ErrorCode:{name};");
    let is_named = |text: &str| text.starts_with(&start);
    body["Message"].as_str().is_some_and(is_named) && body["ExceptionMessage"].is_string()
}

fn second_envelope(body: &Value, code: ErrorCode) -> bool {
    let number = code.number().map(u64::from);
    body["errorCode"].as_u64() == number
        && number.is_some()
        && ["message", "trackingId", "timestampUtc"]
            .iter()
            .all(|key| body[*key].is_string())
}

/// The second one as text in the first one's message: how methods are refused.
fn nested(body: &Value, code: ErrorCode) -> bool {
    let message = body["Message"].as_str().unwrap_or_default();
    let inner: Value = serde_json::from_str(message).unwrap_or_default();
    second_envelope(&inner, code)
}

fn json(seen: &Seen) -> Result<Value, String> {
    let kind = seen.header(CONTENT_TYPE.as_str());
    if !kind.starts_with("application/json") {
        return Err(format!("is no JSON but {kind:?}"));
    }
    seen.json()
        .ok_or_else(|| "has a body that is no JSON".to_owned())
}
