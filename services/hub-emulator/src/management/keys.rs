//! A hub's policies as the resource manager lists and takes them.

use hubshift_azure::Secret;
use serde::Deserialize;
use serde_json::{Value, json as object};

use super::answer::Problem;
use crate::access::{Policy, Right};

/// A policy as it is put.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Rule {
    key_name: String,
    primary_key: Option<Secret>,
    secondary_key: Option<Secret>,
    rights: String,
}

/// What `listkeys` answers.
pub(super) fn list(policies: &[Policy]) -> Value {
    let value: Vec<Value> = policies.iter().map(view).collect();
    object!({ "value": value })
}

fn view(policy: &Policy) -> Value {
    let key = |index: usize| policy.keys.get(index).map(Secret::expose);
    let rights: Vec<&str> = policy.rights.iter().map(|right| right.as_str()).collect();
    object!({
        "keyName": policy.name,
        "primaryKey": key(0),
        "secondaryKey": key(1),
        "rights": rights.join(", "),
    })
}

/// The policies that a hub is to have. A key that is left out or empty is made.
pub(super) fn read(rules: Vec<Rule>) -> Result<Vec<Policy>, Problem> {
    let mut policies: Vec<Policy> = Vec::new();
    for rule in rules {
        let policy = rule.policy()?;
        if policies.iter().any(|known| known.name == policy.name) {
            return Err(wrong("a policy is there twice"));
        }
        policies.push(policy);
    }
    Ok(policies)
}

impl Rule {
    fn policy(self) -> Result<Policy, Problem> {
        if self.key_name.is_empty() {
            return Err(wrong("a policy has no name"));
        }
        Ok(Policy {
            rights: rights(&self.rights)?,
            keys: vec![key(self.primary_key)?, key(self.secondary_key)?],
            name: self.key_name,
        })
    }
}

fn key(given: Option<Secret>) -> Result<Secret, Problem> {
    match given.filter(|key| !key.expose().is_empty()) {
        Some(key) if key.decode().is_err() => Err(wrong("a policy's key is not base64")),
        Some(key) => Ok(key),
        None => Secret::generate().map_err(|_| Problem::no_randomness()),
    }
}

/// `RegistryRead, ServiceConnect`. Who may write a registry may read it.
fn rights(text: &str) -> Result<Vec<Right>, Problem> {
    let mut rights = Vec::new();
    for name in text.split(',') {
        let right = Right::find(name.trim()).ok_or_else(|| wrong("a policy's right is unknown"))?;
        let implied = (right == Right::RegistryWrite).then_some(Right::RegistryRead);
        for right in implied.into_iter().chain([right]) {
            if !rights.contains(&right) {
                rights.push(right);
            }
        }
    }
    Ok(rights)
}

fn wrong(words: &'static str) -> Problem {
    Problem::bad_request("InvalidAuthorizationPolicy", words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policies(rules: Value) -> Result<Vec<Policy>, Problem> {
        read(serde_json::from_value(rules).unwrap())
    }

    #[test]
    fn policies_are_listed_as_they_were_put() {
        let rule = object!({"keyName": "mine", "primaryKey": "QUJD", "secondaryKey": "REVG",
            "rights": "RegistryRead, RegistryWrite, DeviceConnect"});
        let policies = policies(object!([rule])).unwrap();
        assert_eq!(list(&policies), object!({ "value": [rule] }));
    }

    #[test]
    fn missing_keys_are_made_and_writing_includes_reading() {
        let rule = object!({"keyName": "mine", "primaryKey": "", "rights": "registrywrite"});
        let policies = policies(object!([rule])).unwrap();
        let keys = &policies[0].keys;
        assert_eq!(keys.len(), 2);
        assert_ne!(keys[0], keys[1]);
        assert_eq!(
            policies[0].rights,
            [Right::RegistryRead, Right::RegistryWrite]
        );
    }

    #[test]
    fn mistakes_change_nothing_and_show_no_key() {
        let rule = |key: &str, rights: &str| object!({"keyName": "p", "primaryKey": key, "rights": rights});
        let wrong = [
            object!([rule("canary!", "RegistryRead")]),
            object!([rule("QUJD", "Everything")]),
            object!([rule("QUJD", "")]),
            object!([rule("QUJD", "RegistryRead"), rule("QUJD", "RegistryRead")]),
        ];
        for rules in wrong {
            let problem = policies(rules.clone()).err().unwrap();
            assert!(!format!("{problem:?}").contains("canary"), "{rules}");
        }
    }
}
