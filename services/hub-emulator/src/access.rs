//! Who may do what: shared access policies, bearer tokens, and devices with their own keys.
//!
//! Every refusal is the same 401; the reason goes to the log only, as with the real hub.

mod bearer;
mod policy;
mod role;

use std::path::Path;

use hubshift_azure::sas::Token;
use hubshift_azure::{Secret, Status};
use time::OffsetDateTime;
use tracing::debug;

use crate::answer::Refusal;
use crate::operation::{Class, Operation};
use crate::options::Options;
use crate::outage::CallKind;
use crate::registry::Record;
use crate::start_error::StartError;

pub(crate) use bearer::{Audience, Bearers, NoToken, Proof, token as bearer_token};
pub(crate) use policy::{Policies, Policy, Right};
pub(crate) use role::Role;

/// How a service showed who it is. Some answers of the real hub differ by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// By a token that a shared access policy signed.
    Sas,
    /// By a token of Entra's.
    Bearer,
}

/// Policies, bearer tokens, and the names by which the hub is known.
pub(crate) struct Access {
    pub(crate) policies: Policies,
    pub(crate) bearers: Bearers,
    hosts: Vec<String>,
    /// Imports and exports take a policy with every right. What they take at the real hub is not
    /// settled.
    strict_jobs: bool,
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

/// Whether it is about imports and exports.
fn is_transfer(operation: &Operation) -> bool {
    matches!(
        operation,
        Operation::CreateJob | Operation::CancelJob(_) | Operation::ListJobs | Operation::GetJob(_)
    )
}

impl Access {
    /// Reads policies, applications and tokens of the command line and of its files.
    pub(crate) fn new(options: &Options, hosts: Vec<String>) -> Result<Self, StartError> {
        Ok(Self {
            policies: Policies::new(&options.policies, options.policy_file.as_deref())?,
            bearers: Bearers::new(&options.entra)?,
            hosts,
            strict_jobs: options.job.strict_job_access,
        })
    }

    /// Name and primary key of the first policy.
    pub(crate) fn first(&self) -> Option<(String, Secret)> {
        let first = self.policies.all().into_iter().next()?;
        let key = first.keys.into_iter().next()?;
        Some((first.name, key))
    }

    /// Checks the token of a service. It must be for the hub as a whole.
    pub(crate) fn check_service(
        &self,
        header: Option<&str>,
        operation: &Operation,
        now: OffsetDateTime,
    ) -> Result<Caller, Refusal> {
        if let Some(token) = header.and_then(bearer_token) {
            self.check_bearer(token, operation, now)?;
            return Ok(Caller::Bearer);
        }
        let token = parse(header)?;
        let is_whole_hub = token.covers(&self.hosts, &[]);
        if !is_whole_hub {
            return Err(refuse("the token is not for this hub"));
        }
        self.policies.check(&token, needed(operation), now)?;
        if self.strict_jobs && is_transfer(operation) {
            self.policies.check(&token, Right::ServiceConnect, now)?;
        }
        Ok(Caller::Sas)
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
            return self.policies.check(&token, Right::DeviceConnect, now);
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

    fn check_bearer(
        &self,
        token: &str,
        operation: &Operation,
        now: OffsetDateTime,
    ) -> Result<(), Refusal> {
        let role = self
            .bearers
            .role(token, Audience::Hub, now)
            .ok_or_else(|| refuse("the bearer token is not known, not for hubs or expired"))?;
        if role.allows(operation) {
            Ok(())
        } else {
            Err(refuse("the role does not allow this"))
        }
    }
}

/// Refuses callers with a shared access signature where the real hub does: modules of a device
/// that is disabled or not there are out of their reach. A bearer token is let through.
pub(crate) fn check_modules(
    caller: Option<&Caller>,
    record: Option<&Record>,
) -> Result<(), Refusal> {
    match record {
        Some(record) if record.status == Status::Enabled => Ok(()),
        _ if caller != Some(&Caller::Sas) => Ok(()),
        Some(_) => Err(refuse("the modules' device is disabled")),
        None => Err(refuse("the modules' device is not there")),
    }
}

/// The lines of a file with secrets, without comments.
fn lines(path: &Path, what: &'static str) -> Result<Vec<Secret>, StartError> {
    let text = std::fs::read_to_string(path).map_err(|source| StartError::File {
        path: path.to_owned(),
        what,
        source,
    })?;
    let is_entry = |line: &&str| !line.is_empty() && !line.starts_with('#');
    Ok(text
        .lines()
        .map(str::trim)
        .filter(is_entry)
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
mod tests;
