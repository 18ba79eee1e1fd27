//! What can go wrong with the database, by what the caller can do about it.

use std::time::Duration;

use hubshift_api::fault;
use tonic::{Code, Status};

/// An error of the database.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No connection, or the server is going away: nothing happened. Try again later.
    #[error("the database does not answer")]
    Unavailable(#[source] sqlx::Error),
    /// The commit was cut off: it may have happened. Read back before anything else.
    #[error("the database did not confirm the commit")]
    Unknown(#[source] sqlx::Error),
    /// A concurrent transaction was in the way: nothing happened. Try again at once.
    #[error("a concurrent change was in the way")]
    Conflict(#[source] sqlx::Error),
    /// A named constraint refused the row.
    #[error("constraint {name} refused the row")]
    Constraint {
        /// The constraint's name, as the migration gives it.
        name: String,
        /// The driver's error.
        #[source]
        source: sqlx::Error,
    },
    /// A function of ours raised this SQLSTATE (`HS...`).
    #[error("{message}")]
    Raised {
        /// The SQLSTATE.
        code: String,
        /// The function's text.
        message: String,
    },
    /// A statement is wrong, or a row can't be read: a bug.
    #[error("the database refused a statement")]
    Bug(#[source] sqlx::Error),
}

/// "Connection" and "operator intervention" classes, and "read-only transaction": the server went
/// away or was demoted. See the table of SQLSTATEs in PostgreSQL's appendix A.
fn is_unavailable(code: &str) -> bool {
    code.starts_with("08") || code.starts_with("57P") || code == "25006" || code == "53300"
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let Some(database) = error.as_database_error() else {
            return match error {
                sqlx::Error::Io(_)
                | sqlx::Error::Tls(_)
                | sqlx::Error::PoolTimedOut
                | sqlx::Error::PoolClosed
                | sqlx::Error::WorkerCrashed
                | sqlx::Error::Protocol(_) => Self::Unavailable(error),
                other => Self::Bug(other),
            };
        };
        let code = database.code().unwrap_or_default().into_owned();
        if code.starts_with("HS") {
            return Self::Raised {
                code,
                message: database.message().to_owned(),
            };
        }
        if let Some(name) = database.constraint() {
            return Self::Constraint {
                name: name.to_owned(),
                source: error,
            };
        }
        match code.as_str() {
            "40001" | "40P01" | "55P03" => Self::Conflict(error),
            code if is_unavailable(code) => Self::Unavailable(error),
            _ => Self::Bug(error),
        }
    }
}

impl StoreError {
    /// Whether this is the refusal of the named constraint.
    pub fn is_constraint(&self, wanted: &str) -> bool {
        matches!(self, Self::Constraint { name, .. } if name == wanted)
    }

    /// Whether nothing is certain to have been stored.
    pub fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown(_))
    }
}

impl From<StoreError> for Status {
    fn from(error: StoreError) -> Self {
        let wait = Duration::from_secs(1);
        match &error {
            StoreError::Unavailable(_) => fault::retry(
                Code::Unavailable,
                "DATABASE_UNAVAILABLE",
                "the database does not answer; devices are still served; repeat with the same \
                 request_id, and see the runbook's \"the database is down\"",
                wait,
            ),
            StoreError::Unknown(_) => fault::retry(
                Code::Unavailable,
                "OUTCOME_UNKNOWN",
                "the database did not confirm the commit; repeat with the same request_id",
                wait,
            ),
            StoreError::Conflict(_) => fault::retry(
                Code::Aborted,
                "CONCURRENT_CHANGE",
                "a concurrent change was in the way; read again, then decide",
                wait,
            ),
            StoreError::Constraint { .. } | StoreError::Raised { .. } | StoreError::Bug(_) => {
                tracing::error!(error = &error as &dyn std::error::Error, "statement failed");
                fault::internal()
            }
        }
    }
}
