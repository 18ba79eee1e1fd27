//! The key that opens backups: an age identity (X25519), by reference.
//!
//! Losing it loses the backups; it is never in the database. The key's id is the recipient
//! (`age1...`), which is public.

use std::fmt;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use age::secrecy::ExposeSecret as _;
use age::x25519::Identity;

use crate::secret::{SecretError, SecretRef};

/// Marks the one line of the file that is not a comment.
const PREFIX: &str = "AGE-SECRET-KEY-1";

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BackupKeyError {
    /// It can't be read.
    #[error("the backup key cannot be read; make one with `age-keygen -o FILE`")]
    Unreadable(#[from] SecretError),
    /// It can't be made.
    #[error("the backup key cannot be made at {}", path.display())]
    Make {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// What is there is no age identity.
    #[error("{0} holds no line AGE-SECRET-KEY-1...")]
    Malformed(SecretRef),
}

/// Why bytes could not be opened or sealed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CipherError {
    /// They were sealed for another key.
    #[error("sealed for another key")]
    OtherKey,
    /// They are damaged.
    #[error("damaged")]
    Damaged,
    /// They could not be sealed.
    #[error("could not be encrypted")]
    Seal,
}

/// The key that opens backups.
pub(crate) struct BackupKey {
    identity: Identity,
    id: String,
}

impl fmt::Debug for BackupKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackupKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl BackupKey {
    /// Reads the identity; with `create` it is made when there is no file.
    pub(crate) fn load(reference: &SecretRef, create: bool) -> Result<Self, BackupKeyError> {
        if let Some(path) = reference.path().filter(|path| create && !path.exists()) {
            make(path).map_err(|source| BackupKeyError::Make {
                path: path.to_owned(),
                source,
            })?;
        }
        let text = reference.read()?;
        let mut lines = text.expose_secret().lines().map(str::trim);
        let line = lines.find(|line| line.starts_with(PREFIX));
        let identity = line.and_then(|line| line.parse::<Identity>().ok());
        let identity = identity.ok_or_else(|| BackupKeyError::Malformed(reference.clone()))?;
        Ok(Self::new(identity))
    }

    fn new(identity: Identity) -> Self {
        let id = identity.to_public().to_string();
        Self { identity, id }
    }

    /// The recipient: public, and different for every key.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Encrypts; the same bytes come out different each time.
    pub(crate) fn seal(&self, plain: &[u8]) -> Result<Vec<u8>, CipherError> {
        age::encrypt(&self.identity.to_public(), plain).map_err(|_| CipherError::Seal)
    }

    /// Decrypts. Bytes that were changed on the way are refused.
    pub(crate) fn open(&self, sealed: &[u8]) -> Result<Vec<u8>, CipherError> {
        age::decrypt(&self.identity, sealed).map_err(|error| match error {
            age::DecryptError::NoMatchingKeys => CipherError::OtherKey,
            _ => CipherError::Damaged,
        })
    }
}

/// Writes a new identity. Of two processes that do so at once, one wins and both use its file.
fn make(path: &Path) -> std::io::Result<()> {
    let identity = Identity::generate();
    let text = format!(
        "# public key: {}\n{}\n",
        identity.to_public(),
        identity.to_string().expose_secret()
    );
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let draft = path.with_extension(format!("draft-{}", uuid::Uuid::new_v4().simple()));
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    // A link, unlike a rename, does not replace what another process put there.
    let linked = std::fs::hard_link(&draft, path);
    std::fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys/backup.key");
        let reference = SecretRef::File(path.clone());
        assert!(matches!(
            BackupKey::load(&reference, false),
            Err(BackupKeyError::Unreadable(_))
        ));
        let made = BackupKey::load(&reference, true).unwrap();
        let again = BackupKey::load(&reference, true).unwrap();
        assert_eq!(made.id(), again.id());
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(
            std::fs::read_dir(path.parent().unwrap()).unwrap().count(),
            1
        );
    }

    #[test]
    fn what_was_sealed_opens_with_its_own_key_only() {
        let (ours, other) = (
            BackupKey::new(Identity::generate()),
            BackupKey::new(Identity::generate()),
        );
        let sealed = ours.seal(b"canary").unwrap();
        assert!(!sealed.windows(6).any(|part| part == b"canary"));
        assert_eq!(ours.open(&sealed).unwrap(), b"canary");
        assert!(matches!(other.open(&sealed), Err(CipherError::OtherKey)));
        let mut damaged = sealed.clone();
        *damaged.last_mut().unwrap() ^= 1;
        assert!(matches!(ours.open(&damaged), Err(CipherError::Damaged)));
    }

    #[test]
    fn debug_shows_no_secret() {
        let key = BackupKey::new(Identity::generate());
        assert!(!format!("{key:?}").contains("SECRET"));
    }

    #[test]
    fn a_file_without_an_identity_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, "# nothing\n").unwrap();
        let reference = SecretRef::File(path);
        assert!(matches!(
            BackupKey::load(&reference, true),
            Err(BackupKeyError::Malformed(_))
        ));
    }
}
