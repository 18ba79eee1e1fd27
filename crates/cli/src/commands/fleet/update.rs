//! `hubshift fleet update`: only what is given changes.

use std::time::Duration;

use clap::Args;
use hubshift_api::pb::concierge as pb;
use hubshift_api::times;
use hubshift_shell::config::humane;
use prost_types::FieldMask;

use super::FleetArg;
use super::waves::{self, WaveSpec};
use crate::connect::Session;
use crate::connect::clients::Fleets;
use crate::exit::CliError;
use crate::output::views::FleetView;

#[derive(Debug, Args)]
pub(crate) struct UpdateArgs {
    #[command(flatten)]
    fleet: FleetArg,

    /// Text for people
    #[arg(long, value_name = "TEXT")]
    display_name: Option<String>,

    /// How many devices the fleet has
    #[arg(long, value_name = "N")]
    devices: Option<u64>,

    /// How much of a hub's admission rate a move may use, percent
    #[arg(long, value_name = "PERCENT")]
    utilisation: Option<u32>,

    /// How often devices ask
    #[arg(long, value_name = "TIME", value_parser = humane::parse)]
    poll_after: Option<Duration>,

    /// Devices that go first when the fleet moves, up to 8 times, in order; replaces all that there
    /// are: NAME:prefix=PREFIX,PREFIX:devices=N or NAME:percent=N
    #[arg(long = "wave", value_name = "WAVE", value_parser = waves::parse)]
    waves: Vec<WaveSpec>,

    /// Let no devices go first any more
    #[arg(long, conflicts_with = "waves")]
    no_waves: bool,

    /// Change it only if it still has this etag
    #[arg(
        long,
        value_name = "ETAG",
        default_value = "",
        hide_default_value = true
    )]
    etag: String,
}

impl UpdateArgs {
    /// The fields that are given.
    fn paths(&self) -> Vec<String> {
        let given = [
            ("display_name", self.display_name.is_some()),
            ("device_count", self.devices.is_some()),
            ("utilisation_percent", self.utilisation.is_some()),
            ("poll_after", self.poll_after.is_some()),
            ("waves", self.no_waves || !self.waves.is_empty()),
        ];
        given
            .into_iter()
            .filter(|(_, is)| *is)
            .map(|(path, _)| path.to_owned())
            .collect()
    }
}

pub(super) async fn run(session: &Session, args: UpdateArgs) -> Result<(), CliError> {
    let paths = args.paths();
    if paths.is_empty() {
        return Err(CliError::usage(
            "nothing to change: give at least one option",
        ));
    }
    let fleet = pb::Fleet {
        name: session
            .fleet_or(args.fleet.named_fleet.as_deref())
            .await?
            .name(),
        display_name: args.display_name.unwrap_or_default(),
        device_count: args.devices.unwrap_or_default(),
        utilisation_percent: args.utilisation.unwrap_or_default(),
        poll_after: args.poll_after.map(times::std_duration),
        waves: args.waves.into_iter().map(Into::into).collect(),
        etag: args.etag,
        ..Default::default()
    };
    let request = pb::UpdateFleetRequest {
        fleet: Some(fleet),
        update_mask: Some(FieldMask { paths }),
        request_id: session.request_id(),
    };
    let send = |c, r| async move { Fleets::new(c).update_fleet(r).await };
    let updated = session.concierge.call(request, send).await?;
    session.output.show(&FleetView::from(updated))
}
