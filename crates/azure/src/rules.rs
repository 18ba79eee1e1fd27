//! What a hub accepts as a device: ids, keys, thumbprints, reasons.
//!
//! The emulator refuses what breaks these rules and the reader of export lines names it early.

use crate::authentication::{AuthType, Authentication, SymmetricKey, X509Thumbprint};
use crate::device_id;
use crate::error::ErrorCode;
use crate::secret::Secret;

/// The most characters that `statusReason` may have.
pub const MAX_STATUS_REASON: usize = 128;

/// A value that the hub does not take. The text never has the value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Violation {
    /// The hub's name for it.
    pub code: ErrorCode,
    /// What is wrong, in words.
    pub text: String,
}

impl Violation {
    /// An argument that is not valid, in these words.
    pub fn argument(text: impl Into<String>) -> Self {
        Self {
            code: ErrorCode::ArgumentInvalid,
            text: text.into(),
        }
    }

    /// Checks a device id.
    pub fn check_id(id: &str) -> Result<(), Self> {
        device_id::check(id).map_err(|invalid| Self::argument(invalid.to_string()))
    }

    /// Checks a module id. It is made of the same characters as a device's.
    pub fn check_module_id(id: &str) -> Result<(), Self> {
        device_id::check(id)
            .map_err(|invalid| Self::argument(invalid.to_string().replacen("device", "module", 1)))
    }

    /// Checks a status reason.
    pub fn check_reason(reason: Option<&str>) -> Result<(), Self> {
        match reason {
            Some(text) if text.chars().count() > MAX_STATUS_REASON => {
                Err(Self::argument("statusReason is longer than 128 characters"))
            }
            _ => Ok(()),
        }
    }

    /// Checks how a device (not a module) proves who it is. No keys at all is fine: a hub makes them.
    pub fn check_authentication(authentication: &Authentication) -> Result<(), Self> {
        match authentication.kind {
            AuthType::Sas => check_keys(authentication.symmetric_key.as_ref()),
            AuthType::SelfSigned => check_thumbprints(authentication.x509_thumbprint.as_ref()),
            AuthType::CertificateAuthority => Ok(()),
            AuthType::None => Err(Self::argument(
                "a device cannot have authentication type none",
            )),
        }
    }
}

fn check_keys(keys: Option<&SymmetricKey>) -> Result<(), Violation> {
    let Some(keys) = keys else { return Ok(()) };
    match (&keys.primary_key, &keys.secondary_key) {
        (None, None) => Ok(()),
        (Some(primary), Some(secondary)) => {
            check_key("primaryKey", primary)?;
            check_key("secondaryKey", secondary)
        }
        _ => Err(Violation::argument(
            "Either no keys or both keys can be set",
        )),
    }
}

fn check_key(name: &str, key: &Secret) -> Result<(), Violation> {
    match key.decode() {
        Ok(bytes) if (16..=64).contains(&bytes.len()) => Ok(()),
        _ => Err(Violation::argument(format!(
            "{name} is not base64 of 16 to 64 bytes"
        ))),
    }
}

fn check_thumbprints(prints: Option<&X509Thumbprint>) -> Result<(), Violation> {
    let primary = prints.and_then(|prints| prints.primary_thumbprint.as_deref());
    let secondary = prints.and_then(|prints| prints.secondary_thumbprint.as_deref());
    if primary.is_none() {
        return Err(Violation::argument(
            "a self-signed device needs primaryThumbprint",
        ));
    }
    if [primary, secondary]
        .into_iter()
        .flatten()
        .all(is_thumbprint)
    {
        return Ok(());
    }
    let text = "a thumbprint is 40 or 64 hexadecimal digits without separators".to_owned();
    Err(Violation {
        code: ErrorCode::StringIsNotThumbprint,
        text,
    })
}

/// SHA-1 or SHA-256 in hexadecimal.
fn is_thumbprint(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.chars().all(|c| c.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    fn key(bytes: usize) -> Option<Secret> {
        Some(Secret::new(STANDARD.encode(vec![7_u8; bytes])))
    }

    fn keys(primary: Option<Secret>, secondary: Option<Secret>) -> Result<(), Violation> {
        check_keys(Some(&SymmetricKey {
            primary_key: primary,
            secondary_key: secondary,
        }))
    }

    #[test]
    fn keys_come_in_pairs_or_not_at_all() {
        assert!(keys(key(16), key(64)).is_ok());
        assert!(keys(None, None).is_ok());
        let text = keys(key(32), None).unwrap_err().text;
        assert_eq!(text, "Either no keys or both keys can be set");
    }

    #[test]
    fn keys_have_16_to_64_bytes_of_base64_and_errors_do_not_show_them() {
        assert!(keys(key(15), key(32)).is_err());
        assert!(keys(key(32), key(65)).is_err());
        let shown = keys(Some(Secret::new("canary!")), key(32))
            .unwrap_err()
            .to_string();
        assert!(!shown.contains("canary"), "{shown}");
    }

    #[test]
    fn thumbprints_are_hexadecimal() {
        let check = |primary: &str| {
            let auth = Authentication::self_signed(primary.to_owned(), None);
            Violation::check_authentication(&auth).map_err(|found| found.code)
        };
        assert_eq!(check(&"aB".repeat(20)), Ok(()));
        assert_eq!(check(&"0".repeat(64)), Ok(()));
        assert_eq!(check("AA:BB"), Err(ErrorCode::StringIsNotThumbprint));
    }

    #[test]
    fn a_module_id_is_named_as_one() {
        assert!(Violation::check_module_id("$edgeAgent").is_ok());
        let text = Violation::check_module_id("a b").unwrap_err().text;
        assert!(text.starts_with("the module id has a character"), "{text}");
    }

    #[test]
    fn a_reason_has_at_most_128_characters() {
        assert!(Violation::check_reason(Some(&"ä".repeat(128))).is_ok());
        assert!(Violation::check_reason(Some(&"a".repeat(129))).is_err());
    }
}
