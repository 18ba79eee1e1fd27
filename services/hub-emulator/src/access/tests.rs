//! Policies and their tokens.

use hubshift_azure::sas;

use super::*;
use crate::registry::sample;

const HOST: &str = "127.0.0.1:8443";

fn key(fill: &str) -> Secret {
    Secret::new(format!("{}=", fill.repeat(43)))
}

fn access_of(policies: Vec<Secret>) -> Result<Access, StartError> {
    let options = Options {
        policies,
        ..Options::local("iothubowner", &key("A"))
    };
    Access::new(&options, vec![HOST.to_owned()])
}

fn access() -> Access {
    let policy = |name: &str, fill| Secret::new(format!("{name}:{}", key(fill).expose()));
    let policies = vec![
        policy("iothubowner", "A"),
        policy("registryRead", "A"),
        policy("iothubowner", "C"),
    ];
    access_of(policies).unwrap()
}

fn is_allowed(access: &Access, resource: &str, policy: &str, key: &Secret) -> bool {
    allows(access, resource, policy, key, &Operation::ListDevices)
}

fn allows(
    access: &Access,
    resource: &str,
    policy: &str,
    key: &Secret,
    operation: &Operation,
) -> bool {
    let now = OffsetDateTime::now_utc();
    let token = sas::token(resource, key, Some(policy), now).unwrap();
    let checked = access.check_service(Some(token.expose()), operation, now);
    checked == Ok(Caller::Sas)
}

#[test]
fn a_policy_allows_what_its_name_says() {
    let access = access();
    let (read, write) = (Operation::ListDevices, Operation::BulkDevices);
    let allows = |policy, operation| allows(&access, HOST, policy, &key("A"), operation);
    assert!(allows("registryRead", &read));
    assert!(!allows("registryRead", &write));
    assert!(!allows("registryRead", &Operation::Query));
    assert!(allows("iothubowner", &write));
}

#[test]
fn transfers_take_every_right_if_that_is_ordered() {
    let text = |name: &str| Secret::new(format!("{name}:{}", key("A").expose()));
    let names = ["iothubowner", "registryReadWrite"];
    let mut options = Options {
        policies: names.map(text).to_vec(),
        ..Options::local("iothubowner", &key("A"))
    };
    let job = Operation::CreateJob;
    for (is_strict, expected) in [(false, [true, true]), (true, [true, false])] {
        options.job.strict_job_access = is_strict;
        let access = Access::new(&options, vec![HOST.to_owned()]).unwrap();
        let found = names.map(|name| allows(&access, HOST, name, &key("A"), &job));
        assert_eq!(found, expected, "{is_strict}");
        let device = Operation::ListDevices;
        assert!(allows(&access, HOST, names[1], &key("A"), &device));
    }
}

#[test]
fn wrong_key_unknown_policy_and_narrow_scope_are_refused() {
    let access = access();
    assert!(!is_allowed(&access, HOST, "iothubowner", &key("B")));
    assert!(!is_allowed(&access, HOST, "registryReadWrite", &key("A")));
    let narrow = format!("{HOST}/devices/d");
    assert!(!is_allowed(&access, &narrow, "iothubowner", &key("A")));
    assert!(!is_allowed(&access, "other:8443", "iothubowner", &key("A")));
}

#[test]
fn a_policy_that_is_given_twice_has_both_keys() {
    let access = access();
    assert!(is_allowed(&access, HOST, "iothubowner", &key("A")));
    assert!(is_allowed(&access, HOST, "iothubowner", &key("C")));
    assert!(!is_allowed(&access, HOST, "registryRead", &key("C")));
    assert_eq!(access.first().unwrap().1, key("A"));
}

#[test]
fn replaced_policies_are_good_at_once_and_the_old_keys_are_not() {
    let access = access();
    access.policies.replace(vec![Policy {
        name: "mine".to_owned(),
        rights: vec![Right::RegistryRead],
        keys: vec![key("D")],
    }]);
    assert!(!is_allowed(&access, HOST, "iothubowner", &key("A")));
    assert!(is_allowed(&access, HOST, "mine", &key("D")));
}

#[test]
fn mistakes_in_policies_are_told_without_the_key() {
    for text in ["canary", "canary:canary", "iothubowner:canary!"] {
        let error = access_of(vec![Secret::new(text)]).err().unwrap();
        assert!(!error.to_string().contains("canary"), "{error}");
        assert_eq!(error.exit_code(), 64);
    }
    assert!(access_of(Vec::new()).is_err());
}

#[test]
fn modules_are_out_of_reach_by_signature_where_their_device_is() {
    let disabled = Record {
        status: Status::Disabled,
        ..sample("d")
    };
    let (signed, bearer) = (Some(&Caller::Sas), Some(&Caller::Bearer));
    assert!(check_modules(signed, Some(&sample("d"))).is_ok());
    assert!(check_modules(signed, Some(&disabled)).is_err());
    assert!(check_modules(signed, None).is_err());
    assert!(check_modules(bearer, Some(&disabled)).is_ok());
    assert!(check_modules(bearer, None).is_ok());
}
