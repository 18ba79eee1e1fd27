//! What a command prints: results on standard output, everything else on standard error.
//!
//! As a table for people, or as JSON: one object a line, its fields named as in the protobuf
//! files, times in RFC 3339, durations in seconds, enum values as the command line takes them.
//! Kept true: with `--output json` standard output holds nothing but such objects.

mod hint;
mod page;
mod problem;
mod progress;
mod text;
pub(crate) mod views;

use std::io::{ErrorKind, IsTerminal as _, Write as _};

use serde::Serialize;

use crate::args::OutputFormat;
use crate::exit::CliError;

pub(crate) use page::{Page, Row};
pub(crate) use problem::Problem;
pub(crate) use progress::Progress;
pub(crate) use text::{Block, table};

/// Something that can be shown.
pub(crate) trait View: Serialize {
    /// As text for people, without a line break at its end.
    fn human(&self) -> String;
}

/// Where and how to print.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    format: OutputFormat,
    verbose: bool,
}

impl Output {
    /// Prints in this format; `verbose` lets [`Output::say`] speak.
    pub(crate) fn new(format: OutputFormat, verbose: bool) -> Self {
        Self { format, verbose }
    }

    /// Whether results are JSON.
    pub(crate) fn is_json(self) -> bool {
        self.format == OutputFormat::Json
    }

    /// Prints a result.
    ///
    /// # Errors
    /// Standard output cannot be written to. A reader that went away is not an error.
    pub(crate) fn show(self, view: &impl View) -> Result<(), CliError> {
        let text = if self.is_json() {
            serde_json::to_string(view).map_err(|error| CliError::Output(error.into()))?
        } else {
            view.human()
        };
        match writeln!(std::io::stdout().lock(), "{text}") {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            result => result.map_err(CliError::Output),
        }
    }

    /// A word for the curious: printed with `--verbose` only.
    pub(crate) fn say(self, text: &str) {
        if self.verbose {
            eprintln!("{text}");
        }
    }

    /// A word for a person who waits: not in a script that reads JSON.
    pub(crate) fn remark(self, text: &str) {
        if self.verbose || (!self.is_json() && std::io::stderr().is_terminal()) {
            eprintln!("{text}");
        }
    }

    /// Progress of long work, on standard error.
    pub(crate) fn progress(self) -> Progress {
        Progress::start(self)
    }
}
