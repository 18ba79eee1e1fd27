//! A cluster's home on disk: `data/` (PostgreSQL's own), `password` (the superuser's, readable by
//! the server's user alone) and usually `postgres.log`.
//!
//! Durable: everything in a home that the caller named; a home that we made up is removed at the
//! end. A directory that holds something else is never touched: its owner would lose it to the
//! server's user.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

use crate::account::Account;
use crate::error::PgError;
use crate::random;

/// A cluster's home on disk.
#[derive(Debug)]
pub(crate) struct Home {
    pub(crate) dir: PathBuf,
    /// Made up by us, and removed at the end.
    pub(crate) ephemeral: bool,
    /// Who runs the server, when that is not us.
    pub(crate) account: Option<Account>,
}

impl Home {
    /// Opens the home that the caller named, or makes a new one below the temporary directory.
    pub(crate) fn open(named: Option<&Path>) -> Result<Self, PgError> {
        let account = Account::substitute()?;
        let dir = match named {
            Some(dir) => named_dir(dir)?,
            None => new_dir()?,
        };
        let home = Self {
            dir,
            ephemeral: named.is_none(),
            account,
        };
        if let Some(account) = &home.account {
            reachable(&home.dir, account)?;
            account.own(&home.dir)?;
        }
        std::fs::set_permissions(&home.dir, Permissions::from_mode(0o700))
            .map_err(PgError::io(format!("protect {}", home.dir.display())))?;
        Ok(home)
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    pub(crate) fn password_file(&self) -> PathBuf {
        self.dir.join("password")
    }

    /// The major version that made the data; `None` when there is no data yet.
    pub(crate) fn major(&self) -> Option<u32> {
        std::fs::read_to_string(self.data().join("PG_VERSION"))
            .ok()?
            .trim()
            .parse()
            .ok()
    }

    /// The superuser's password, made at the first call.
    pub(crate) fn password(&self) -> Result<SecretString, PgError> {
        let path = self.password_file();
        if let Ok(password) = std::fs::read_to_string(&path) {
            return Ok(password.trim().to_owned().into());
        }
        let password = SecretString::from(random::hex::<20>()?);
        let mut file = self.private_file(&path)?;
        file.write_all(password.expose_secret().as_bytes())
            .and_then(|()| file.sync_all())
            .map_err(PgError::io(format!("write {}", path.display())))?;
        Ok(password)
    }

    /// A new file that only the server's user can read.
    fn private_file(&self, path: &Path) -> Result<File, PgError> {
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map_err(PgError::io(format!("create {}", path.display())))?;
        if let Some(account) = &self.account {
            account.own(path)?;
        }
        Ok(file)
    }
}

/// The directory that the caller named, made when it is absent.
fn named_dir(dir: &Path) -> Result<PathBuf, PgError> {
    std::fs::create_dir_all(dir)
        .and_then(|()| dir.canonicalize())
        .map_err(PgError::io(format!("create {}", dir.display())))
        .and_then(|dir| {
            if is_ours(&dir)? {
                Ok(dir)
            } else {
                Err(PgError::NotACluster { dir })
            }
        })
}

/// Empty, or marked by the password that we write before anything else.
fn is_ours(dir: &Path) -> Result<bool, PgError> {
    let mut entries =
        std::fs::read_dir(dir).map_err(PgError::io(format!("read {}", dir.display())))?;
    Ok(entries.next().is_none() || dir.join("password").is_file())
}

/// A directory of our own below the temporary one.
fn new_dir() -> Result<PathBuf, PgError> {
    let dir = temporary_root().join(format!("hubshift-pg-{}", random::hex::<6>()?));
    DirBuilder::new()
        .mode(0o700)
        .create(&dir)
        .map_err(PgError::io(format!("create {}", dir.display())))?;
    Ok(dir)
}

/// `TMPDIR` when everybody may write there, so that the server's user can also remove its home;
/// else `/tmp`. Somebody who is not root needs no such care, but loses nothing by it.
fn temporary_root() -> PathBuf {
    let named = std::env::temp_dir();
    let open_to_all = mode(&named).is_some_and(|mode| mode & 0o003 == 0o003)
        && named.ancestors().skip(1).all(everybody_enters);
    if open_to_all {
        named
    } else {
        PathBuf::from("/tmp")
    }
}

/// Fails when `account` can't get to `dir` because a directory above it is closed.
fn reachable(dir: &Path, account: &Account) -> Result<(), PgError> {
    match dir.ancestors().skip(1).find(|dir| !everybody_enters(dir)) {
        None => Ok(()),
        Some(closed) => Err(PgError::Unreachable {
            dir: closed.to_owned(),
            user: account.name.clone(),
        }),
    }
}

fn everybody_enters(dir: &Path) -> bool {
    mode(dir).is_some_and(|mode| mode & 0o001 != 0)
}

fn mode(dir: &Path) -> Option<u32> {
    std::fs::metadata(dir)
        .ok()
        .map(|meta| meta.permissions().mode())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_a_directory_that_holds_something_else() {
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join("thesis.txt"), "years of work").unwrap();
        let refused = Home::open(Some(place.path())).unwrap_err();
        assert!(matches!(refused, PgError::NotACluster { .. }), "{refused}");
    }

    #[test]
    fn recognises_its_own_directory_before_it_has_data() {
        let place = tempfile::tempdir().unwrap();
        assert!(is_ours(place.path()).unwrap());
        std::fs::write(place.path().join("password"), "x").unwrap();
        assert!(is_ours(place.path()).unwrap());
    }

    #[test]
    fn a_closed_directory_above_is_named() {
        let place = tempfile::tempdir().unwrap();
        let below = place.path().join("below");
        std::fs::create_dir(&below).unwrap();
        assert!(everybody_enters(&below));
        let closed = std::fs::Permissions::from_mode(0o700);
        std::fs::set_permissions(place.path(), closed).unwrap();
        assert!(!everybody_enters(place.path()));
    }
}
