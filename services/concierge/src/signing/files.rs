//! The folder with the keys.

use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use hubshift_domain::route::{KeySet, KeySetError, PrivateKey};
use sha2::{Digest, Sha256};

use super::SigningError;

/// Where the keys lie.
#[derive(Debug, Clone)]
pub(crate) struct SigningFiles {
    /// Ed25519 private key, PKCS #8 PEM.
    pub(crate) key: PathBuf,
    /// JWKS of further keys that are believed; optional.
    pub(crate) trusted: PathBuf,
    /// The recovery key, PKCS #8 PEM; optional, and better kept offline.
    pub(crate) recovery: PathBuf,
    /// A key set that the recovery key signed offline; optional.
    pub(crate) signed: PathBuf,
    /// The signed key set that was published last; written by the concierge.
    pub(crate) published: PathBuf,
    /// Whether to make a signing key when there is none.
    pub(crate) create_key: bool,
}

impl SigningFiles {
    /// The usual names in a folder; a missing signing key is made.
    pub(crate) fn in_dir(dir: &Path) -> Self {
        Self {
            key: dir.join("signing.pem"),
            trusted: dir.join("trusted.json"),
            recovery: dir.join("recovery.pem"),
            signed: dir.join("key-set.jws"),
            published: dir.join("key-set.last.jws"),
            create_key: true,
        }
    }

    /// What an operator's files are right now. What the concierge writes by itself is no part of it.
    pub(super) fn stamp(&self) -> Result<[u8; 32], SigningError> {
        let mut hash = Sha256::new();
        for path in [&self.key, &self.trusted, &self.recovery, &self.signed] {
            let content = read(path)?;
            hash.update([u8::from(content.is_some())]);
            let content = content.unwrap_or_default();
            hash.update((content.len() as u64).to_be_bytes());
            hash.update(content.as_bytes());
        }
        Ok(hash.finalize().into())
    }

    /// The key that signs; a missing one is made if `may_create` and the files allow it.
    pub(super) fn signing_key(&self, may_create: bool) -> Result<PrivateKey, SigningError> {
        match private_key(&self.key)? {
            Some(key) => Ok(key),
            None if self.create_key && may_create => {
                create(&self.key)?;
                // Another process may have been first: what lies there now is the key.
                private_key(&self.key)?.ok_or_else(|| SigningError::NoKey(self.key.clone()))
            }
            None => Err(SigningError::NoKey(self.key.clone())),
        }
    }

    pub(super) fn recovery_key(&self) -> Result<Option<PrivateKey>, SigningError> {
        private_key(&self.recovery)
    }

    pub(super) fn trusted(&self) -> Result<Option<KeySet>, SigningError> {
        let Some(json) = read(&self.trusted)? else {
            return Ok(None);
        };
        KeySet::from_json(json.as_bytes())
            .map(Some)
            .map_err(key_set(&self.trusted))
    }

    /// The key set that was signed offline. Whether the recovery key signed it, devices find out:
    /// it isn't here.
    pub(super) fn signed(&self) -> Result<Option<(String, KeySet)>, SigningError> {
        let Some(token) = read(&self.signed)? else {
            return Ok(None);
        };
        let token = token.trim().to_owned();
        let set = KeySet::from_unverified(&token).map_err(key_set(&self.signed))?;
        Ok(Some((token, set)))
    }

    /// What was published last. Nobody else writes it: it is read without a key, so that its date
    /// counts under another recovery key too.
    pub(super) fn published(&self) -> Result<Option<(String, KeySet)>, SigningError> {
        let Some(token) = read(&self.published)? else {
            return Ok(None);
        };
        let set = KeySet::from_unverified(&token).map_err(key_set(&self.published))?;
        Ok(Some((token, set)))
    }

    /// Notes what is published from now on.
    pub(super) fn publish(&self, token: &str) -> Result<(), SigningError> {
        let aside = self
            .published
            .with_extension(format!("{}.new", std::process::id()));
        let dir = self.published.parent().unwrap_or(Path::new("."));
        write_private(&aside, token.as_bytes())
            .and_then(|()| std::fs::rename(&aside, &self.published))
            .and_then(|()| std::fs::File::open(dir)?.sync_all())
            .map_err(file(&self.published))
    }
}

fn key_set(path: &Path) -> impl FnOnce(KeySetError) -> SigningError + '_ {
    |source| SigningError::KeySet {
        path: path.to_owned(),
        source,
    }
}

fn file(path: &Path) -> impl Fn(std::io::Error) -> SigningError + '_ {
    |source| SigningError::File {
        path: path.to_owned(),
        source,
    }
}

fn read(path: &Path) -> Result<Option<String>, SigningError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(file(path)(error)),
    }
}

fn private_key(path: &Path) -> Result<Option<PrivateKey>, SigningError> {
    let Some(pem) = read(path)? else {
        return Ok(None);
    };
    PrivateKey::from_pem(&pem)
        .map(Some)
        .map_err(|source| SigningError::Key {
            path: path.to_owned(),
            source,
        })
}

/// Makes a key that only this user can read. Written aside and linked into place whole, so that
/// two processes that start at once end up with one key.
fn create(path: &Path) -> Result<(), SigningError> {
    let mut seed = [0u8; 32];
    getrandom::fill(&mut seed).map_err(|_| SigningError::Random)?;
    let pem = PrivateKey::from_seed(&seed)
        .to_pem()
        .map_err(|source| SigningError::Key {
            path: path.to_owned(),
            source,
        })?;
    let aside = path.with_extension(format!("{}.new", std::process::id()));
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir).map_err(file(dir))?;
    }
    write_private(&aside, pem.as_bytes()).map_err(file(&aside))?;
    let linked = match std::fs::hard_link(&aside, path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(file(path)(error)),
        _ => Ok(()),
    };
    std::fs::remove_file(&aside).map_err(file(&aside))?;
    linked
}

fn write_private(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(content)?;
    file.sync_all()
}
