//! Why there is no database: one variant for each thing that a person can do about it.

use std::path::PathBuf;

/// Why a private cluster could not be set up, started or stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PgError {
    /// No server program on this machine, and none could be put there.
    #[error(
        "PostgreSQL {minimum} or newer is not installed ({why}). Install it with\n  \
         Debian, Ubuntu: apt-get install postgresql\n  \
         Fedora:         dnf install postgresql-server\n  \
         macOS:          brew install postgresql@17\n\
         or name its directory of programs in HUBSHIFT_POSTGRES_BIN"
    )]
    NotInstalled {
        /// The oldest major version that works.
        minimum: u32,
        /// Why it could not be installed here.
        why: String,
    },
    /// The directory belongs to a cluster of another major version.
    #[error(
        "{} was made by PostgreSQL {data}, but this machine has {server}: \
         install PostgreSQL {data} beside it, or choose another directory", dir.display()
    )]
    VersionMismatch {
        /// The cluster's home.
        dir: PathBuf,
        /// Major version that made the data.
        data: u32,
        /// Major version of the server that was found.
        server: u32,
    },
    /// We run as root, and there is no ordinary user to run the server as.
    #[error("PostgreSQL refuses to run as root, and there is neither a user postgres nor nobody")]
    NoAccount,
    /// We run as root, and the user that the server runs as can't get to the directory.
    #[error(
        "the user {user}, who runs PostgreSQL because root may not, can't enter {}: \
         choose a data directory below one that everybody can enter", dir.display()
    )]
    Unreachable {
        /// The directory that can't be entered.
        dir: PathBuf,
        /// The user that the server would run as.
        user: String,
    },
    /// The directory holds something else.
    #[error(
        "{} is not empty and not a cluster of ours: choose another directory", dir.display()
    )]
    NotACluster {
        /// The directory that was asked for.
        dir: PathBuf,
    },
    /// Another server runs on this directory.
    #[error(
        "another PostgreSQL server runs on {}: stop the command that started it", dir.display()
    )]
    InUse {
        /// The cluster's home.
        dir: PathBuf,
    },
    /// Somebody took the port.
    #[error("port {port} of 127.0.0.1 is taken")]
    PortTaken {
        /// The port that the server was to listen on.
        port: u16,
    },
    /// `initdb` failed.
    #[error("initdb failed: {output}")]
    InitFailed {
        /// What it said.
        output: String,
    },
    /// The server gave up while it started.
    #[error("PostgreSQL did not start: {log}")]
    StartFailed {
        /// The last lines of its log.
        log: String,
    },
    /// The server neither started nor failed in time.
    #[error("PostgreSQL was not ready after {seconds} s: {log}")]
    NotReady {
        /// How long we waited.
        seconds: u64,
        /// The last lines of its log.
        log: String,
    },
    /// The server did not stop in time.
    #[error("PostgreSQL did not stop within {seconds} s")]
    NotStopped {
        /// How long we waited.
        seconds: u64,
    },
    /// A file or a process of ours failed.
    #[error("could not {what}")]
    Io {
        /// What we tried.
        what: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

impl PgError {
    /// For `map_err`: an I/O error with what we tried.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}
