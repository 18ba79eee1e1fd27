//! `hubshift service`: one process of a world, from this same program. Hidden: containers run the
//! services' own binaries.

use std::path::PathBuf;
use std::process::ExitCode;

use hubshift_shell::shutdown;
use hubshift_shell::telemetry::{self, TelemetryConfig};

/// Which process to be.
#[derive(Debug, clap::Args)]
pub(crate) struct ServiceArgs {
    #[command(subcommand)]
    which: Which,
}

#[derive(Debug, clap::Subcommand)]
enum Which {
    /// The concierge.
    Concierge(ConfigFile),
    /// registry-sync.
    RegistrySync(ConfigFile),
    /// merge.
    Merge(ConfigFile),
    /// An emulated hub.
    HubEmulator(Box<hubshift_emulator::Options>),
}

#[derive(Debug, clap::Args)]
struct ConfigFile {
    /// Configuration file
    #[arg(long)]
    config: PathBuf,
}

/// Is that process until it is told to stop.
pub(crate) async fn run(args: ServiceArgs) -> anyhow::Result<ExitCode> {
    let cancel = shutdown::signal_token();
    match args.which {
        Which::Concierge(file) => {
            let config = hubshift_concierge::Config::load(Some(&file.config))?;
            let _guard = telemetry::init("concierge", &config.telemetry)?;
            hubshift_concierge::run(config, cancel).await?;
        }
        Which::RegistrySync(file) => {
            let config = hubshift_registry_sync::Config::load(Some(&file.config))?;
            let _guard = telemetry::init("registry-sync", &config.telemetry)?;
            hubshift_registry_sync::run(config, cancel).await?;
        }
        Which::Merge(file) => {
            let config = hubshift_merge::Config::load(Some(&file.config))?;
            let _guard = telemetry::init("merge", &config.telemetry)?;
            hubshift_merge::run(config, cancel).await?;
        }
        Which::HubEmulator(options) => {
            let _guard = telemetry::init("hub-emulator", &TelemetryConfig::default())?;
            if let Err(error) = hubshift_emulator::run(*options, cancel).await {
                eprintln!("error: {error:#}");
                return Ok(ExitCode::from(hubshift_emulator::exit_code(&error)));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
