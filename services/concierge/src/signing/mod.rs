//! The keys of this concierge: the one that signs routes, and the set that devices verify with.
//!
//! Durable: a folder with `signing.pem` (Ed25519, PKCS #8; a secret) and, if given, `trusted.json`
//! (a JWKS of other concierges' keys and of keys before and after this one), `recovery.pem` (the
//! recovery key, where it is not kept offline; `key-set.last.jws` is what it signed last) or
//! `key-set.jws` (a key set that was signed offline). Kept true: the key that signs is always in
//! the set that is published; a set with other keys has a later date than the one before.

mod files;
mod set;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use bytes::Bytes;
use hubshift_domain::route::{self, KeyError, KeySet, KeySetError, PrivateKey};
use hubshift_domain::route::{RouteClaims, RouteError};
use time::OffsetDateTime;

pub(crate) use files::SigningFiles;

/// Why a concierge can't sign. A configuration error.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SigningError {
    /// There is no key, and none is to be made.
    #[error("there is no signing key {}: put one there (`openssl genpkey -algorithm ed25519`)", .0.display())]
    NoKey(PathBuf),
    /// A file can't be read or written.
    #[error("{} can't be read or written", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// A file holds no usable key.
    #[error("{} holds no usable key", .path.display())]
    Key {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: KeyError,
    },
    /// A file holds no usable key set.
    #[error("{} holds no usable key set", .path.display())]
    KeySet {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: KeySetError,
    },
    /// The key set that was signed offline lacks the key that signs here.
    #[error("{} does not hold the signing key {kid}: sign a key set that does", .path.display())]
    NotInSet {
        /// The key set's file.
        path: PathBuf,
        /// The id of the signing key.
        kid: String,
    },
    /// The key set can't be written as JSON.
    #[error("the key set can't be published")]
    Document(#[source] KeySetError),
    /// The system has no random numbers.
    #[error("the system gives no random numbers")]
    Random,
}

/// Signs and verifies. Never printed.
#[derive(Debug)]
pub(crate) struct Signer {
    key: PrivateKey,
    trusted: KeySet,
    document: Bytes,
}

impl Signer {
    /// Reads the keys, and makes a signing key when there is none and `files` allows it.
    pub(crate) fn open(files: &SigningFiles, now: OffsetDateTime) -> Result<Self, SigningError> {
        let key = files.signing_key()?;
        let mut trusted = KeySet::new([key.public()]).issued_at(now);
        if let Some(others) = files.trusted()? {
            trusted.extend(&others);
        }
        let signed = match files.signed(key.id(), &mut trusted)? {
            Some(token) => Some(token),
            None => match files.recovery_key()? {
                Some(recovery) => {
                    let (dated, token) = set::signed_here(files, trusted, &recovery, now)?;
                    trusted = dated;
                    Some(token)
                }
                None => None,
            },
        };
        let document = document(&trusted, signed)?;
        tracing::info!(kid = key.id(), "routes are signed");
        Ok(Self {
            key,
            trusted,
            document,
        })
    }

    /// Signs a route: a compact JWS.
    pub(crate) fn sign(&self, claims: &RouteClaims) -> Result<String, RouteError> {
        route::sign(claims, &self.key)
    }

    /// Verifies a signed route against every trusted key.
    pub(crate) fn verify(&self, token: &str) -> Result<RouteClaims, RouteError> {
        self.trusted.verify(token)
    }

    /// One that trusts this key alone.
    #[cfg(test)]
    pub(crate) fn of(key: PrivateKey) -> Self {
        let trusted = KeySet::new([key.public()]);
        let document = document(&trusted, None).unwrap();
        Self {
            key,
            trusted,
            document,
        }
    }

    /// What verifies its routes.
    #[cfg(test)]
    pub(crate) fn public(&self) -> hubshift_domain::route::PublicKey {
        self.key.public()
    }

    /// The JWKS that devices fetch; its member `signed` holds the same set signed by the recovery
    /// key, if there is one.
    pub(crate) fn key_set_document(&self) -> Bytes {
        self.document.clone()
    }
}

fn document(set: &KeySet, signed: Option<String>) -> Result<Bytes, SigningError> {
    let mut json = set.to_json().map_err(SigningError::Document)?;
    if let (Some(signed), Some(object)) = (signed, json.as_object_mut()) {
        object.insert("signed".to_owned(), signed.into());
    }
    Ok(Bytes::from(json.to_string()))
}
