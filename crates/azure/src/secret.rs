//! A key as text that never shows itself.
//!
//! Holds what the hub holds: base64 text, kept byte for byte, because a hub echoes keys as they
//! were given and a device signs with the same text.

use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Reads keys as the hub and its devices do: they do not mind stray bits in the last character.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

/// How many bytes a generated key has. The hub's own keys have as many.
const GENERATED_BYTES: usize = 32;

/// A symmetric key (or a finished token): `Debug` shows nothing, serialisation shows everything.
#[derive(Clone)]
pub struct Secret(SecretString);

/// The text is not base64 of at least one byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the key is not base64")]
pub struct InvalidKey;

/// The operating system gave no random bytes, so that no key can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gave no random bytes")]
pub struct NoRandomness;

impl Secret {
    /// Takes the text as it is; it is checked where it is used.
    pub fn new(text: impl Into<String>) -> Self {
        Self(SecretString::from(text.into()))
    }

    /// Makes a new key of 32 random bytes.
    pub fn generate() -> Result<Self, NoRandomness> {
        let mut bytes = [0_u8; GENERATED_BYTES];
        getrandom::fill(&mut bytes).map_err(|_| NoRandomness)?;
        Ok(Self::new(STANDARD.encode(bytes)))
    }

    /// The text itself. The caller answers for where it goes.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// The bytes that sign: the base64 text decoded.
    pub fn decode(&self) -> Result<Vec<u8>, InvalidKey> {
        let bytes = LENIENT.decode(self.expose()).map_err(|_| InvalidKey)?;
        if bytes.is_empty() {
            Err(InvalidKey)
        } else {
            Ok(bytes)
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for Secret {}

impl From<SecretString> for Secret {
    fn from(text: SecretString) -> Self {
        Self(text)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.expose())
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_key() {
        let shown = format!("{:?}", Secret::new("canary-key"));
        assert_eq!(shown, "[redacted]");
    }

    #[test]
    fn generated_keys_differ_and_decode_to_32_bytes() {
        let (one, two) = (Secret::generate().unwrap(), Secret::generate().unwrap());
        assert_ne!(one, two);
        assert_eq!(one.decode().unwrap().len(), 32);
    }

    #[test]
    fn stray_bits_in_the_last_character_are_ignored() {
        assert_eq!(
            Secret::new("QUJDREV=").decode(),
            Secret::new("QUJDREU=").decode()
        );
        assert!(Secret::new("QUJDREU=").decode().is_ok());
    }

    #[test]
    fn text_that_is_not_base64_does_not_decode() {
        assert_eq!(Secret::new("not base64!").decode(), Err(InvalidKey));
        assert_eq!(Secret::new("").decode(), Err(InvalidKey));
    }
}
