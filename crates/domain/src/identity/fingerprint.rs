//! Keyed 128-bit fingerprints: equality of records and of secrets without showing either.
//!
//! The key is random per fleet, so that a fingerprint of a low-entropy value can't be guessed
//! from outside.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// A fleet's fingerprint key: 32 random bytes.
#[derive(Clone)]
pub struct FingerprintKey([u8; 32]);

impl fmt::Debug for FingerprintKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FingerprintKey(…)")
    }
}

impl FingerprintKey {
    /// Takes the fleet's key.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// HMAC-SHA256 over `domain`, a zero byte and `bytes`, cut to 128 bits. `domain` keeps
    /// fingerprints of different things apart.
    pub fn fingerprint(&self, domain: &str, bytes: &[u8]) -> Fingerprint {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else {
            unreachable!("an hmac key may have any length")
        };
        mac.update(domain.as_bytes());
        mac.update(&[0]);
        mac.update(bytes);
        let full = mac.finalize().into_bytes();
        let mut cut = [0u8; 16];
        cut.copy_from_slice(&full[..16]);
        Fingerprint(cut)
    }
}

/// 128 bits that are equal when the values are, and else different but for chance.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, Default)]
pub struct Fingerprint(pub [u8; 16]);

impl Fingerprint {
    /// From stored bytes; `None` when they are not 16.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// Combines fingerprints of a set into one that does not depend on order.
    pub fn xor(self, other: Self) -> Self {
        let mut out = [0u8; 16];
        for (i, byte) in out.iter_mut().enumerate() {
            *byte = self.0[i] ^ other.0[i];
        }
        Self(out)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_depend_on_key_domain_and_bytes() {
        let key = FingerprintKey::new([7; 32]);
        let print = key.fingerprint("record", b"x");
        assert_eq!(print, key.fingerprint("record", b"x"));
        assert_ne!(print, key.fingerprint("credential", b"x"));
        assert_ne!(print, key.fingerprint("record", b"y"));
        assert_ne!(
            print,
            FingerprintKey::new([8; 32]).fingerprint("record", b"x")
        );
        assert_eq!(print.xor(print), Fingerprint::default());
    }
}
