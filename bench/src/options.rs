//! What a person can choose about a run.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// How to report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// A table.
    Text,
    /// One JSON document.
    Json,
}

/// What a person can choose about a run.
#[derive(Debug, Clone, Args)]
pub(crate) struct Options {
    /// Name what can be measured, and do nothing else
    #[arg(long)]
    pub(crate) list: bool,

    /// Only the works whose name begins so; may be given more than once
    #[arg(long, value_name = "NAME")]
    pub(crate) only: Vec<String>,

    /// How often each contender is measured, in alternating order
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,

    /// How long one measurement takes
    #[arg(long, value_name = "S", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) seconds: u32,

    /// How many changes the watchers of one measurement see
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) changes: u32,

    /// How long to wait for a quiet machine before each measurement, seconds; 0 does not wait
    #[arg(long, value_name = "S", default_value_t = 60)]
    pub(crate) quiet_wait: u64,

    /// Exit with success whatever the ratios are
    #[arg(long)]
    pub(crate) no_judge: bool,

    /// How to report
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub(crate) output: Output,

    /// Where to write the report as JSON besides
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,

    /// The core of the servers
    #[arg(long, value_name = "CORE", default_value_t = 0)]
    pub(crate) server_core: usize,

    /// The core of the load
    #[arg(long, value_name = "CORE", default_value_t = 1)]
    pub(crate) load_core: usize,

    /// A line for the concierge's configuration, `key = value` in TOML; may be given more than once
    #[arg(long = "set", value_name = "LINE")]
    pub(crate) settings: Vec<String>,

    /// The concierge to measure; without it the one beside this program
    #[arg(long, value_name = "FILE")]
    pub(crate) concierge: Option<PathBuf>,
}
