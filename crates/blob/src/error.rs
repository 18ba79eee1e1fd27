//! What can be wrong with a container. No text here ever has a URL or a SAS in it.

use std::fmt;

/// Why a container, or a blob of it, cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContainerError {
    /// The URI is not a container's.
    #[error("the container's URI cannot be used: {0}")]
    Uri(&'static str),
    /// The SAS is wrong, over, or does not allow it.
    #[error("the container does not allow it")]
    Denied,
    /// There is no such container.
    #[error("the container is not there")]
    NotFound,
    /// The service did not answer, or said that it cannot now. May pass.
    #[error("the container cannot be reached: {0}")]
    Unreachable(String),
    /// Anything else.
    #[error("the container cannot be used: {0}")]
    Failed(String),
    /// A blob that is read whole, or a line of a blob, is too large.
    #[error("a blob or a line of it is too large")]
    TooLarge,
}

/// What a SAS must allow for a job. (`create` is part of `write`.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// Writing blobs.
    Write,
    /// Listing them.
    List,
    /// Reading them.
    Read,
    /// Deleting them.
    Delete,
}

/// What a probe of a container found, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{step}: {error}")]
pub struct ProbeError {
    /// What was tried.
    pub step: Permission,
    /// What came of it.
    pub error: ContainerError,
}

impl Permission {
    /// All of them, in the order in which a probe tries them.
    pub const ALL: [Self; 4] = [Self::Write, Self::List, Self::Read, Self::Delete];

    /// Its letter in a SAS's `sp`.
    pub(crate) fn letter(self) -> char {
        match self {
            Self::Write => 'w',
            Self::List => 'l',
            Self::Read => 'r',
            Self::Delete => 'd',
        }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Write => "write",
            Self::List => "list",
            Self::Read => "read",
            Self::Delete => "delete",
        })
    }
}
