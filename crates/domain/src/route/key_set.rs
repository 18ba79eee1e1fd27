//! The keys whose signatures are believed: a JWKS, which an offline recovery key may have signed.
//!
//! A device pins either the key set itself or the recovery key. A signed key set that is older
//! than the one held is refused, so that a key that was taken out can't be put back.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use super::jws::{self, ROUTE_TYPE};
use super::{KeyError, MAX_ROUTE_LEN, PrivateKey, PublicKey, RouteClaims, RouteError, VERSION};

const KEY_SET_TYPE: &str = "hubshift-keys+jws";

/// Why a key set is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeySetError {
    /// Not a JWKS, or without an Ed25519 key.
    #[error("is not a JWKS with an Ed25519 key")]
    Malformed,
    /// The recovery key did not sign it.
    #[error("is not signed by the recovery key")]
    NotSigned(#[source] RouteError),
    /// An older one than is held.
    #[error("is older than the key set that is held")]
    Older,
}

/// The trusted keys by their id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeySet {
    keys: BTreeMap<String, PublicKey>,
    issued_at: Option<OffsetDateTime>,
}

/// RFC 7517; only what an Ed25519 key needs (RFC 8037).
#[derive(Serialize, Deserialize)]
struct Jwk {
    kty: String,
    #[serde(default)]
    crv: String,
    #[serde(default)]
    kid: String,
    #[serde(default)]
    x: String,
}

impl Jwk {
    fn of(kid: &str, key: &PublicKey) -> Self {
        Self {
            kty: "OKP".into(),
            crv: "Ed25519".into(),
            kid: kid.to_owned(),
            x: key.to_base64(),
        }
    }

    fn is_ed25519(&self) -> bool {
        self.kty == "OKP" && self.crv == "Ed25519"
    }
}

impl PublicKey {
    /// From a JWK of an Ed25519 key.
    pub fn from_jwk(json: &[u8]) -> Result<Self, KeyError> {
        let jwk: Jwk = serde_json::from_slice(json).map_err(|_| KeyError::Public)?;
        if jwk.is_ed25519() {
            Self::from_base64(&jwk.x)
        } else {
            Err(KeyError::Public)
        }
    }

    /// As a JWK, under its thumbprint.
    pub fn to_jwk(&self) -> Result<serde_json::Value, KeySetError> {
        serde_json::to_value(Jwk::of(&self.id(), self)).map_err(|_| KeySetError::Malformed)
    }
}

#[derive(Serialize, Deserialize)]
struct Document {
    keys: Vec<Jwk>,
    #[serde(default, with = "time::serde::timestamp::option")]
    issued_at: Option<OffsetDateTime>,
}

impl KeySet {
    /// The set of these keys, each under its thumbprint.
    pub fn new(keys: impl IntoIterator<Item = PublicKey>) -> Self {
        let keys = keys.into_iter().map(|key| (key.id(), key)).collect();
        Self {
            keys,
            issued_at: None,
        }
    }

    /// With the time that tells an older set from a newer one; cut to whole seconds.
    #[must_use]
    pub fn issued_at(mut self, time: OffsetDateTime) -> Self {
        self.issued_at = time.replace_nanosecond(0).ok();
        self
    }

    /// The time that tells an older set from a newer one.
    pub fn issue_time(&self) -> Option<OffsetDateTime> {
        self.issued_at
    }

    /// Adds the keys of another set.
    pub fn extend(&mut self, other: &Self) {
        self.keys
            .extend(other.keys.iter().map(|(id, key)| (id.clone(), *key)));
    }

    /// Whether it holds the key with this id.
    pub fn contains(&self, kid: &str) -> bool {
        self.keys.contains_key(kid)
    }

    /// Whether it holds this key under its thumbprint, so that signatures of it are verified.
    pub fn holds(&self, key: &PublicKey) -> bool {
        self.keys.get(&key.id()) == Some(key)
    }

    /// The ids of its keys.
    pub fn kids(&self) -> impl Iterator<Item = &str> {
        self.keys.keys().map(String::as_str)
    }

