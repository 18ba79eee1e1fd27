//! The key-encryption key: wraps the fleets' keys, so that a copy of the database opens nothing.

use std::fmt;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::XChaCha20Poly1305;
use hubshift_domain::id::FleetId;
use secrecy::ExposeSecret as _;
use sha2::{Digest, Sha256};

use super::{KeyError, cipher, open, seal};
use crate::secret::SecretRef;

/// The key-encryption key.
pub(crate) struct Kek {
    cipher: XChaCha20Poly1305,
    id: String,
}

impl fmt::Debug for Kek {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kek")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl Kek {
    /// Reads the key; with `create`, makes the file if there is none.
    pub(crate) fn load(from: &SecretRef, create: bool) -> Result<Self, KeyError> {
        if let Some(path) = from.path().filter(|path| create && !path.exists()) {
            make(path)?;
        }
        let text = from.read().map_err(KeyError::Missing)?;
        let bytes = STANDARD
            .decode(text.expose_secret())
            .map_err(|_| KeyError::NotAKey)?;
        let bytes: [u8; 32] = bytes.try_into().map_err(|_| KeyError::NotAKey)?;
        Ok(Self::of(&bytes))
    }

    /// A key of these bytes. Its id is a digest, which tells keys apart and gives none away.
    pub(crate) fn of(bytes: &[u8; 32]) -> Self {
        let digest = Sha256::digest([&b"hubshift kek id:"[..], bytes].concat());
        let id = digest
            .iter()
            .take(8)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        Self {
            cipher: cipher(bytes),
            id,
        }
    }

    /// Which key it is.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn wrap(
        &self,
        fleet: &FleetId,
        kind: &str,
        key: &[u8; 32],
    ) -> Result<Vec<u8>, KeyError> {
        seal(&self.cipher, &aad(fleet, kind), key)
    }

    pub(super) fn unwrap(
        &self,
        fleet: &FleetId,
        kind: &str,
        wrapped: &[u8],
    ) -> Result<[u8; 32], KeyError> {
        let key = open(&self.cipher, &aad(fleet, kind), wrapped)?;
        key.try_into().map_err(|_| KeyError::Damaged)
    }
}

fn aad(fleet: &FleetId, kind: &str) -> Vec<u8> {
    format!("{fleet}|{kind}").into_bytes()
}

/// Makes a key file that only its owner reads. Of two processes the first one's stays.
fn make(path: &Path) -> Result<(), KeyError> {
    let mut fresh = [0u8; 32];
    getrandom::fill(&mut fresh).map_err(|_| KeyError::NoRandomness)?;
    let text = STANDARD.encode(fresh);
    let put = || {
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        // Written beside and linked into place, so that nobody reads half a key.
        let beside = path.with_extension(format!("new.{}", std::process::id()));
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        let linked = std::fs::hard_link(&beside, path);
        std::fs::remove_file(&beside)?;
        match linked {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        }
    };
    put().map_err(|source| KeyError::NotMade(path.to_owned(), source))
}
