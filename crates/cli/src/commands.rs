//! What an operator asks for: a module per group, a function per command.
//!
//! A command builds one request, calls, and shows the answer. Nothing is decided here that a
//! service decides: checks are theirs, so that other clients get the same ones.

pub(crate) mod adopt;
pub(crate) mod backup;
pub(crate) mod device;
pub(crate) mod failover;
pub(crate) mod fleet;
pub(crate) mod hub;
pub(crate) mod keys;
pub(crate) mod merge;
pub(crate) mod metadata;
pub(crate) mod sync;

mod document_file;
mod key_value;
mod names;
mod pages;
mod tasks;

use std::process::ExitCode;
use std::time::Duration;

use clap::Subcommand;

use crate::args::Group;
use crate::connect::Session;
use crate::exit::{self, CliError};

/// Commands of a group.
pub(crate) trait Operate: Subcommand {
    /// Does it and shows the result.
    async fn run(self, session: &Session) -> Result<(), CliError>;
}

/// Runs a command and gives its exit code.
pub(crate) async fn operate<T: Operate>(group: Group<T>) -> ExitCode {
    let format = group.remote.output.unwrap_or_default();
    let result = match Session::open(&group.remote) {
        Ok(session) => Box::pin(group.command.run(&session)).await,
        Err(error) => Err(error),
    };
    exit::of(result, format)
}

/// Pauses between looks at long work: short at first, then up to two seconds.
struct Pauses(Duration);

impl Pauses {
    fn new() -> Self {
        Self(Duration::from_millis(50))
    }

    async fn wait(&mut self) {
        tokio::time::sleep(self.0).await;
        self.0 = (self.0 * 2).min(Duration::from_secs(2));
    }
}
