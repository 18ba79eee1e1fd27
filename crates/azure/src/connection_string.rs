//! A service's connection string: `HostName=…;SharedAccessKeyName=…;SharedAccessKey=…`, and those
//! of other ways to enter.

mod entra;
mod parts;

use std::fmt;
use std::str::FromStr;

pub use entra::{
    EntraConnection, EntraCredential, EntraLogin, HubConnection, ManagementConnection,
    PUBLIC_AUTHORITY, PUBLIC_MANAGEMENT, origin,
};

use crate::secret::Secret;
use parts::Parts;

/// Where a hub is and by which policy to enter.
#[derive(Clone, PartialEq, Eq)]
pub struct ConnectionString {
    /// The host, with `:port` where it is not 443.
    pub host: String,
    /// The policy's name.
    pub policy: String,
    /// The policy's key.
    pub key: Secret,
}

/// What is wrong with a connection string. Never carries a value, only names of fields.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectionStringError {
    /// A field is not there or empty.
    #[error("the connection string has no {0}")]
    Missing(&'static str),
    /// A field is there twice.
    #[error("the connection string has {0} twice")]
    Twice(&'static str),
    /// A part is not of the form `Name=value` or its name is none that belongs there.
    #[error(
        "part {0} of the connection string is none of HostName=, SharedAccessKeyName=, \
         SharedAccessKey=, nor, beside Authentication=, one of TenantId=, ClientId=, \
         ClientSecret= or FederatedTokenFile=, AuthorityHost="
    )]
    UnknownPart(usize),
    /// It has a `DeviceId`: it is a device's, not a policy's.
    #[error("this is a device's connection string; use the one of a shared access policy")]
    OfADevice,
    /// The host is a URL, a path or otherwise no host.
    #[error("HostName must be a host or host:port, without https:// and path")]
    Host,
    /// The key is not base64.
    #[error("SharedAccessKey is not base64")]
    Key,
    /// The way to enter is none that is known.
    #[error("Authentication must be ClientSecret or WorkloadIdentity")]
    Authentication,
    /// The tenant cannot stand in a path.
    #[error("TenantId must be a GUID or a domain")]
    Tenant,
    /// A part names something else than `https://HOST`.
    #[error("{0} must be https://HOST or https://HOST:PORT, without path")]
    Origin(&'static str),
}

const HOST: &str = "HostName";
const POLICY: &str = "SharedAccessKeyName";
const KEY: &str = "SharedAccessKey";

impl ConnectionString {
    /// The connection string as text, key included.
    pub fn expose(&self) -> String {
        format!(
            "{HOST}={};{POLICY}={};{KEY}={}",
            self.host,
            self.policy,
            self.key.expose()
        )
    }
}

impl fmt::Debug for ConnectionString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionString")
            .field("host", &self.host)
            .field("policy", &self.policy)
            .field("key", &self.key)
            .finish()
    }
}

impl FromStr for ConnectionString {
    type Err = ConnectionStringError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = Parts::read(text, &[HOST, POLICY, KEY])?;
        let host = parts.need(HOST)?;
        let policy = parts.need(POLICY)?;
        let key = Secret::new(parts.need(KEY)?);
        if !is_host(host) {
            return Err(ConnectionStringError::Host);
        }
        key.decode().map_err(|_| ConnectionStringError::Key)?;
        Ok(Self {
            host: host.to_owned(),
            policy: policy.to_owned(),
            key,
        })
    }
}

/// Whether the text can stand between `https://` and `/`: a host, with or without a port.
pub fn is_host(text: &str) -> bool {
    let (name, port) = match text.rsplit_once(':') {
        Some((name, port)) if !name.ends_with(':') => (name, Some(port)),
        _ => (text, None),
    };
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-._[]:".contains(c);
    !name.is_empty()
        && name.chars().all(is_name)
        && port.is_none_or(|port| port.parse::<u16>().is_ok() || name.starts_with('['))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str =
        "HostName=127.0.0.1:8443;SharedAccessKeyName=owner;SharedAccessKey=Y2FuYXJ5PQ==";

    fn problem(text: &str) -> ConnectionStringError {
        text.parse::<ConnectionString>().unwrap_err()
    }

    #[test]
    fn a_good_one_survives_the_round_trip() {
        let parsed: ConnectionString = GOOD.parse().unwrap();
        assert_eq!(parsed.host, "127.0.0.1:8443");
        assert_eq!(parsed.expose(), GOOD);
    }

    #[test]
    fn debug_has_no_key() {
        let parsed: ConnectionString = GOOD.parse().unwrap();
        assert!(!format!("{parsed:?}").contains("Y2FuYXJ5"));
    }

    #[test]
    fn each_mistake_is_named() {
        use ConnectionStringError as E;
        assert_eq!(problem(""), E::Missing(HOST));
        assert_eq!(
            problem("HostName=h;SharedAccessKey=YQ=="),
            E::Missing(POLICY)
        );
        assert_eq!(
            problem("HostName=h;SharedAccessKeyName=p;SharedAccessKey="),
            E::Missing(KEY)
        );
        assert_eq!(problem(&GOOD.replace("127", "https://127")), E::Host);
        assert_eq!(problem(&format!("{GOOD};HostName=x")), E::Twice(HOST));
        assert_eq!(problem(&format!("{GOOD};Canary=x")), E::UnknownPart(4));
        assert_eq!(
            problem("HostName=h;DeviceId=d;SharedAccessKey=YQ=="),
            E::OfADevice
        );
        assert_eq!(
            problem("HostName=h;SharedAccessKeyName=p;SharedAccessKey=?"),
            E::Key
        );
    }

    #[test]
    fn hosts_are_hosts() {
        for good in [
            "h",
            "h.azure-devices.net",
            "127.0.0.1:1",
            "[::1]:8443",
            "[::1]",
        ] {
            assert!(is_host(good), "{good}");
        }
        for bad in ["", "h/path", "h:port", "h h", "user@h", ":1"] {
            assert!(!is_host(bad), "{bad}");
        }
    }
}
