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
    /// A key is a device's id, that of a module behind its device's, or names a configuration.
    #[error(
        "`{0}` is not a key: use a device id, `device/module`, or `/configurations/` and 1 to 128 \
         of a-z 0-9 and -:+%_*!'"
    )]
    Key(String),
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

/// What the key of a configuration begins with.
const CONFIGURATIONS: &str = "/configurations/";

fn is_key(text: &str) -> bool {
    if let Some(id) = text.strip_prefix(CONFIGURATIONS) {
        let legal =
            |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-:+%_*!'".contains(&b);
        return (1..=128).contains(&id.len()) && id.bytes().all(legal);
    }
    match text.split_once('/') {
        None => is_device_id(text),
        Some((device, module)) => is_device_id(device) && is_device_id(module),
    }
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
    /// A wave's slug within its fleet: which devices go first.
    WaveId, is_slug, Slug
);
id!(
    /// A device's id, case-sensitive, as its hubs know it.
    DeviceId, is_device_id, Device
);
id!(
    /// The key of a record: a device's id, `device/module`, or `/configurations/{id}`. No id holds
    /// a slash.
    RecordKey, is_key, Key
);

/// The device of the module that a key names; nothing for other keys.
pub fn device_of_module(key: &str) -> Option<&str> {
    let (device, _) = key.split_once('/')?;
    (!device.is_empty()).then_some(device)
}

/// Whether a key names a device. Nothing else can be kept from connecting by itself.
pub fn is_device(key: &str) -> bool {
    !key.contains('/')
}

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

/// Parses `fleets/{fleet}/hubs/{hub}/{collection}/{id}` and leaves the id as text.
pub fn parse_hub_child<'a>(
    name: &'a str,
    collection: &str,
    pattern: &'static str,
) -> Result<(FleetId, HubId, &'a str), IdError> {
    let mut parts = name.rsplitn(3, '/');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(id), Some(found), Some(hub)) if found == collection && !id.is_empty() => {
            let (fleet, hub) = parse_hub(hub).map_err(|_| bad(name, pattern))?;
            Ok((fleet, hub, id))
        }
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
    fn keys_name_devices_modules_and_configurations() {
        for good in ["d", "d/$edgeAgent", "/configurations/site-7"] {
            assert!(RecordKey::new(good).is_ok(), "{good}");
        }
        let long = format!("/configurations/{}", "a".repeat(129));
        for bad in ["", "/", "d/", "d/m/n", "/d", "/configurations/A", &long] {
            assert!(RecordKey::new(bad).is_err(), "{bad}");
        }
        assert_eq!(device_of_module("d/m"), Some("d"));
        assert_eq!(device_of_module("d"), None);
        assert_eq!(device_of_module("/configurations/a"), None);
        assert!(is_device("d") && !is_device("d/m") && !is_device("/configurations/a"));
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

    #[test]
    fn what_belongs_to_a_hub_is_named_below_it() {
        let parse = |name| parse_hub_child(name, "adoptions", "pattern");
        let (fleet, hub, id) = parse("fleets/acme/hubs/west/adoptions/a-1").unwrap();
        assert_eq!((fleet.as_str(), hub.as_str(), id), ("acme", "west", "a-1"));
        for bad in [
            "fleets/acme/adoptions/a-1",
            "fleets/acme/hubs/west/adoptions/",
            "fleets/acme/hubs/west/backups/a-1",
            "fleets/acme/hubs/West/adoptions/a-1",
            "adoptions/a-1",
            "",
        ] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