    /// Tells sets of other keys apart: equal for the same keys under the same ids, whatever their
    /// date.
    pub fn id(&self) -> String {
        let mut hash = Sha256::new();
        for (kid, key) in &self.keys {
            hash.update((kid.len() as u64).to_be_bytes());
            hash.update(kid.as_bytes());
            hash.update(key.to_base64().as_bytes());
        }
        URL_SAFE_NO_PAD.encode(hash.finalize())
    }

    /// Reads a JWKS. Keys of other kinds are passed over, as the standard asks.
    pub fn from_json(json: &[u8]) -> Result<Self, KeySetError> {
        let document: Document =
            serde_json::from_slice(json).map_err(|_| KeySetError::Malformed)?;
        let mut keys = BTreeMap::new();
        for jwk in document.keys {
            if jwk.is_ed25519() {
                let key = PublicKey::from_base64(&jwk.x).map_err(|_| KeySetError::Malformed)?;
                let id = if jwk.kid.is_empty() {
                    key.id()
                } else {
                    jwk.kid
                };
                keys.insert(id, key);
            }
        }
        if keys.is_empty() {
            return Err(KeySetError::Malformed);
        }
        Ok(Self {
            keys,
            issued_at: document.issued_at,
        })
    }

    /// As a JWKS.
    pub fn to_json(&self) -> Result<serde_json::Value, KeySetError> {
        let keys = self
            .keys
            .iter()
            .map(|(kid, key)| Jwk::of(kid, key))
            .collect();
        let document = Document {
            keys,
            issued_at: self.issued_at,
        };
        serde_json::to_value(document).map_err(|_| KeySetError::Malformed)
    }

    /// Signs the set with the recovery key.
    pub fn sign(&self, recovery: &PrivateKey) -> Result<String, KeySetError> {
        let payload = self.to_json()?.to_string();
        jws::encode(KEY_SET_TYPE, payload.as_bytes(), recovery).map_err(KeySetError::NotSigned)
    }

    /// Reads a signed set. `held` is the set that the reader trusts already, if any.
    pub fn from_signed(
        token: &str,
        recovery: &PublicKey,
        held: Option<&Self>,
    ) -> Result<Self, KeySetError> {
        let id = recovery.id();
        let payload = jws::verify(KEY_SET_TYPE, token, |kid| (kid == id).then_some(recovery))
            .map_err(KeySetError::NotSigned)?;
        let set = Self::from_json(&payload)?;
        match held {
            Some(held) if set.issued_at < held.issued_at => Err(KeySetError::Older),
            _ => Ok(set),
        }
    }

    /// Reads a signed set without verifying it: for whoever serves it to those who can.
    pub fn from_unverified(token: &str) -> Result<Self, KeySetError> {
        let payload = jws::payload(token).map_err(KeySetError::NotSigned)?;
        Self::from_json(&payload)
    }

    /// Verifies a signed route and reads its claims.
    pub fn verify(&self, token: &str) -> Result<RouteClaims, RouteError> {
        if token.len() > MAX_ROUTE_LEN {
            return Err(RouteError::TooLong);
        }
        let payload = jws::verify(ROUTE_TYPE, token, |kid| self.keys.get(kid))?;
        read_claims(&payload)
    }
}

impl RouteClaims {
    /// Reads the claims of a signed route without verifying it: for a route that was verified
    /// before, or will be.
    pub fn from_unverified(token: &str) -> Result<Self, RouteError> {
        read_claims(&jws::payload(token)?)
    }
}

fn read_claims(payload: &[u8]) -> Result<RouteClaims, RouteError> {
    match serde_json::from_slice::<RouteClaims>(payload) {
        Ok(claims) if claims.v == VERSION && !claims.endpoints.is_empty() => Ok(claims),
        _ => Err(problem(payload)),
    }
}

/// Why a payload holds no claims that this code reads. Claims of another version may look quite
/// different.
fn problem(payload: &[u8]) -> RouteError {
    #[derive(Deserialize)]
    struct Versioned {
        v: u64,
    }
    match serde_json::from_slice(payload) {
        Ok(Versioned { v }) if v != u64::from(VERSION) => RouteError::Version(v),
        _ => RouteError::Claims,
    }
}
