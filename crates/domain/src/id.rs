//! Names of things: the slugs that operators choose, and the resource names made of them.
//!
//! Owns what a legal slug is. A value of these types is always legal.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a text is not a legal id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// A slug is 1 to 63 of `a-z`, `0-9` and `-`, and starts with a letter.
    #[error("`{0}` is not a slug: use 1 to 63 of a-z, 0-9 and '-', starting with a letter")]
    Slug(String),
    /// A device id is 1 to 128 of the characters that hubs allow.
    #[error("`{0}` is not a device id: use 1 to 128 of A-Z a-z 0-9 and -:.+%_#*?!(),=@;$'")]
    Device(String),
    /// A resource name does not have the expected shape.
    #[error("`{name}` is not of the form `{pattern}`")]
    Name {
        /// The text that was given.
        name: String,
        /// The shape that was expected.
        pattern: &'static str,
    },
}

fn is_slug(text: &str) -> bool {
    let starts = text.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
    let legal = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    starts && text.len() <= 63 && text.bytes().all(legal)
}

fn is_device_id(text: &str) -> bool {
    let legal = |b: u8| b.is_ascii_alphanumeric() || b"-:.+%_#*?!(),=@;$'".contains(&b);
    (1..=128).contains(&text.len()) && text.bytes().all(legal)
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $legal:ident, $error:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks the text.
            pub fn new(text: impl Into<String>) -> Result<Self, IdError> {
                let text = text.into();
                if $legal(&text) { Ok(Self(text)) } else { Err(IdError::$error(text)) }
            }

            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl std::str::FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id!(
    /// A fleet's slug: `acme` in `fleets/acme`.
    FleetId, is_slug, Slug
);
id!(
    /// A hub's slug within its fleet: `east` in `fleets/acme/hubs/east`.
    HubId, is_slug, Slug
);
id!(
    /// A device's id, case-sensitive, as its hubs know it.
    DeviceId, is_device_id, Device
);

impl FleetId {
    /// `fleets/{fleet}`.
    pub fn name(&self) -> String {
        format!("fleets/{}", self.0)
    }

    /// `fleets/{fleet}/hubs/{hub}`.
    pub fn hub_name(&self, hub: &HubId) -> String {
        format!("fleets/{}/hubs/{hub}", self.0)
    }

    /// `fleets/{fleet}/{collection}/{id}`.
    pub fn child_name(&self, collection: &str, id: impl fmt::Display) -> String {
        format!("fleets/{}/{collection}/{id}", self.0)
    }
}

/// Parses `fleets/{fleet}`.
pub fn parse_fleet(name: &str) -> Result<FleetId, IdError> {
    let id = name
        .strip_prefix("fleets/")
        .ok_or(bad(name, "fleets/{fleet}"))?;
    FleetId::new(id)
}

/// Parses `fleets/{fleet}/hubs/{hub}`.
pub fn parse_hub(name: &str) -> Result<(FleetId, HubId), IdError> {
    let (fleet, hub) = parse_child(name, "hubs", "fleets/{fleet}/hubs/{hub}")?;
    Ok((fleet, HubId::new(hub)?))
}

/// Parses `fleets/{fleet}/devices/{device}`; a device id may hold any legal character but `/`.
pub fn parse_device(name: &str) -> Result<(FleetId, DeviceId), IdError> {
    let (fleet, device) = parse_child(name, "devices", "fleets/{fleet}/devices/{device}")?;
    Ok((fleet, DeviceId::new(device)?))
}

/// Parses `fleets/{fleet}/{collection}/{id}` and leaves the id as text.
pub fn parse_child<'a>(
    name: &'a str,
    collection: &str,
    pattern: &'static str,
) -> Result<(FleetId, &'a str), IdError> {
    let rest = name.strip_prefix("fleets/").ok_or(bad(name, pattern))?;
    let (fleet, rest) = rest.split_once('/').ok_or(bad(name, pattern))?;
    let id = rest
        .strip_prefix(collection)
        .and_then(|rest| rest.strip_prefix('/'));
    match id {
        Some(id) if !id.is_empty() && !id.contains('/') => Ok((FleetId::new(fleet)?, id)),
        _ => Err(bad(name, pattern)),
    }
}

fn bad(name: &str, pattern: &'static str) -> IdError {
    IdError::Name {
        name: name.to_owned(),
        pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_and_device_ids_are_told_apart() {
        assert!(FleetId::new("acme-2").is_ok());
        for bad in ["", "2acme", "Acme", "a/b", &"a".repeat(64)] {
            assert!(FleetId::new(bad).is_err(), "{bad}");
        }
        assert!(DeviceId::new("py:dev+1#$'").is_ok());
        for bad in ["", "a b", "a/b", &"a".repeat(129)] {
            assert!(DeviceId::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_parse_back_to_their_parts() {
        let (fleet, hub) = parse_hub("fleets/acme/hubs/east").unwrap();
        assert_eq!(fleet.hub_name(&hub), "fleets/acme/hubs/east");
        for bad in [
            "fleets/acme",
            "fleets/acme/hubs",
            "fleets/acme/hubs/",
            "fleets/acme/hubs/a/b",
        ] {
            assert!(parse_hub(bad).is_err(), "{bad}");
        }
        assert_eq!(
            parse_device("fleets/acme/devices/D-1").unwrap().1.as_str(),
            "D-1"
        );
    }
}
