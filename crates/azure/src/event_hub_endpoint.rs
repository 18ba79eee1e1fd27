//! The connection string of an event hub, a hub's built-in endpoint among them:
//! `Endpoint=sb://HOST/;SharedAccessKeyName=…;SharedAccessKey=…;EntityPath=…`.

use std::fmt;
use std::str::FromStr;

use crate::connection_string::is_host;
use crate::secret::Secret;

/// The port of AMQP over TLS.
pub const AMQPS_PORT: u16 = 5671;

const ENDPOINT: &str = "Endpoint";
const POLICY: &str = "SharedAccessKeyName";
const KEY: &str = "SharedAccessKey";
const ENTITY: &str = "EntityPath";
const NAMES: [&str; 4] = [ENDPOINT, POLICY, KEY, ENTITY];

/// Where an event hub is and by which policy to enter.
#[derive(Clone, PartialEq, Eq)]
pub struct EventHubEndpoint {
    /// The namespace's host, without a port.
    pub host: String,
    /// The port, 5671 unless the endpoint has another.
    pub port: u16,
    /// The policy's name.
    pub policy: String,
    /// The policy's key, sent as it stands here.
    pub key: Secret,
    /// The event hub's name.
    pub entity: String,
}

/// What is wrong with an event hub's connection string. Never carries a value, only names of fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventHubEndpointError {
    /// A field is not there or empty.
    #[error("the connection string has no {0}")]
    Missing(&'static str),
    /// A field is there twice.
    #[error("the connection string has {0} twice")]
    Twice(&'static str),
    /// A part is not of the form `Name=value` or its name is none of the four.
    #[error(
        "part {0} of the connection string is none of Endpoint=, SharedAccessKeyName=, \
         SharedAccessKey=, EntityPath="
    )]
    UnknownPart(usize),
    /// It has a `HostName`: it is that of the hub itself.
    #[error("this is a hub's own connection string; use the one of its built-in endpoint")]
    OfAHub,
    /// The endpoint does not name a host.
    #[error("Endpoint must be sb://HOST/ or sb://HOST:PORT/")]
    Endpoint,
    /// The event hub's name cannot stand in an address.
    #[error("EntityPath must be an event hub's name: letters, digits, '.', '-' and '_'")]
    Entity,
}

impl fmt::Debug for EventHubEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventHubEndpoint")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("policy", &self.policy)
            .field("key", &self.key)
            .field("entity", &self.entity)
            .finish()
    }
}

impl FromStr for EventHubEndpoint {
    type Err = EventHubEndpointError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let [endpoint, policy, key, entity] = parts(text)?;
        let (host, port) =
            authority(need(endpoint, ENDPOINT)?).ok_or(EventHubEndpointError::Endpoint)?;
        let entity = need(entity, ENTITY)?;
        if !is_entity(entity) {
            return Err(EventHubEndpointError::Entity);
        }
        Ok(Self {
            host,
            port,
            policy: need(policy, POLICY)?.to_owned(),
            key: Secret::new(need(key, KEY)?),
            entity: entity.to_owned(),
        })
    }
}

/// The values of the four fields, in the order of [`NAMES`].
fn parts(text: &str) -> Result<[Option<&str>; 4], EventHubEndpointError> {
    let mut values = [None; 4];
    let pieces = text.trim().split(';').enumerate();
    for (index, piece) in pieces.filter(|(_, piece)| !piece.is_empty()) {
        let unknown = EventHubEndpointError::UnknownPart(index + 1);
        let (name, value) = piece.split_once('=').ok_or(unknown)?;
        let (name, value) = (name.trim(), value.trim());
        if name.eq_ignore_ascii_case("HostName") {
            return Err(EventHubEndpointError::OfAHub);
        }
        let known = NAMES
            .iter()
            .position(|known| name.eq_ignore_ascii_case(known));
        let at = known.ok_or(unknown)?;
        if value.is_empty() {
            return Err(EventHubEndpointError::Missing(NAMES[at]));
        }
        if values[at].replace(value).is_some() {
            return Err(EventHubEndpointError::Twice(NAMES[at]));
        }
    }
    Ok(values)
}

fn need<'a>(value: Option<&'a str>, name: &'static str) -> Result<&'a str, EventHubEndpointError> {
    value.ok_or(EventHubEndpointError::Missing(name))
}

/// Host and port of an endpoint's URL.
fn authority(endpoint: &str) -> Option<(String, u16)> {
    let rest = endpoint
        .strip_prefix("sb://")
        .or_else(|| endpoint.strip_prefix("amqps://"))?;
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    if !is_host(authority) {
        return None;
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
            (host, port.parse().ok()?)
        }
        _ => (authority, AMQPS_PORT),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    Some((host.to_owned(), port))
}

fn is_entity(text: &str) -> bool {
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    text.chars().all(legal)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "Endpoint=sb://ns.servicebus.windows.net/;SharedAccessKeyName=service;\
                        SharedAccessKey=Y2FuYXJ5PQ==;EntityPath=iothub-ehub-acme-1";

    fn problem(text: &str) -> EventHubEndpointError {
        text.parse::<EventHubEndpoint>().unwrap_err()
    }

    #[test]
    fn a_good_one_is_taken_apart_and_its_key_not_shown() {
        let parsed: EventHubEndpoint = GOOD.parse().unwrap();
        assert_eq!(parsed.host, "ns.servicebus.windows.net");
        assert_eq!(parsed.port, AMQPS_PORT);
        assert_eq!(parsed.policy, "service");
        assert_eq!(parsed.key.expose(), "Y2FuYXJ5PQ==");
        assert_eq!(parsed.entity, "iothub-ehub-acme-1");
        assert!(!format!("{parsed:?}").contains("Y2FuYXJ5"));
    }

    #[test]
    fn an_endpoint_may_have_a_port() {
        let of = |endpoint: &str| {
            let text = GOOD.replace("sb://ns.servicebus.windows.net/", endpoint);
            let parsed: EventHubEndpoint = text.parse().unwrap();
            (parsed.host, parsed.port)
        };
        assert_eq!(of("sb://127.0.0.1:7"), ("127.0.0.1".to_owned(), 7));
        assert_eq!(of("amqps://h/"), ("h".to_owned(), AMQPS_PORT));
        assert_eq!(of("sb://[::1]:7/"), ("::1".to_owned(), 7));
        assert_eq!(of("sb://[::1]/"), ("::1".to_owned(), AMQPS_PORT));
    }

    #[test]
    fn each_mistake_is_named() {
        use EventHubEndpointError as E;
        assert_eq!(problem(""), E::Missing(ENDPOINT));
        assert_eq!(problem(&GOOD.replace("EntityPath", "X")), E::UnknownPart(4));
        assert_eq!(problem(&GOOD.replace("service;", ";")), E::Missing(POLICY));
        assert_eq!(problem(&format!("{GOOD};EntityPath=x")), E::Twice(ENTITY));
        assert_eq!(problem(&GOOD.replace("-acme-1", "/x")), E::Entity);
        assert_eq!(problem(&GOOD.replace("sb://", "https://")), E::Endpoint);
        assert_eq!(problem(&GOOD.replace("windows.net", "h/p")), E::Endpoint);
        assert_eq!(
            problem("HostName=h;SharedAccessKeyName=p;SharedAccessKey=YQ=="),
            E::OfAHub
        );
    }
}
