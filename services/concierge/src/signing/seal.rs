//! What this concierge seals its own table file with.

use hubshift_domain::route::{KeySet, PrivateKey, SealKey};

const PURPOSE: &str = "hubshift table file";

/// Seals under the signing key, and says which keys were trusted when.
#[derive(Debug, Clone)]
pub(crate) struct Seal {
    key: SealKey,
    kid: String,
    keys: String,
}

impl Seal {
    pub(super) fn of(key: &PrivateKey, trusted: &KeySet) -> Self {
        Self {
            key: key.seal_key(PURPOSE),
            kid: key.id().to_owned(),
            keys: trusted.id(),
        }
    }

    /// Whether the other one is of the same signing key and the same trusted keys.
    pub(crate) fn is(&self, other: &Self) -> bool {
        (&self.kid, &self.keys) == (&other.kid, &other.keys)
    }

    /// The id of the set of trusted keys.
    pub(crate) fn keys(&self) -> &str {
        &self.keys
    }

    /// The seal of this content.
    pub(crate) fn make(&self, content: &[u8]) -> [u8; 32] {
        self.key.seal(content)
    }

    /// Whether this concierge made the seal, under the key that it signs with now.
    pub(crate) fn fits(&self, content: &[u8], seal: &[u8]) -> bool {
        self.key.fits(content, seal)
    }
}
