//! The `hubshift-conformance` command: the suite, pointed at a hub.
//!
//! Exit codes: 0 everything held, 1 a check failed or something is left on the hub, 64 wrong
//! options.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, ValueEnum};
use hubshift_azure::{ConnectionString, Secret};
use hubshift_conformance::{Report, Settings, run};

/// Exit code for a wrong command line (`EX_USAGE`).
const USAGE: u8 = 64;

/// How to report.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    Text,
    Json,
}

/// Holds a hub, real or emulated, against what the connector relies on.
///
/// Everything that is made begins with `hubshift-conformance-` and is deleted at the end, also
/// after ^C. On a hub of the smallest tier a run takes some minutes and counts against its quotas.
#[derive(Parser)]
#[command(name = "hubshift-conformance", version)]
struct Cli {
    /// The hub's, of a policy that may do everything (iothubowner)
    #[arg(
        long,
        env = "HUBSHIFT_CONFORMANCE_CONNECTION_STRING",
        hide_env_values = true,
        value_name = "TEXT",
        value_parser = secret
    )]
    connection_string: Secret,

    /// Certificates to trust instead of the public authorities
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,

    /// Only what leaves nothing behind and writes nothing
    #[arg(long)]
    harmless_only: bool,

    /// How to report
    #[arg(long, value_enum, default_value = "text")]
    output: Output,
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let code = if error.use_stderr() { USAGE } else { 0 };
            // Nothing can be done about a terminal that is gone.
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let settings = match settings(&cli) {
        Ok(settings) => settings,
        Err(error) => return fail(&error, USAGE),
    };
    match Box::pin(hold(settings, cli.output)).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => fail(&error, USAGE),
    }
}

/// Runs and reports; whether everything held.
async fn hold(settings: Settings, output: Output) -> anyhow::Result<bool> {
    let stop = async {
        // Without signals nothing can stop it but its end.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    let report = run(settings, stop).await?;
    println!("{}", shown(&report, output)?);
    Ok(report.is_good())
}

fn shown(report: &Report, output: Output) -> anyhow::Result<String> {
    Ok(match output {
        Output::Text => report.text(),
        Output::Json => serde_json::to_string_pretty(report)?,
    })
}

fn settings(cli: &Cli) -> anyhow::Result<Settings> {
    let connection: ConnectionString = cli.connection_string.expose().parse()?;
    let ca_pem = match &cli.ca {
        Some(path) => Some(
            std::fs::read_to_string(path)
                .with_context(|| format!("{}: the certificates cannot be read", path.display()))?,
        ),
        None => None,
    };
    Ok(Settings {
        connection,
        ca_pem,
        is_harmless: cli.harmless_only,
    })
}

fn fail(error: &anyhow::Error, code: u8) -> ExitCode {
    eprintln!("hubshift-conformance: {error:#}");
    ExitCode::from(code)
}

/// Opaque: a parser that quotes a wrong value would print a key.
fn secret(text: &str) -> Result<Secret, std::convert::Infallible> {
    Ok(Secret::new(text))
}
