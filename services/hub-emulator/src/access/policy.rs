//! Shared access policies: who signs tokens for the hub, and what each of them allows.
//!
//! They can be replaced while the hub runs: a token that an earlier key signed is refused from
//! then on.

use std::path::Path;
use std::sync::{PoisonError, RwLock};

use hubshift_azure::sas::{SasError, Token};
use hubshift_azure::{NoRandomness, Secret};
use time::OffsetDateTime;

use super::refuse;
use crate::answer::Refusal;
use crate::start_error::StartError;

const NAMES: &str = "iothubowner, service, device, registryRead, registryReadWrite";

/// What a policy can allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    RegistryRead,
    RegistryWrite,
    ServiceConnect,
    DeviceConnect,
}

/// A shared access policy.
#[derive(Clone)]
pub(crate) struct Policy {
    pub(crate) name: String,
    pub(crate) rights: Vec<Right>,
    /// The primary key, the secondary one, and what else was given.
    pub(crate) keys: Vec<Secret>,
}

/// All policies of a hub.
pub(crate) struct Policies(RwLock<Vec<Policy>>);

impl Right {
    const ALL: [Self; 4] = [
        Self::RegistryRead,
        Self::RegistryWrite,
        Self::ServiceConnect,
        Self::DeviceConnect,
    ];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::RegistryRead => "RegistryRead",
            Self::RegistryWrite => "RegistryWrite",
            Self::ServiceConnect => "ServiceConnect",
            Self::DeviceConnect => "DeviceConnect",
        }
    }

    pub(crate) fn find(text: &str) -> Option<Self> {
        let is_it = |right: &Self| right.as_str().eq_ignore_ascii_case(text);
        Self::ALL.into_iter().find(is_it)
    }
}

impl Policies {
    /// Reads the policies of the command line and of the file, and checks that there is one. A
    /// policy that is given twice has both keys.
    pub(crate) fn new(texts: &[Secret], file: Option<&Path>) -> Result<Self, StartError> {
        let mut texts = texts.to_vec();
        if let Some(path) = file {
            texts.extend(super::lines(path, "the policy file cannot be read")?);
        }
        if texts.is_empty() {
            let text = "at least one --policy NAME:BASE64KEY is needed".to_owned();
            return Err(StartError::Policy(text));
        }
        let mut policies: Vec<Policy> = Vec::new();
        for text in &texts {
            let (name, key) = parse(text)?;
            match policies.iter_mut().find(|policy| policy.name == name) {
                Some(policy) => policy.keys.push(key),
                None => policies.push(Policy {
                    name: name.to_owned(),
                    rights: rights(name).to_vec(),
                    keys: vec![key],
                }),
            }
        }
        for policy in &mut policies {
            policy.complete().map_err(|_| StartError::NoRandomness)?;
        }
        Ok(Self(RwLock::new(policies)))
    }

    pub(crate) fn all(&self) -> Vec<Policy> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Only these are good from now on.
    pub(crate) fn replace(&self, policies: Vec<Policy>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = policies;
    }

    /// Checks that a policy signed the token and allows this.
    pub(super) fn check(
        &self,
        token: &Token,
        right: Right,
        now: OffsetDateTime,
    ) -> Result<(), Refusal> {
        let name = token
            .policy()
            .ok_or_else(|| refuse("the token names no policy"))?;
        let policies = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let policy = policies
            .iter()
            .find(|policy| policy.name == name)
            .ok_or_else(|| refuse("there is no such policy"))?;
        if !policy.rights.contains(&right) {
            return Err(refuse("the policy does not allow this"));
        }
        let mut reason = SasError::WrongSignature;
        for key in &policy.keys {
            match token.verify(key, now) {
                Ok(()) => return Ok(()),
                // The right key; no other one will do better.
                Err(SasError::Expired) => reason = SasError::Expired,
                Err(_) => {}
            }
        }
        Err(refuse(&reason.to_string()))
    }
}

impl Policy {
    /// Makes the keys that are missing: a hub's policy has two.
    pub(crate) fn complete(&mut self) -> Result<(), NoRandomness> {
        while self.keys.len() < 2 {
            self.keys.push(Secret::generate()?);
        }
        Ok(())
    }
}

fn parse(text: &Secret) -> Result<(&str, Secret), StartError> {
    let wrong = || StartError::Policy("a policy must be NAME:BASE64KEY".to_owned());
    let (name, key) = text.expose().trim().split_once(':').ok_or_else(wrong)?;
    let key = Secret::new(key);
    if rights(name).is_empty() {
        let text = format!("a policy's name must be one of {NAMES}");
        return Err(StartError::Policy(text));
    }
    if key.decode().is_err() {
        let text = format!("the key of policy {name} is not base64");
        return Err(StartError::Policy(text));
    }
    Ok((name, key))
}

/// What the policies allow that every new hub has.
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
