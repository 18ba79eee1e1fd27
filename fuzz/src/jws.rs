//! Signatures over anything, under keys that everybody knows: what is behind a signature is reached,
//! though no fuzzer can make one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer as _, SigningKey};
use hubshift_domain::route::{KeySet, PrivateKey, PublicKey};

const ROUTE_TYPE: &str = "hubshift-route+jws";
const KEY_SET_TYPE: &str = "hubshift-keys+jws";

/// Whose signatures are believed.
pub(crate) struct Keys {
    /// What signs routes.
    pub(crate) routes: Key,
    /// What signs key sets.
    pub(crate) recovery: Key,
    /// What devices trust.
    pub(crate) trusted: KeySet,
}

/// One key.
pub(crate) struct Key {
    signing: SigningKey,
    pub(crate) private: PrivateKey,
    pub(crate) public: PublicKey,
}

impl Key {
    fn of(seed: [u8; 32]) -> Self {
        let private = PrivateKey::from_seed(&seed);
        Self {
            signing: SigningKey::from_bytes(&seed),
            public: private.public(),
            private,
        }
    }

    /// A compact JWS of this type.
    fn sign(&self, typ: &str, payload: &[u8]) -> String {
        let kid = self.private.id();
        let header = format!(r#"{{"alg":"EdDSA","kid":"{kid}","typ":"{typ}"}}"#);
        let (header, payload) = (encoded(header.as_bytes()), encoded(payload));
        let signed = format!("{header}.{payload}");
        let signature = self.signing.sign(signed.as_bytes()).to_bytes();
        format!("{signed}.{}", encoded(&signature))
    }
}

impl Keys {
    /// The key of the example in docs/route.md, and another one.
    pub(crate) fn new() -> Self {
        let routes = Key::of([1; 32]);
        Self {
            trusted: KeySet::new([routes.public]),
            routes,
            recovery: Key::of([2; 32]),
        }
    }

    /// A route with these claims, whatever they are.
    pub(crate) fn route(&self, claims: &[u8]) -> String {
        self.routes.sign(ROUTE_TYPE, claims)
    }

    /// A key set with this content, whatever it is.
    pub(crate) fn key_set(&self, set: &[u8]) -> String {
        self.recovery.sign(KEY_SET_TYPE, set)
    }
}

fn encoded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
