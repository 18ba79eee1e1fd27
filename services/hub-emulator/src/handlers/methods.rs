//! Direct methods and messages to devices. No device of this hub takes either.

use hubshift_azure::{ErrorCode, FieldError};
use serde_json::{Value, json};

use super::parse;
use crate::answer::{Answer, Refusal};
use crate::app::App;

/// A device that is there is never online for methods: it comes by HTTPS, if it comes at all.
pub(super) fn invoke(
    app: &App,
    id: &str,
    module: Option<&str>,
    body: &[u8],
) -> Result<Answer, Refusal> {
    parse(body, method_name)?;
    let registry = app.registry();
    match module {
        Some(module) => {
            registry.module((id, module))?;
        }
        None => {
            registry.get(id)?;
        }
    }
    let words = "The operation failed because the requested device isn't online.";
    Err(Refusal::new(ErrorCode::DeviceNotOnline, words).nested())
}

/// Messages that wait for a device are thrown away: there are none.
pub(super) fn purge(app: &App, id: &str) -> Result<Answer, Refusal> {
    app.registry().get(id)?;
    Answer::json(&json!({"deviceId": id, "totalMessagesPurged": 0, "moduleId": null}))
}

fn method_name(value: Value) -> Result<String, FieldError> {
    value
        .get("methodName")
        .and_then(Value::as_str)
        .map(str::to_owned)
        .ok_or_else(|| FieldError {
            path: "methodName".to_owned(),
            problem: "must be a string".to_owned(),
        })
}
