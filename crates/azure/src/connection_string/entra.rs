//! Connection strings of those who enter with a token of Entra ID instead of a policy's key.
//!
//! ```text
//! HostName=…;Authentication=ClientSecret;TenantId=…;ClientId=…;ClientSecret=…[;AuthorityHost=…]
//! HostName=…;Authentication=WorkloadIdentity;TenantId=…;ClientId=…;FederatedTokenFile=…[;…]
//! ResourceId=…;Authentication=…;…[;ManagementHost=…]
//! ```

use std::path::PathBuf;
use std::str::FromStr;

use super::parts::{Parts, peek};
use super::{ConnectionString, ConnectionStringError, HOST, is_host};
use crate::secret::Secret;

/// The authority of Azure's public cloud.
pub const PUBLIC_AUTHORITY: &str = "https://login.microsoftonline.com";
/// The management plane of Azure's public cloud.
pub const PUBLIC_MANAGEMENT: &str = "https://management.azure.com";

const AUTHENTICATION: &str = "Authentication";
const TENANT: &str = "TenantId";
const CLIENT: &str = "ClientId";
const CLIENT_SECRET: &str = "ClientSecret";
const TOKEN_FILE: &str = "FederatedTokenFile";
const AUTHORITY_HOST: &str = "AuthorityHost";
const RESOURCE: &str = "ResourceId";
const MANAGEMENT_HOST: &str = "ManagementHost";

/// Who asks Entra ID for tokens, and how it proves who it is. `Debug` shows no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntraLogin {
    /// The tenant: a GUID or a domain.
    pub tenant: String,
    /// The application's id.
    pub client_id: String,
    /// The proof.
    pub credential: EntraCredential,
    /// Who gives the tokens: `https://HOST`, without path.
    pub authority: String,
}

/// How an application proves who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntraCredential {
    /// By a secret that it shares with the authority.
    ClientSecret(Secret),
    /// By a token that its platform gives it and renews in a file.
    WorkloadIdentity {
        /// The file, read anew whenever a token is asked for.
        token_file: PathBuf,
    },
}

/// Where a hub is, and who enters it with a token of Entra ID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EntraConnection {
    /// The host, with `:port` where it is not 443.
    pub host: String,
    /// Who enters.
    pub login: EntraLogin,
}

/// Where a hub is and how to enter it, one way or the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HubConnection {
    /// With the key of a shared access policy.
    Sas(ConnectionString),
    /// With a token of Entra ID.
    Entra(EntraConnection),
}

/// Which hub the management plane is asked about, and by whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManagementConnection {
    /// The hub's id as a resource: `/subscriptions/…/IotHubs/NAME`.
    pub resource_id: String,
    /// Who asks.
    pub login: EntraLogin,
    /// The management plane: `https://HOST`, without path.
    pub endpoint: String,
}

impl HubConnection {
    /// The hub's host, with `:port` where it is not 443.
    pub fn host(&self) -> &str {
        match self {
            Self::Sas(connection) => &connection.host,
            Self::Entra(connection) => &connection.host,
        }
    }
}

impl From<ConnectionString> for HubConnection {
    fn from(connection: ConnectionString) -> Self {
        Self::Sas(connection)
    }
}

impl FromStr for HubConnection {
    type Err = ConnectionStringError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if peek(text, AUTHENTICATION).is_none() {
            return text.parse().map(Self::Sas);
        }
        let proof = proof(text)?;
        let parts = read(text, &[HOST], proof)?;
        let host = parts.need(HOST)?;
        if !is_host(host) {
            return Err(ConnectionStringError::Host);
        }
        Ok(Self::Entra(EntraConnection {
            host: host.to_owned(),
            login: login(&parts, proof)?,
        }))
    }
}

impl FromStr for ManagementConnection {
    type Err = ConnectionStringError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let proof = proof(text)?;
        let parts = read(text, &[RESOURCE, MANAGEMENT_HOST], proof)?;
        Ok(Self {
            resource_id: parts.need(RESOURCE)?.to_owned(),
            login: login(&parts, proof)?,
            endpoint: origin_of(&parts, MANAGEMENT_HOST, PUBLIC_MANAGEMENT)?,
        })
    }
}

/// The origin that the text names, without a slash at its end. Nothing if it is not
/// `https://HOST` or `https://HOST:PORT`.
pub fn origin(text: &str) -> Option<String> {
    let text = text.strip_suffix('/').unwrap_or(text);
    let host = text.strip_prefix("https://")?;
    is_host(host).then(|| text.to_owned())
}

/// Which part holds the proof that the text speaks of.
fn proof(text: &str) -> Result<&'static str, ConnectionStringError> {
    match peek(text, AUTHENTICATION) {
        Some(kind) if kind.eq_ignore_ascii_case("WorkloadIdentity") => Ok(TOKEN_FILE),
        Some(kind) if kind.eq_ignore_ascii_case("ClientSecret") => Ok(CLIENT_SECRET),
        Some(_) => Err(ConnectionStringError::Authentication),
        None => Err(ConnectionStringError::Missing(AUTHENTICATION)),
    }
}

/// The parts of a text; those of another proof do not belong there.
fn read<'a>(
    text: &'a str,
    own: &[&'static str],
    proof: &'static str,
) -> Result<Parts<'a>, ConnectionStringError> {
    let shared = [AUTHENTICATION, TENANT, CLIENT, AUTHORITY_HOST, proof];
    Parts::read(text, &[own, &shared[..]].concat())
}

fn login(parts: &Parts<'_>, proof: &'static str) -> Result<EntraLogin, ConnectionStringError> {
    let tenant = parts.need(TENANT)?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-.".contains(c);
    if !tenant.chars().all(is_name) {
        return Err(ConnectionStringError::Tenant);
    }
    let client_id = parts.need(CLIENT)?.to_owned();
    let given = parts.need(proof)?;
    let credential = if proof == TOKEN_FILE {
        EntraCredential::WorkloadIdentity {
            token_file: PathBuf::from(given),
        }
    } else {
        EntraCredential::ClientSecret(Secret::new(given))
    };
    Ok(EntraLogin {
        tenant: tenant.to_owned(),
        client_id,
        credential,
        authority: origin_of(parts, AUTHORITY_HOST, PUBLIC_AUTHORITY)?,
    })
}

fn origin_of(
    parts: &Parts<'_>,
    name: &'static str,
    default: &str,
) -> Result<String, ConnectionStringError> {
    match parts.get(name) {
        Some(text) => origin(text).ok_or(ConnectionStringError::Origin(name)),
        None => Ok(default.to_owned()),
    }
}

#[cfg(test)]
mod tests;
