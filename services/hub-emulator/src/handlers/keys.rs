//! New keys for up to 100 devices and modules in one call.

use std::collections::HashSet;

use http::StatusCode;
use http::request::Parts;
use hubshift_azure::{
    ErrorCode, KeyOwner, KeyRotation, KeyRotationError, KeyRotationResult, PolicyKey, api_version,
};

use super::parse;
use crate::answer::{Answer, Refusal};
use crate::app::{self, App};

/// The most owners of keys in one call.
const MAX_OWNERS: usize = 100;

/// 200 if all have new keys, 207 if some have, 400 if none has. The body is the same.
pub(super) fn regenerate(app: &App, head: &Parts, body: &[u8]) -> Result<Answer, Refusal> {
    if app::parameter(head, "api-version") != Some(api_version::KEY_ROTATION) {
        let words = "this api-version does not know how to make new keys";
        return Err(Refusal::new(ErrorCode::InvalidProtocolVersion, words));
    }
    let (key, owners) = checked(parse(body, KeyRotation::from_value)?)?;
    let result = rotate(app, key, owners);
    let status = match (result.errors.is_empty(), result.rotated_keys.is_empty()) {
        (true, _) => StatusCode::OK,
        (false, false) => StatusCode::MULTI_STATUS,
        (false, true) => StatusCode::BAD_REQUEST,
    };
    Ok(Answer::json(&result)?.with_status(status))
}

/// What is asked, if there is nothing wrong with the call as a whole.
fn checked(asked: KeyRotation) -> Result<(PolicyKey, Vec<KeyOwner>), Refusal> {
    let key = asked.policy_key.ok_or_else(|| {
        let words = "policyKey must be one of primaryKey, secondaryKey, both";
        Refusal::new(ErrorCode::InvalidPolicyKey, words)
    })?;
    if asked.devices.len() > MAX_OWNERS {
        let words = "a call has at most 100 devices";
        return Err(Refusal::new(ErrorCode::TooManyDevices, words));
    }
    match repeated(&asked.devices) {
        Some(twice) => Err(Refusal::new(
            ErrorCode::DeviceDefinedMultipleTimes,
            &twice.id,
        )),
        None => Ok((key, asked.devices)),
    }
}

fn repeated(owners: &[KeyOwner]) -> Option<&KeyOwner> {
    let mut seen = HashSet::new();
    owners.iter().find(|owner| !seen.insert(*owner))
}

fn rotate(app: &App, key: PolicyKey, owners: Vec<KeyOwner>) -> KeyRotationResult {
    let mut registry = app.registry();
    let mut result = KeyRotationResult {
        policy_key: key,
        rotated_keys: Vec::new(),
        errors: Vec::new(),
    };
    for owner in owners {
        match registry.rotate_keys(&owner, key) {
            Ok(keys) => result.rotated_keys.push(keys),
            Err(refusal) => result.errors.push(KeyRotationError {
                owner,
                error_code: refusal.code.name().to_owned(),
                error_status: refusal.words,
            }),
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn code(json: serde_json::Value) -> Option<ErrorCode> {
        let asked = KeyRotation::from_value(json).unwrap();
        checked(asked).err().map(|refusal| refusal.code)
    }

    #[test]
    fn a_call_is_checked_as_a_whole_first() {
        let many: Vec<_> = (0..101).map(|n| json!({"id": format!("d{n}")})).collect();
        let too_many = json!({"policyKey": "both", "devices": many});
        assert_eq!(code(too_many), Some(ErrorCode::TooManyDevices));
        let unknown = json!({"policyKey": "third", "devices": []});
        assert_eq!(code(unknown), Some(ErrorCode::InvalidPolicyKey));
        let twice = json!({"policyKey": "both", "devices": [{"id": "d"}, {"id": "d"}]});
        assert_eq!(code(twice), Some(ErrorCode::DeviceDefinedMultipleTimes));
        let module = json!({"policyKey": "both", "devices": [
            {"id": "d"}, {"id": "d", "moduleId": "m"}]});
        assert_eq!(code(module), None);
    }
}
