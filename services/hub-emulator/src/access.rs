//! Who may do what: shared access policies, and devices with their own keys.
//!
//! Every refusal is the same 401; the reason goes to the log only, as with the real hub.

use std::path::Path;

use hubshift_azure::sas::Token;
use hubshift_azure::{Secret, Status};
use time::OffsetDateTime;
use tracing::debug;

use crate::answer::Refusal;
use crate::operation::{Class, Operation};
use crate::outage::CallKind;
use crate::registry::Record;
use crate::start_error::StartError;

/// What a policy can allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Right {
    RegistryRead,
    RegistryWrite,
    ServiceConnect,
    DeviceConnect,
}

/// A shared access policy: its name says what it allows, its key opens it.
struct Policy {
    name: String,
    key: Secret,
}

/// All policies, and the names by which the hub is known.
pub(crate) struct Access {
    policies: Vec<Policy>,
    hosts: Vec<String>,
}

const POLICY_NAMES: &str = "iothubowner, service, device, registryRead, registryReadWrite";

impl Policy {
    fn parse(text: &Secret) -> Result<Self, StartError> {
        let wrong = || StartError::Policy("a policy must be NAME:BASE64KEY".to_owned());
        let (name, key) = text.expose().trim().split_once(':').ok_or_else(wrong)?;
        let key = Secret::new(key);
        if rights(name).is_empty() {
            let text = format!("a policy's name must be one of {POLICY_NAMES}");
            return Err(StartError::Policy(text));
        }
        if key.decode().is_err() {
            return Err(StartError::Policy(format!(
                "the key of policy {name} is not base64"
            )));
        }
        Ok(Self {
            name: name.to_owned(),
            key,
        })
    }
}

fn rights(policy: &str) -> &'static [Right] {
    use Right::{DeviceConnect, RegistryRead, RegistryWrite, ServiceConnect};
    match policy {
        "iothubowner" => &[RegistryRead, RegistryWrite, ServiceConnect, DeviceConnect],
        "service" => &[ServiceConnect],
        "device" => &[DeviceConnect],
        "registryRead" => &[RegistryRead],
        "registryReadWrite" => &[RegistryRead, RegistryWrite],
        _ => &[],
    }
}

fn needed(operation: &Operation) -> Right {
    use Right::{DeviceConnect, RegistryRead, RegistryWrite, ServiceConnect};
    match (operation.class(), operation) {
        (Class::Device, _) => DeviceConnect,
        (_, Operation::DeviceStatistics) => RegistryRead,
        // An export reads keys, an import writes devices.
        (_, Operation::CreateJob | Operation::CancelJob(_)) => RegistryWrite,
        (_, Operation::ListJobs | Operation::GetJob(_)) => RegistryRead,
        (Class::Registry, _) if operation.kind() == CallKind::Read => RegistryRead,
        (Class::Registry, _) => RegistryWrite,
        (Class::Query | Class::TwinRead | Class::TwinWrite | Class::Job | Class::Free, _) => {
            ServiceConnect
        }
        (Class::Configuration, _) if operation.kind() == CallKind::Read => RegistryRead,
        (Class::Configuration, _) => RegistryWrite,
    }
}

impl Access {
    /// Reads the policies of the command line and of the file, and checks that there is one.
    pub(crate) fn new(
        policies: &[Secret],
        file: Option<&Path>,
        hosts: Vec<String>,
    ) -> Result<Self, StartError> {
        let mut texts = policies.to_vec();
        if let Some(path) = file {
            texts.extend(read(path)?);
        }
        if texts.is_empty() {
            let text = "at least one --policy NAME:BASE64KEY is needed".to_owned();
            return Err(StartError::Policy(text));
        }
        let policies = texts.iter().map(Policy::parse).collect::<Result<_, _>>()?;
        Ok(Self { policies, hosts })
    }

    /// Name and key of the first policy.
    pub(crate) fn first(&self) -> Option<(&str, &Secret)> {
        self.policies
            .first()
            .map(|policy| (policy.name.as_str(), &policy.key))
    }

    /// Checks the token of a service. It must be for the hub as a whole.
    pub(crate) fn check_service(
        &self,
        header: Option<&str>,
        operation: &Operation,
        now: OffsetDateTime,
    ) -> Result<(), Refusal> {
        let token = parse(header)?;
        let is_whole_hub = token.covers(&self.hosts, &[]);
        if !is_whole_hub {
            return Err(refuse("the token is not for this hub"));
        }
        self.check_policy(&token, needed(operation), now)
    }

    /// Checks the token of a device: signed with either of its keys, or by a policy for devices.
    pub(crate) fn check_device(
        &self,
        header: Option<&str>,
        record: Option<&Record>,
        device_id: &str,
        now: OffsetDateTime,
    ) -> Result<(), Refusal> {
        let token = parse(header)?;
        if !token.covers(&self.hosts, &["devices", device_id]) {
            return Err(refuse("the token is not for this device"));
        }
        let record = record.ok_or_else(|| refuse("there is no such device"))?;
        if record.status == Status::Disabled {
            return Err(refuse("the device is disabled"));
        }
        if token.policy().is_some() {
            return self.check_policy(&token, Right::DeviceConnect, now);
        }
        let (primary, secondary) = record
            .authentication
            .keys()
            .ok_or_else(|| refuse("the device has no keys"))?;
        token
            .verify(primary, now)
            .or_else(|_| token.verify(secondary, now))
            .map_err(|error| refuse(&error.to_string()))
    }

