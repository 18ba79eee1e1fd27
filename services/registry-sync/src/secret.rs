//! Secrets by reference: `file:PATH` or `env:NAME`, read when they are needed, never stored.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use secrecy::SecretString;
use serde::Deserialize;

/// Where a secret is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum SecretRef {
    /// The whole content of a file, without white space around it.
    File(PathBuf),
    /// An environment variable of the process.
    Env(String),
}

/// Why a text is no reference. It does not repeat the text, which may be the secret itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a reference to a secret: use file:PATH or env:NAME")]
pub struct NotARef;

/// Why a secret can't be had. Names the reference, never what it holds.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file can't be read.
    #[error("{} cannot be read", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The variable is not set, or not text.
    #[error("the environment variable {0} is not set")]
    Env(String),
    /// There is nothing in it.
    #[error("{0} is empty")]
    Empty(SecretRef),
}

impl SecretRef {
    /// Reads the secret.
    pub fn read(&self) -> Result<SecretString, SecretError> {
        let text = match self {
            Self::File(path) => {
                std::fs::read_to_string(path).map_err(|source| SecretError::File {
                    path: path.clone(),
                    source,
                })?
            }
            Self::Env(name) => std::env::var(name).map_err(|_| SecretError::Env(name.clone()))?,
        };
        match text.trim() {
            "" => Err(SecretError::Empty(self.clone())),
            text => Ok(SecretString::from(text.to_owned())),
        }
    }

    /// The file that it names, if it names one.
    pub(crate) fn path(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Env(_) => None,
        }
    }
}

impl FromStr for SecretRef {
    type Err = NotARef;

    fn from_str(text: &str) -> Result<Self, NotARef> {
        match text.split_once(':') {
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(PathBuf::from(path))),
            Some(("env", name)) if !name.is_empty() => Ok(Self::Env(name.to_owned())),
            _ => Err(NotARef),
        }
    }
}

impl TryFrom<String> for SecretRef {
    type Error = NotARef;

    fn try_from(text: String) -> Result<Self, NotARef> {
        text.parse()
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Env(name) => write!(f, "env:{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn references_read_back_and_other_texts_are_refused_unseen() {
        for text in ["file:/run/secrets/east", "env:EAST"] {
            assert_eq!(text.parse::<SecretRef>().unwrap().to_string(), text);
        }
        let inline = "HostName=h;SharedAccessKey=canary"
            .parse::<SecretRef>()
            .unwrap_err();
        assert!(!inline.to_string().contains("canary"));
        assert!("file:".parse::<SecretRef>().is_err());
    }

    #[test]
    fn a_file_is_read_without_its_line_feed_and_an_empty_one_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        let reference = SecretRef::File(path.clone());
        assert!(matches!(reference.read(), Err(SecretError::File { .. })));
        std::fs::write(&path, "s3cret\n").unwrap();
        assert_eq!(reference.read().unwrap().expose_secret(), "s3cret");
        std::fs::write(&path, "\n").unwrap();
        assert!(matches!(reference.read(), Err(SecretError::Empty(_))));
    }
}
