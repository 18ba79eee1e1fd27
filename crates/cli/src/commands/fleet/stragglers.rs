//! `hubshift fleet stragglers`: who is still connected to the hub that the fleet left.

use std::cell::Cell;

use clap::Args;
use hubshift_api::pb::concierge::{Failover, Fleet, ListFailoversRequest};
use hubshift_api::pb::registry as pb;
use hubshift_domain::id::FleetId;

use super::{FleetArg, fetch};
use crate::commands::names;
use crate::commands::pages::PageArgs;
use crate::commands::sync::standby;
use crate::connect::Session;
use crate::connect::clients::{Attachments, Failovers};
use crate::exit::CliError;
use crate::output::views::{StragglersView, last_segment};

pub(super) const EXAMPLES: &str = "Examples:
  hubshift fleet stragglers acme
  hubshift fleet stragglers acme --hub east --limit 1000000 --output json";

/// Moves that are looked through for the last one that came to something.
const MOVES: i32 = 50;

#[derive(Debug, Args)]
pub(crate) struct StragglersArgs {
    #[command(flatten)]
    fleet: FleetArg,

    /// Hub whose list is read [default: the one that the fleet left last]
    #[arg(long, value_name = "HUB")]
    hub: Option<String>,

    #[command(flatten)]
    page: PageArgs,
}

pub(super) async fn run(session: &Session, args: StragglersArgs) -> Result<(), CliError> {
    let id = session.fleet_or(args.fleet.named_fleet.as_deref()).await?;
    let hub = match args.hub {
        Some(named) => last_segment(&names::hub(&id, &named)?).to_owned(),
        None => left(session, &id).await?,
    };
    let read_time = Cell::new(None);
    let (fleet, of, read) = (id.name(), hub.as_str(), &read_time);
    let fetch = |page_size, page_token| {
        let request = pb::ListConnectedDevicesRequest {
            fleet: fleet.clone(),
            hub: of.to_owned(),
            page_size,
            page_token,
        };
        async move {
            let send = |c, r| async move { Attachments::new(c).list_connected_devices(r).await };
            let found = session.registry.call(request, send).await?;
            read.set(read.get().or(found.read_time));
            Ok((found.devices, found.next_page_token))
        }
    };
    let (devices, next) = args.page.collect(fetch).await?;
    let view = StragglersView::new(id.name(), hub, read_time.get(), devices, next);
    session.output.show(&view)
}

/// The hub that the fleet left when it last moved; of a fleet that never did, its only standby.
async fn left(session: &Session, id: &FleetId) -> Result<String, CliError> {
    let fleet = fetch(session, id.name()).await?;
    let request = ListFailoversRequest {
        parent: id.name(),
        page_size: MOVES,
        page_token: String::new(),
    };
    let send = |c, r| async move { Failovers::new(c).list_failovers(r).await };
    let moves = session.concierge.call(request, send).await?.failovers;
    match left_by(&fleet, &moves) {
        Some(hub) => Ok(hub),
        None => standby(session, id, None, "--hub").await,
    }
}

/// The source of the newest move that brought the fleet to where it is; `moves` are newest first.
fn left_by(fleet: &Fleet, moves: &[Failover]) -> Option<String> {
    let brought = |one: &&Failover| {
        let report = one.report.as_ref();
        let committed = report.is_some_and(|report| report.commit_time.is_some());
        committed && one.target_hub == fleet.active_hub && one.source_hub != fleet.active_hub
    };
    moves.iter().find(brought).map(|one| one.source_hub.clone())
}

#[cfg(test)]
mod tests {
    use hubshift_api::pb::concierge::FailoverReport;

    use super::*;

    fn moved(source: &str, target: &str, committed: bool) -> Failover {
        Failover {
            source_hub: source.into(),
            target_hub: target.into(),
            report: Some(FailoverReport {
                commit_time: committed.then(Default::default),
                ..Default::default()
            }),
            ..Default::default()
        }
    }

    #[test]
    fn the_hub_that_was_left_is_that_of_the_last_move_that_came_to_something() {
        let fleet = Fleet {
            active_hub: "west".into(),
            ..Default::default()
        };
        let moves = [
            moved("west", "north", false),
            moved("east", "west", true),
            moved("north", "west", true),
        ];
        assert_eq!(left_by(&fleet, &moves).as_deref(), Some("east"));
        assert_eq!(left_by(&fleet, &moves[..1]), None);
        // A new epoch at the same hub left none.
        assert_eq!(left_by(&fleet, &[moved("west", "west", true)]), None);
    }
}