    /// A policy may be given twice, with its primary and its secondary key.
    fn check_policy(
        &self,
        token: &Token,
        right: Right,
        now: OffsetDateTime,
    ) -> Result<(), Refusal> {
        let name = token
            .policy()
            .ok_or_else(|| refuse("the token names no policy"))?;
        if !rights(name).contains(&right) {
            return Err(refuse("the policy does not allow this"));
        }
        let mut result = Err(refuse("there is no such policy"));
        for policy in self.policies.iter().filter(|policy| policy.name == name) {
            match token.verify(&policy.key, now) {
                Ok(()) => return Ok(()),
                Err(error) => result = Err(refuse(&error.to_string())),
            }
        }
        result
    }
}

/// Refuses callers with a shared access signature where the real hub does: modules of a device
/// that is disabled or not there are out of their reach. A bearer token is let through.
pub(crate) fn check_modules(header: Option<&str>, record: Option<&Record>) -> Result<(), Refusal> {
    let is_signed = header.is_some_and(|text| text.starts_with("SharedAccessSignature"));
    match record {
        Some(record) if record.status == Status::Enabled => Ok(()),
        _ if !is_signed => Ok(()),
        Some(_) => Err(refuse("the modules' device is disabled")),
        None => Err(refuse("the modules' device is not there")),
    }
}

fn read(path: &Path) -> Result<Vec<Secret>, StartError> {
    let text = std::fs::read_to_string(path).map_err(|source| StartError::File {
        path: path.to_owned(),
        what: "the policy file cannot be read",
        source,
    })?;
    let is_policy = |line: &&str| !line.is_empty() && !line.starts_with('#');
    Ok(text
        .lines()
        .map(str::trim)
        .filter(is_policy)
        .map(Secret::new)
        .collect())
}

fn parse(header: Option<&str>) -> Result<Token, Refusal> {
    let header = header.ok_or_else(|| refuse("there is no token"))?;
    Token::parse(header).map_err(|error| refuse(&error.to_string()))
}

fn refuse(reason: &str) -> Refusal {
    debug!(reason, "unauthorized");
    Refusal::unauthorized()
}

#[cfg(test)]
mod tests {
    use hubshift_azure::sas;

    use super::*;
    use crate::registry::sample;

    const HOST: &str = "127.0.0.1:8443";

    fn key(fill: &str) -> Secret {
        Secret::new(format!("{}=", fill.repeat(43)))
    }

    fn access() -> Access {
        let policy = |name: &str| Secret::new(format!("{name}:{}", key("A").expose()));
        let policies = [policy("iothubowner"), policy("registryRead")];
        Access::new(&policies, None, vec![HOST.to_owned()])
            .ok()
            .unwrap()
    }

    fn allowed(resource: &str, policy: &str, key: &Secret, operation: &Operation) -> bool {
        let now = OffsetDateTime::now_utc();
        let token = sas::token(resource, key, Some(policy), now).unwrap();
        access()
            .check_service(Some(token.expose()), operation, now)
            .is_ok()
    }

    #[test]
    fn a_policy_allows_what_its_name_says() {
        let (read, write) = (Operation::ListDevices, Operation::BulkDevices);
        assert!(allowed(HOST, "registryRead", &key("A"), &read));
        assert!(!allowed(HOST, "registryRead", &key("A"), &write));
        assert!(!allowed(HOST, "registryRead", &key("A"), &Operation::Query));
        assert!(allowed(HOST, "iothubowner", &key("A"), &write));
    }

    #[test]
    fn wrong_key_unknown_policy_and_narrow_scope_are_refused() {
        let read = Operation::ListDevices;
        assert!(!allowed(HOST, "iothubowner", &key("B"), &read));
        assert!(!allowed(HOST, "registryReadWrite", &key("A"), &read));
        assert!(!allowed(
            &format!("{HOST}/devices/d"),
            "iothubowner",
            &key("A"),
            &read
        ));
        assert!(!allowed("other:8443", "iothubowner", &key("A"), &read));
    }

    #[test]
    fn modules_are_out_of_reach_by_signature_where_their_device_is() {
        let disabled = Record {
            status: Status::Disabled,
            ..sample("d")
        };
        let (signed, bearer) = (Some("SharedAccessSignature sr=h"), Some("Bearer abc"));
        assert!(check_modules(signed, Some(&sample("d"))).is_ok());
        assert!(check_modules(signed, Some(&disabled)).is_err());
        assert!(check_modules(signed, None).is_err());
        assert!(check_modules(bearer, Some(&disabled)).is_ok());
        assert!(check_modules(bearer, None).is_ok());
    }

    #[test]
    fn mistakes_in_policies_are_told_without_the_key() {
        for text in ["canary", "canary:canary", "iothubowner:canary!"] {
            let error = Access::new(&[Secret::new(text)], None, Vec::new())
                .err()
                .unwrap();
            assert!(!error.to_string().contains("canary"), "{error}");
            assert_eq!(error.exit_code(), 64);
        }
        assert!(Access::new(&[], None, Vec::new()).is_err());
    }
}
