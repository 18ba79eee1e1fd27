//! The process merge.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use hubshift_merge::{Config, run};
use hubshift_shell::{exit, shutdown, telemetry};

const EXIT_CODES: &str = "\
Exit codes: 0 stopped by a signal, 64 wrong configuration, 69 port taken, 70 a defect.
Keys of the configuration can be set in the environment: HUBSHIFT_MERGE_LISTEN.";

/// Brings a recovered hub and the active hub together: plan, review, apply.
#[derive(Debug, Parser)]
#[command(name = "merge", version, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve until SIGTERM or SIGINT
    Serve {
        /// Configuration file (TOML)
        #[arg(long, env = "HUBSHIFT_MERGE_CONFIG", value_name = "FILE")]
        config: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    let Command::Serve { config } = match Cli::try_parse() {
        Ok(cli) => cli.command,
        Err(error) => {
            let code = if error.use_stderr() { exit::USAGE } else { 0 };
            // Nothing can be done about a terminal that is gone.
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    match serve(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("merge: {error:#}");
            ExitCode::from(exit::of_service(&error))
        }
    }
}

#[tokio::main]
async fn serve(file: Option<PathBuf>) -> anyhow::Result<()> {
    let config = Config::load(file.as_deref())?;
    let guard = telemetry::init("merge", &config.telemetry)?;
    let result = run(config, shutdown::signal_token()).await;
    guard.shutdown();
    result
}
