//! How a device proves who it is, as a value that can be compared, sealed and sent to a hub.

use hubshift_azure::Secret;
use serde::Deserialize;
use serde_json::{Value, json};

/// A device's credentials. `Debug` shows no key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// Two symmetric keys, each base64 of 16 to 64 bytes, kept to the letter.
    Sas {
        /// The first key.
        primary: Secret,
        /// The second key.
        secondary: Secret,
    },
    /// A certificate known by its thumbprint.
    SelfSigned {
        /// The first thumbprint, hexadecimal.
        primary_thumbprint: String,
        /// The second thumbprint.
        secondary_thumbprint: Option<String>,
    },
    /// A certificate signed by an authority that the hub trusts.
    Ca,
    /// Nothing: of a module that a hub makes by itself, and of a configuration. No hub takes a
    /// device with it.
    None,
}

/// The bytes are no credentials. Says nothing of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stored credentials are damaged")]
pub struct DamagedCredentials;

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum Stored {
    Sas {
        primary: Secret,
        secondary: Secret,
    },
    SelfSigned {
        primary_thumbprint: String,
        secondary_thumbprint: Option<String>,
    },
    Ca {},
    None {},
}

impl Credentials {
    /// The bytes to seal: JSON, the same for the same credentials. They hold the keys in plain.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.to_json().to_string().into_bytes()
    }

    /// Reads what [`Self::to_bytes`] wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DamagedCredentials> {
        let stored = serde_json::from_slice(bytes).map_err(|_| DamagedCredentials)?;
        Ok(match stored {
            Stored::Sas { primary, secondary } => Self::Sas { primary, secondary },
            Stored::SelfSigned {
                primary_thumbprint,
                secondary_thumbprint,
            } => Self::SelfSigned {
                primary_thumbprint,
                secondary_thumbprint,
            },
            Stored::Ca {} => Self::Ca,
            Stored::None {} => Self::None,
        })
    }

    fn to_json(&self) -> Value {
        match self {
            Self::Sas { primary, secondary } => json!({
                "kind": "sas",
                "primary": primary.expose(),
                "secondary": secondary.expose(),
            }),
            Self::SelfSigned {
                primary_thumbprint,
                secondary_thumbprint,
            } => json!({
                "kind": "self_signed",
                "primary_thumbprint": primary_thumbprint,
                "secondary_thumbprint": secondary_thumbprint,
            }),
            Self::Ca => json!({ "kind": "ca" }),
            Self::None => json!({ "kind": "none" }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sas() -> Credentials {
        Credentials::Sas {
            primary: Secret::new("Y2FuYXJ5"),
            secondary: Secret::new("Y2FuYXJ5Mg=="),
        }
    }

    #[test]
    fn every_kind_survives_the_round_trip() {
        let self_signed = |secondary_thumbprint| Credentials::SelfSigned {
            primary_thumbprint: "AB".to_owned(),
            secondary_thumbprint,
        };
        let all = [
            sas(),
            self_signed(None),
            self_signed(Some("CD".to_owned())),
            Credentials::Ca,
            Credentials::None,
        ];
        for credentials in all {
            assert_eq!(
                Credentials::from_bytes(&credentials.to_bytes()),
                Ok(credentials)
            );
        }
    }

    #[test]
    fn damaged_bytes_are_refused() {
        for bytes in [
            &b""[..],
            b"{}",
            b"{\"kind\":\"sas\",\"primary\":\"a\"}",
            b"{\"kind\":\"x\"}",
        ] {
            assert_eq!(Credentials::from_bytes(bytes), Err(DamagedCredentials));
        }
    }

    #[test]
    fn debug_shows_no_key() {
        assert!(!format!("{:?}", sas()).contains("Y2FuYXJ5"));
    }
}
