//! Seals: what the holder of a signing key marks the things with that it keeps for itself.
//!
//! Kept true: whoever can make a seal holds the secret of the signing key, or what was derived from
//! it for this one purpose; the derived secret reveals nothing of the key and signs no route.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

const SALT: &[u8] = b"hubshift seal";

/// The secret of one purpose, which follows from a signing key. Never printed.
#[derive(Clone)]
pub struct SealKey([u8; 32]);

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKey(…)")
    }
}

impl SealKey {
    /// HKDF of RFC 5869 with SHA-256, and one block of it.
    pub(super) fn derive(secret: &[u8], purpose: &str) -> Self {
        let extracted = bytes(mac(SALT, &[secret]));
        Self(bytes(mac(&extracted, &[purpose.as_bytes(), &[1]])))
    }

    /// The seal of this content: its HMAC-SHA256.
    pub fn seal(&self, content: &[u8]) -> [u8; 32] {
        bytes(mac(&self.0, &[content]))
    }

    /// Whether this is the seal of this content. Takes as long for a wrong one as for a right one.
    pub fn fits(&self, content: &[u8], seal: &[u8]) -> bool {
        mac(&self.0, &[content]).verify_slice(seal).is_ok()
    }
}

fn mac(key: &[u8], parts: &[&[u8]]) -> Hmac<Sha256> {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        unreachable!("an hmac key may have any length")
    };
    for part in parts {
        mac.update(part);
    }
    mac
}

fn bytes(mac: Hmac<Sha256>) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(&mac.finalize().into_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::super::PrivateKey;

    #[test]
    fn a_seal_fits_its_content_key_and_purpose_alone() {
        let key = PrivateKey::from_seed(&[1; 32]);
        let seal = key.seal_key("table").seal(b"content");
        assert!(key.seal_key("table").fits(b"content", &seal));
        assert!(!key.seal_key("table").fits(b"contents", &seal));
        assert!(!key.seal_key("other").fits(b"content", &seal));
        let stranger = PrivateKey::from_seed(&[2; 32]);
        assert!(!stranger.seal_key("table").fits(b"content", &seal));
        assert!(!key.seal_key("table").fits(b"content", &seal[..31]));
    }

    #[test]
    fn the_secret_is_not_printed() {
        let key = PrivateKey::from_seed(&[1; 32]).seal_key("table");
        assert_eq!(format!("{key:?}"), "SealKey(…)");
    }
}
