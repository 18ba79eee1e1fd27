//! Keys: the names under which the records of a hub are known everywhere else.
//!
//! `d` is the device `d`, `d/m` its module `m`, and `/configurations/n` the configuration `n`. No
//! id holds a slash, so that a key says by itself what it names.

use std::fmt;

use hubshift_azure::device_id::{self, InvalidDeviceId};

/// What the key of a configuration begins with.
const CONFIGURATIONS: &str = "/configurations/";
/// The most characters that a configuration's id may have.
const MAX_CONFIGURATION: usize = 128;
/// What a configuration's id may hold beside lower-case letters and digits.
const CONFIGURATION_PUNCTUATION: &str = "-:+%_*!'";

/// A key, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Key<'a> {
    /// A device's id.
    Device(&'a str),
    /// The id of a device, and that of one of its modules.
    Module(&'a str, &'a str),
    /// A configuration's id.
    Configuration(&'a str),
}

/// The text is no key. Does not carry the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    /// The device's id is none.
    #[error("{0}")]
    Device(InvalidDeviceId),
    /// The module's id is none: the same rules hold for it.
    #[error("a module's id follows the rules of a device's: {0}")]
    Module(InvalidDeviceId),
    /// The configuration's id is none.
    #[error(
        "the configuration's id is empty, longer than 128 characters, or has a character other \
         than a-z 0-9 - : + % _ * ! '"
    )]
    Configuration,
}

impl<'a> Key<'a> {
    /// Reads a key.
    ///
    /// # Errors
    /// One of its ids is not legal.
    pub fn parse(text: &'a str) -> Result<Self, InvalidKey> {
        if let Some(id) = text.strip_prefix(CONFIGURATIONS) {
            return match is_configuration(id) {
                true => Ok(Self::Configuration(id)),
                false => Err(InvalidKey::Configuration),
            };
        }
        let (device, module) = match text.split_once('/') {
            None => (text, None),
            Some((device, module)) => (device, Some(module)),
        };
        device_id::check(device).map_err(InvalidKey::Device)?;
        let Some(module) = module else {
            return Ok(Self::Device(device));
        };
        device_id::check(module).map_err(InvalidKey::Module)?;
        Ok(Self::Module(device, module))
    }

    /// The device without which a module cannot be.
    pub fn parent(&self) -> Option<&'a str> {
        match *self {
            Self::Module(device, _) => Some(device),
            Self::Device(_) | Self::Configuration(_) => None,
        }
    }

    /// Whether it is a module that a hub makes and removes by itself, with its edge device.
    pub fn is_system(&self) -> bool {
        matches!(self, Self::Module(_, module) if module.starts_with('$'))
    }
}

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(id) => f.write_str(id),
            Self::Module(device, module) => write!(f, "{device}/{module}"),
            Self::Configuration(id) => write!(f, "{CONFIGURATIONS}{id}"),
        }
    }
}

fn is_configuration(id: &str) -> bool {
    let is_legal = |c: char| {
        c.is_ascii_lowercase() || c.is_ascii_digit() || CONFIGURATION_PUNCTUATION.contains(c)
    };
    (1..=MAX_CONFIGURATION).contains(&id.len()) && id.chars().all(is_legal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_written_as_it_was_read() {
        let all = [
            ("Py:dev+1#$'", Key::Device("Py:dev+1#$'")),
            ("gw/$edgeAgent", Key::Module("gw", "$edgeAgent")),
            ("configurations/a", Key::Module("configurations", "a")),
            ("/configurations/site-7", Key::Configuration("site-7")),
        ];
        for (text, key) in all {
            assert_eq!(Key::parse(text), Ok(key), "{text}");
            assert_eq!(key.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let device = |text| matches!(Key::parse(text), Err(InvalidKey::Device(_)));
        assert!(device("") && device("a b") && device("/a") && device("/"));
        let module = |text| matches!(Key::parse(text), Err(InvalidKey::Module(_)));
        assert!(module("a/") && module("a/b/c") && module("a/b c"));
        let long = format!("/configurations/{}", "a".repeat(129));
        for text in [
            "/configurations/",
            "/configurations/A",
            "/configurations/a.b",
            &long,
        ] {
            assert_eq!(Key::parse(text), Err(InvalidKey::Configuration), "{text}");
        }
    }

    #[test]
    fn only_a_module_has_a_parent_in_its_key() {
        assert_eq!(Key::Module("d", "m").parent(), Some("d"));
        assert_eq!(Key::Device("d").parent(), None);
        assert_eq!(Key::Configuration("c").parent(), None);
        assert!(Key::Module("d", "$edgeHub").is_system());
        assert!(!Key::Module("d", "m").is_system() && !Key::Device("$d").is_system());
    }
}
