//! `hubshift up`: the whole world until ^C, with what to try next.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use hubshift_shell::shutdown;

use super::layout::{Layout, Tuning};
use super::setup::{FLEET, World};
use crate::demo::seed::{self, SeedArgs};

/// Arguments of `hubshift up`.
#[derive(Debug, clap::Args)]
pub(crate) struct UpArgs {
    /// Folder that keeps the world: registries, backups, logs, keys
    #[arg(long, default_value = ".hubshift")]
    dir: PathBuf,

    /// Send traces to this OTLP endpoint, http://HOST:4317
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT")]
    otlp: Option<String>,

    #[command(flatten)]
    seed: SeedArgs,
}

/// Starts the world, prints what to try, and waits for ^C.
pub(crate) async fn up(args: UpArgs) -> anyhow::Result<ExitCode> {
    let devices = seed::devices(&args.seed)?;
    let mut layout = Layout::create(&args.dir, Tuning::demo())?;
    layout.otlp_endpoint = args.otlp;
    eprintln!(
        "starting PostgreSQL, two hubs and three services in {} …",
        layout.root().display()
    );
    let world = World::start(layout, false).await?;
    // A world that was up before has its devices, and those that were deleted since are gone.
    let added = match world.adopt_fleet(devices.len() as u64).await? {
        true => seed::load(&world.east, &devices).await?,
        false => 0,
    };
    write_context(&world.layout)?;
    print_next(&world, added);
    shutdown::signal_token().cancelled().await;
    eprintln!("stopping …");
    world.stop().await?;
    Ok(ExitCode::SUCCESS)
}

/// What the operator's commands need, found by them in `.hubshift/context.toml`.
fn write_context(layout: &Layout) -> anyhow::Result<()> {
    let text = format!(
        "concierge = \"{}\"\nregistry = \"{}\"\nmerge = \"{}\"\nfleet = \"{FLEET}\"\n",
        layout.operator_url(),
        layout.registry_url(),
        layout.merge_url(),
    );
    fs::write(layout.path("context.toml"), text)?;
    Ok(())
}

fn print_next(world: &World, added: usize) {
    let layout = &world.layout;
    let ca = world.public_ca();
    println!(
        "the world is up: fleet {FLEET}, {added} devices loaded into hub east

  devices   {public}   (trust {ca})
  operators {operator}
  registry  {registry}
  merge     {merge}
  logs      {logs}

try, in another terminal:
  hubshift fleet get
  hubshift sync status
  hubshift failover start --kind planned --to west --watch
  curl --cacert {ca} '{public}/v1/fleets/{FLEET}/endpoint?device=thermostat-0001'
  grpcurl -plaintext {operator_host} list

^C stops it; `hubshift up` goes on where it was.",
        public = layout.public_url(),
        operator = layout.operator_url(),
        operator_host = layout.operator_url().trim_start_matches("http://"),
        registry = layout.registry_url(),
        merge = layout.merge_url(),
        ca = ca.display(),
        logs = layout.path("logs").display(),
    );
}
