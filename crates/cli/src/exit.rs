//! How a command ends: the errors of the command line, and the exit code of each.
//!
//! Codes after BSD's `sysexits.h`. Kept true: a code follows from the canonical gRPC code alone,
//! so that a reason that is newer than this program still ends with the right one.

use std::process::ExitCode;

use hubshift_shell::exit::{SOFTWARE, UNAVAILABLE, USAGE};
use tonic::{Code, Status};

use crate::args::OutputFormat;
use crate::output::Problem;

/// The operation was carried out and ended badly: a failover failed, digests differ.
pub(crate) const ENDED_BADLY: u8 = 1;
/// What the request names is not there.
pub(crate) const NOT_FOUND: u8 = 66;
/// Not now: something else is going on, or its state does not allow it. Look, decide, try again.
pub(crate) const TRY_AGAIN: u8 = 75;
/// The caller may not do that.
pub(crate) const NOT_ALLOWED: u8 = 77;

/// Why a command did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// The command line, or a file that it names, is wrong.
    #[error("{0}")]
    Usage(String),
    /// Nothing is there that the command could take as its default.
    #[error("{message}")]
    Missing {
        /// Stable reason, `FAILOVER_NOT_FOUND`.
        reason: &'static str,
        /// For a person.
        message: String,
    },
    /// A service answered with an error.
    #[error("{}", .status.message())]
    Refused {
        /// The answer.
        status: Status,
        /// How the request can be repeated.
        repeat: Repeat,
    },
    /// A service did not answer.
    #[error("{service} at {url} does not answer: {cause}")]
    Unreachable {
        /// Which.
        service: &'static str,
        /// Where it was looked for.
        url: String,
        /// What went wrong on the way.
        cause: String,
        /// How the request can be repeated.
        repeat: Repeat,
    },
    /// The operation came to an end, and not to the one that was wanted.
    #[error("{message}")]
    EndedBadly {
        /// Stable reason, `DIGEST_MISMATCH`.
        reason: String,
        /// For a person.
        message: String,
    },
    /// The result could not be printed.
    #[error("standard output cannot be written to")]
    Output(#[source] std::io::Error),
}

/// How a request is repeated without a second effect.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Repeat {
    /// Its id.
    pub(crate) request_id: String,
    /// Further options without which the same command would make another request, because it was
    /// made from what the service held then.
    pub(crate) options: Vec<String>,
}

impl CliError {
    /// Adds what the command line lacks to make the same request again.
    pub(crate) fn repeat_with(mut self, options: Vec<String>) -> Self {
        if let Self::Refused { repeat, .. } | Self::Unreachable { repeat, .. } = &mut self {
            repeat.options = options;
        }
        self
    }

    /// A wrong command line.
    pub(crate) fn usage(text: impl Into<String>) -> Self {
        Self::Usage(text.into())
    }

    /// An operation's bad end.
    pub(crate) fn ended_badly(reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self::EndedBadly {
            reason: reason.into(),
            message: message.into(),
        }
    }

    /// The stable reason, for programs.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::Usage(_) => "USAGE".to_owned(),
            Self::Missing { reason, .. } => (*reason).to_owned(),
            Self::Refused { status, .. } => reason_of(status),
            Self::Unreachable { .. } => "SERVICE_UNREACHABLE".to_owned(),
            Self::EndedBadly { reason, .. } => reason.clone(),
            Self::Output(_) => "OUTPUT_FAILED".to_owned(),
        }
    }

    /// The exit code.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Usage(_) => USAGE,
            Self::Missing { .. } => NOT_FOUND,
            Self::Refused { status, .. } => of_status(status.code()),
            Self::Unreachable { .. } => UNAVAILABLE,
            Self::EndedBadly { .. } => ENDED_BADLY,
            Self::Output(_) => SOFTWARE,
        }
    }
}

/// The reason in a status; one that says none gets its code's name, `NOT_FOUND`.
fn reason_of(status: &Status) -> String {
    let reason = hubshift_api::fault::reason(status);
    if !reason.is_empty() {
        return reason;
    }
    let name = format!("{:?}", status.code());
    name.char_indices()
        .fold(String::new(), |mut snake, (at, letter)| {
            if at > 0 && letter.is_ascii_uppercase() {
                snake.push('_');
            }
            snake.push(letter.to_ascii_uppercase());
            snake
        })
}

/// The exit code of a service's answer.
fn of_status(code: Code) -> u8 {
    match code {
        Code::Ok => 0,
        Code::InvalidArgument | Code::OutOfRange | Code::AlreadyExists => USAGE,
        Code::NotFound => NOT_FOUND,
        Code::Unavailable | Code::DeadlineExceeded => UNAVAILABLE,
        Code::Aborted | Code::FailedPrecondition | Code::ResourceExhausted | Code::Cancelled => {
            TRY_AGAIN
        }
        Code::PermissionDenied | Code::Unauthenticated => NOT_ALLOWED,
        Code::Unknown | Code::Internal | Code::DataLoss | Code::Unimplemented => SOFTWARE,
    }
}

