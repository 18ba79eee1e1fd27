//! `hubshift fleet canary`: a few devices try a standby before the day.

use std::time::Duration;

use clap::{Args, Subcommand};
use hubshift_api::pb::concierge as pb;
use hubshift_api::times;
use hubshift_shell::config::humane;

use super::{FleetArg, fetch};
use crate::connect::Session;
use crate::connect::clients::Fleets;
use crate::exit::CliError;
use crate::output::views::CanaryView;

pub(super) const EXAMPLES: &str = "\
Examples:
  hubshift fleet canary start acme --hub west --percent 1 --ttl 15m
  hubshift fleet canary show acme
  hubshift fleet canary stop acme

The devices come back by themselves when the time is over, even if every concierge is gone by then.";

// No doc comment: clap would show it as the command's help.
#[derive(Debug, Subcommand)]
pub(crate) enum CanaryCommand {
    /// Attaches a small part of the fleet to a standby for a limited time
    #[command(
        after_help = "Examples:\n  hubshift fleet canary start acme --hub west --percent 1 --ttl 15m\n  \
                      hubshift fleet canary start acme --hub west --device pump-7 --device pump-8"
    )]
    Start(StartArgs),
    /// Ends the canary; its devices come back as each asks
    #[command(after_help = "Example:\n  hubshift fleet canary stop acme")]
    Stop(StopArgs),
    /// Shows the canary that runs, or that ended within the last day, and why
    #[command(after_help = "Example:\n  hubshift fleet canary show acme --output json")]
    Show(FleetArg),
}

#[derive(Debug, Args)]
pub(crate) struct StartArgs {
    #[command(flatten)]
    fleet: FleetArg,

    /// Standby to attach the devices to; it must be ready
    #[arg(long, value_name = "HUB")]
    hub: String,

    /// How much of the fleet takes part, percent, 1 to 50
    #[arg(
        long,
        value_name = "PERCENT",
        conflicts_with = "devices",
        required_unless_present = "devices"
    )]
    percent: Option<u32>,

    /// A device that takes part, up to 200 of them
    #[arg(long = "device", value_name = "DEVICE")]
    devices: Vec<String>,

    /// How long, 1s to 24h [default: 15m]
    #[arg(long, value_name = "TIME", value_parser = humane::parse)]
    ttl: Option<Duration>,

    /// Epoch that the fleet must be in [default: the one that it is in now]
    #[arg(long, value_name = "N")]
    expect_epoch: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct StopArgs {
    #[command(flatten)]
    fleet: FleetArg,

    /// Only the canary with this id
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    canary: String,
}

pub(super) async fn run(session: &Session, command: CanaryCommand) -> Result<(), CliError> {
    match command {
        CanaryCommand::Start(args) => start(session, args).await,
        CanaryCommand::Stop(args) => stop(session, args).await,
        CanaryCommand::Show(fleet) => {
            let name = name(session, &fleet).await?;
            show(session, fetch(session, name).await?)
        }
    }
}

async fn start(session: &Session, args: StartArgs) -> Result<(), CliError> {
    let name = name(session, &args.fleet).await?;
    let expected_epoch = match args.expect_epoch {
        Some(epoch) => epoch,
        None => fetch(session, name.clone()).await?.epoch,
    };
    let request = pb::StartCanaryRequest {
        name,
        request_id: session.request_id(),
        expected_epoch,
        hub: args.hub,
        percent: args.percent.unwrap_or_default(),
        devices: args.devices,
        ttl: args.ttl.map(times::std_duration),
    };
    let send = |c, r| async move { Fleets::new(c).start_canary(r).await };
    let fleet = session.concierge.call(request, send).await?;
    show(session, fleet)
}

async fn stop(session: &Session, args: StopArgs) -> Result<(), CliError> {
    let request = pb::StopCanaryRequest {
        name: name(session, &args.fleet).await?,
        request_id: session.request_id(),
        canary: args.canary,
    };
    let send = |c, r| async move { Fleets::new(c).stop_canary(r).await };
    let fleet = session.concierge.call(request, send).await?;
    show(session, fleet)
}

async fn name(session: &Session, fleet: &FleetArg) -> Result<String, CliError> {
    let fleet = session.fleet_or(fleet.named_fleet.as_deref()).await?;
    Ok(fleet.name())
}

fn show(session: &Session, fleet: pb::Fleet) -> Result<(), CliError> {
    let Some(canary) = fleet.canary else {
        return Err(CliError::Missing {
            reason: "CANARY_NOT_FOUND",
            message: format!("{} has had no canary since yesterday", fleet.name),
        });
    };
    session.output.show(&CanaryView::from(canary))
}
