//! Arguments of `hubshift demo`.

use super::seed::SeedArgs;

/// How the east hub comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum EastReturns {
    /// With everything that it held when it died.
    AsWas,
    /// Restored from an older state.
    Rewound,
    /// With nothing.
    Empty,
    /// Not at all.
    Never,
}

impl EastReturns {
    /// The word of the command line.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::AsWas => "as-was",
            Self::Rewound => "rewound",
            Self::Empty => "empty",
            Self::Never => "never",
        }
    }
}

/// What goes wrong besides the story.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Chaos {
    /// SIGKILL to a random service in the middle of every failover and of the merge.
    Kill,
}

/// Arguments of `hubshift demo`.
#[derive(Debug, clap::Args)]
pub(crate) struct DemoArgs {
    #[command(flatten)]
    pub(crate) seed: SeedArgs,

    /// How the east hub comes back
    #[arg(long, value_enum, default_value = "as-was")]
    pub(crate) east_returns: EastReturns,

    /// What goes wrong besides
    #[arg(long, value_enum)]
    pub(crate) chaos: Option<Chaos>,

    /// Seed of the chaos, to repeat a run
    #[arg(long, default_value_t = 1)]
    pub(crate) chaos_seed: u64,

    /// Send traces to this OTLP endpoint, http://HOST:4317
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT")]
    pub(crate) otlp: Option<String>,

    /// Keep the world's folder, with its logs, at this place
    #[arg(long, value_name = "DIR")]
    pub(crate) keep: Option<std::path::PathBuf>,
}