/// Ends an operator's command: prints its error, if any, and gives its exit code.
pub(crate) fn of(result: Result<(), CliError>, format: OutputFormat) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}", Problem::of(&error).render(format));
            ExitCode::from(error.code())
        }
    }
}

/// Ends `up`, `demo` or `service`: prints the whole chain of an error, once, with its reason.
pub(crate) fn own(result: anyhow::Result<ExitCode>) -> ExitCode {
    result.unwrap_or_else(|error| {
        let (code, reason) = of_chain(&error);
        eprintln!("error: {error:#} ({reason})");
        ExitCode::from(code)
    })
}

/// The code and the reason of the first error in the chain that has them.
fn of_chain(error: &anyhow::Error) -> (u8, String) {
    error
        .chain()
        .find_map(known)
        .unwrap_or_else(|| (SOFTWARE, "FAILED".to_owned()))
}

fn known(error: &(dyn std::error::Error + 'static)) -> Option<(u8, String)> {
    if let Some(error) = error.downcast_ref::<CliError>() {
        return Some((error.code(), error.reason()));
    }
    if let Some(status) = error.downcast_ref::<Status>() {
        return Some((of_status(status.code()), reason_of(status)));
    }
    let is_config = error.is::<hubshift_shell::config::ConfigError>()
        || error.is::<hubshift_concierge::StartError>();
    let known = [
        (is_config, USAGE, "CONFIG_INVALID"),
        (
            error.is::<hubshift_shell::tls::TlsError>(),
            USAGE,
            "TLS_UNUSABLE",
        ),
        (
            error.is::<hubshift_private_pg::PgError>(),
            UNAVAILABLE,
            "POSTGRES_UNAVAILABLE",
        ),
        (
            error.is::<hubshift_shell::BindError>(),
            UNAVAILABLE,
            "PORT_UNAVAILABLE",
        ),
    ];
    let (_, code, reason) = known.into_iter().find(|(is_it, _, _)| *is_it)?;
    Some((code, reason.to_owned()))
}

/// Ends a command line that clap refused, or that asked for help.
pub(crate) fn refuse(error: &clap::Error) -> ExitCode {
    // Help into a closed pipe is not worth a word.
    let _ = error.print();
    if error.use_stderr() {
        ExitCode::from(USAGE)
    } else {
        ExitCode::SUCCESS
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    fn refused(code: Code, reason: &'static str) -> CliError {
        let status = hubshift_api::fault::status(code, reason, "text");
        CliError::Refused {
            status,
            repeat: Repeat::default(),
        }
    }

    #[test]
    fn every_reason_ends_with_the_code_of_its_kind() {
        for (code, reason, exit) in [
            (Code::InvalidArgument, "INVALID_REQUEST", 64),
            (Code::AlreadyExists, "REQUEST_ID_REUSED", 64),
            (Code::AlreadyExists, "DEVICE_EXISTS", 64),
            (Code::NotFound, "FLEET_NOT_FOUND", 66),
            (Code::NotFound, "CONNECTION_NOT_FOUND", 66),
            (Code::Unavailable, "DATABASE_UNAVAILABLE", 69),
            (Code::Unavailable, "HUB_UNREACHABLE", 69),
            (Code::DeadlineExceeded, "DEADLINE_EXCEEDED", 69),
            (Code::Internal, "INTERNAL", 70),
            (Code::Unimplemented, "UNIMPLEMENTED", 70),
            (Code::Aborted, "FAILOVER_ACTIVE", 75),
            (Code::Aborted, "PLAN_CHANGED", 75),
            (Code::FailedPrecondition, "PRECHECK_BLOCKED", 75),
            (Code::FailedPrecondition, "REGISTRY_FROZEN", 75),
            (Code::PermissionDenied, "NOT_AN_OPERATOR", 77),
        ] {
            assert_eq!(refused(code, reason).code(), exit, "{reason}");
        }
    }

    #[test]
    fn a_bad_end_a_wrong_line_and_a_dead_service_differ() {
        assert_eq!(
            CliError::ended_badly("DIGEST_MISMATCH", "they differ").code(),
            1
        );
        assert_eq!(CliError::usage("no").code(), 64);
        let dead = CliError::Unreachable {
            service: "concierge",
            url: "http://127.0.0.1:1".into(),
            cause: "refused".into(),
            repeat: Repeat::default(),
        };
        assert_eq!(dead.code(), 69);
    }

    #[test]
    fn a_known_error_is_found_under_its_context() {
        let found =
            Err::<(), _>(CliError::usage("line 3: no id")).context("the file was not loaded");
        assert_eq!(of_chain(&found.unwrap_err()), (64, "USAGE".to_owned()));
        assert_eq!(of_chain(&anyhow::anyhow!("something else")).0, 70);
    }

    #[test]
    fn a_status_without_a_reason_is_named_by_its_code() {
        assert_eq!(
            reason_of(&Status::new(Code::PermissionDenied, "")),
            "PERMISSION_DENIED"
        );
        assert_eq!(
            refused(Code::NotFound, "FLEET_NOT_FOUND").reason(),
            "FLEET_NOT_FOUND"
        );
    }
}
