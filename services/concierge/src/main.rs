//! The concierge's process: `serve` (the default) and `migrate`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use hubshift_concierge::{Config, MigrateError, StartError, migrate, start};
use hubshift_shell::config::ConfigError;
use hubshift_shell::{BindError, exit, shutdown, telemetry};

/// Tells devices which hub is theirs, and moves fleets between hubs.
#[derive(Debug, Parser)]
#[command(name = "concierge", version, after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Configuration file (TOML); its keys stand in defaults.toml. Each key may also be set as
    /// HUBSHIFT_CONCIERGE_KEY.
    #[arg(long, global = true, env = "HUBSHIFT_CONCIERGE_CONFIG")]
    config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves devices and operators until it is stopped.
    Serve,
    /// Brings the database's schema up to this binary's version.
    Migrate {
        /// URL of a role that may create tables: the migrator's or a superuser's. Without it the
        /// configured database_url is used.
        #[arg(long)]
        database_url: Option<String>,
    },
}

/// Answers are small and many: this allocator makes them a tenth cheaper than the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const EXAMPLES: &str = "Examples:
  concierge serve --config /etc/hubshift/concierge.toml
  concierge migrate --database-url postgres://hubshift_migrator@db/hubshift";

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("concierge: {error:#}");
            ExitCode::from(exit_code(&error))
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let config = Config::load(arguments.config.as_deref())?;
    let _telemetry = telemetry::init("hubshift-concierge", &config.telemetry)?;
    match arguments.command {
        Some(Command::Migrate { database_url }) => migrate(&config, database_url).await,
        Some(Command::Serve) | None => serve(config).await,
    }
}

async fn serve(config: Config) -> anyhow::Result<()> {
    let cancel = shutdown::signal_token();
    let running = start(config, cancel).await?;
    let admin = running
        .admin_addr
        .map(|addr| format!(" admin={addr}"))
        .unwrap_or_default();
    println!(
        "listening public={} operator={}{admin}",
        running.public_addr, running.operator_addr
    );
    running
        .task
        .await
        .context("the concierge stopped in an unexpected way")?
}

/// 64 for what starting again does not help, 69 for what is not there now, else 70.
fn exit_code(error: &anyhow::Error) -> u8 {
    if error.is::<ConfigError>() || error.is::<StartError>() {
        return exit::USAGE;
    }
    match error.downcast_ref::<MigrateError>() {
        Some(MigrateError::TooNew { .. }) => exit::USAGE,
        Some(MigrateError::Store(_)) => exit::UNAVAILABLE,
        Some(MigrateError::Failed(_)) => exit::SOFTWARE,
        None if error.is::<BindError>() => exit::UNAVAILABLE,
        None => exit::SOFTWARE,
    }
}
