//! The keys of this concierge: the one that signs routes, and the set that devices verify with.
//!
//! Durable: a folder with `signing.pem` (Ed25519, PKCS #8; a secret) and, if given, `trusted.json`
//! (a JWKS of other concierges' keys and of keys before and after this one), `recovery.pem` (the
//! recovery key, where it is not kept offline) or `key-set.jws` (a key set that was signed offline);
//! `key-set.last.jws` is the signed set that was published last. Kept true: the key that signs is
//! always in the set that is published; a set with other keys has a later date than the one before.
//! The folder is read again when it changes, and what can't be used changes nothing.

mod files;
mod folder;
mod keys;
mod seal;
mod set;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, TryLockError};

use arc_swap::ArcSwap;
use bytes::Bytes;
use hubshift_domain::route::{self, KeyError, KeySetError, RouteClaims, RouteError};
#[cfg(any(test, fuzzing))]
use hubshift_domain::route::{KeySet, PrivateKey};
use time::OffsetDateTime;

pub(crate) use files::SigningFiles;
use folder::Folder;
use keys::Keys;
pub(crate) use seal::Seal;

/// Why a concierge can't sign. A configuration error.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SigningError {
    /// There is no key, and none is to be made.
    #[error("there is no signing key {}: put one there (`hubshift keys new`)", .0.display())]
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
    #[error(
        "{} does not hold the signing key {kid}: sign a key set that does \
         (`hubshift keys sign-set`), or put the key before back", .path.display()
    )]
    NotInSet {
        /// The key set's file.
        path: PathBuf,
        /// The id of the signing key.
        kid: String,
    },
    /// The key set that was signed offline is older than one that devices may hold.
    #[error(
        "{} is of {date}, and one of {last} was published before, so devices would refuse it: \
         sign it anew with a later date (`hubshift keys sign-set`)", .path.display()
    )]
    Older {
        /// The key set's file.
        path: PathBuf,
        /// Its date.
        date: String,
        /// The date of the one that was published last.
        last: String,
    },
    /// The key set can't be written as JSON.
    #[error("the key set can't be published")]
    Document(#[source] KeySetError),
    /// The system has no random numbers.
    #[error("the system gives no random numbers")]
    Random,
}

/// Signs and verifies, with the newest keys that could be used. Clones share them. Never printed.
#[derive(Debug, Clone)]
pub(crate) struct Signer {
    keys: Arc<ArcSwap<Keys>>,
    /// Where they come from; nowhere for keys of a test.
    folder: Arc<Mutex<Option<Folder>>>,
}

impl Signer {
    /// Reads the keys, and makes a signing key when there is none and `files` allows it.
    pub(crate) fn open(files: &SigningFiles, now: OffsetDateTime) -> Result<Self, SigningError> {
        let (folder, keys) = Folder::open(files, now)?;
        tracing::info!(kid = keys.key.id(), "routes are signed");
        Ok(Self::with(keys, Some(folder)))
    }

    fn with(keys: Keys, folder: Option<Folder>) -> Self {
        Self {
            keys: Arc::new(ArcSwap::from_pointee(keys)),
            folder: Arc::new(Mutex::new(folder)),
        }
    }

    /// Looks at the files again. True if there are other keys from now on; files that can't be
    /// used change nothing, nor does a look while another one hangs. Reads the disk: not for a
    /// thread that answers somebody.
    pub(crate) fn look(&self, now: OffsetDateTime) -> bool {
        let mut folder = match self.folder.try_lock() {
            Ok(folder) => folder,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return false,
        };
        let before = self.keys.load_full();
        let Some(keys) = folder.as_mut().and_then(|folder| folder.look(&before, now)) else {
            return false;
        };
        let kids: Vec<&str> = keys.trusted.kids().collect();
        tracing::info!(kid = keys.key.id(), trusted = ?kids, "the signing keys changed");
        self.keys.store(Arc::new(keys));
        true
    }

    /// The same with the keys of this moment, whatever becomes of the files: what is done with it
    /// is done under one set.
    pub(crate) fn fixed(&self) -> Self {
        Self {
            keys: Arc::new(ArcSwap::new(self.keys.load_full())),
            folder: Arc::default(),
        }
    }

    /// Signs a route: a compact JWS.
    pub(crate) fn sign(&self, claims: &RouteClaims) -> Result<String, RouteError> {
        route::sign(claims, &self.keys.load().key)
    }

    /// Verifies a signed route against every trusted key.
    pub(crate) fn verify(&self, token: &str) -> Result<RouteClaims, RouteError> {
        self.keys.load().trusted.verify(token)
    }

    /// What the table file is sealed with.
    pub(crate) fn seal(&self) -> Seal {
        self.keys.load().seal.clone()
    }

    /// One that trusts this key alone.
    #[cfg(any(test, fuzzing))]
    #[allow(clippy::unwrap_used, reason = "fixtures of tests fail as tests do")]
    pub(crate) fn of(key: PrivateKey) -> Self {
        let trusted = KeySet::new([key.public()]);
        Self::with(Keys::of(key, trusted, None).unwrap(), None)
    }

    /// What verifies its routes.
    #[cfg(test)]
    pub(crate) fn public(&self) -> hubshift_domain::route::PublicKey {
        self.keys.load().key.public()
    }

    /// The JWKS that devices fetch; its member `signed` holds the same set signed by the recovery
    /// key, if there is one.
    pub(crate) fn key_set_document(&self) -> Bytes {
        self.keys.load().document.clone()
    }
}
