//! `hubshift fleet`: where fleets stand, and how they move.

mod canary;
mod coverage;
mod create;
mod stragglers;
mod update;
mod waves;

use std::cell::Cell;
use std::ops::ControlFlow;

use clap::{Args, Subcommand};
use hubshift_api::pb::concierge as pb;
use tonic::Request;

use super::Operate;
use super::pages::PageArgs;
use crate::connect::Session;
use crate::connect::clients::Fleets;
use crate::exit::CliError;
use crate::output::Page;
use crate::output::views::{FleetChangeView, FleetView};
use canary::CanaryCommand;
use create::CreateArgs;
use stragglers::StragglersArgs;
use update::UpdateArgs;

/// Commands about fleets.
#[derive(Debug, Subcommand)]
pub(crate) enum FleetCommand {
    /// Lists fleets
    #[command(after_help = "Example:\n  hubshift fleet list")]
    List(PageArgs),
    /// Shows a fleet: active hub, epoch, debts, who follows, which hub looks dead from where
    #[command(
        visible_alias = "status",
        after_help = "Example:\n  hubshift fleet get acme --output json"
    )]
    Get(FleetArg),
    /// Shows which part of a fleet asks a concierge: the others will not move by themselves
    #[command(after_help = "Example:\n  hubshift fleet coverage acme")]
    Coverage(FleetArg),
    /// Names the devices that are still connected to the old hub, by that hub's own list
    #[command(after_help = stragglers::EXAMPLES)]
    Stragglers(StragglersArgs),
    /// Creates a fleet with its hubs
    #[command(after_help = create::EXAMPLES)]
    Create(CreateArgs),
    /// Changes how fast devices move and how often they ask
    #[command(
        after_help = "Examples:\n  hubshift fleet update acme --devices 120000 --poll-after 1m\n  \
                      hubshift fleet update acme --wave pumps:prefix=pump-,valve-:devices=1000"
    )]
    Update(UpdateArgs),
    /// Tries a standby with a few devices, for a limited time
    #[command(subcommand, after_help = canary::EXAMPLES)]
    Canary(CanaryCommand),
    /// Follows a fleet: its state now, then every change
    #[command(after_help = "Example:\n  hubshift fleet watch acme")]
    Watch(WatchArgs),
}

// The fleet as an argument. (No doc comment: clap would show it as the command's help.)
#[derive(Debug, Args)]
pub(crate) struct FleetArg {
    /// Slug of the fleet [default: --fleet]
    #[arg(value_name = "FLEET")]
    named_fleet: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    #[command(flatten)]
    fleet: FleetArg,

    /// Watch as this back end, which operators then see
    #[arg(
        long,
        value_name = "NAME",
        default_value = "",
        hide_default_value = true
    )]
    back_end: String,
}

impl Operate for FleetCommand {
    async fn run(self, session: &Session) -> Result<(), CliError> {
        match self {
            Self::List(page) => list(session, &page).await,
            Self::Get(fleet) => get(session, &fleet).await,
            Self::Coverage(fleet) => coverage::run(session, &fleet).await,
            Self::Stragglers(args) => stragglers::run(session, args).await,
            Self::Create(args) => create::run(session, args).await,
            Self::Update(args) => update::run(session, args).await,
            Self::Canary(command) => canary::run(session, command).await,
            Self::Watch(args) => watch(session, args).await,
        }
    }
}

async fn list(session: &Session, page: &PageArgs) -> Result<(), CliError> {
    let fetch = |page_size, page_token| async move {
        let request = pb::ListFleetsRequest {
            page_size,
            page_token,
        };
        let send = |c, r| async move { Fleets::new(c).list_fleets(r).await };
        let found = session.concierge.call(request, send).await?;
        Ok((found.fleets, found.next_page_token))
    };
    let (fleets, next) = page.collect(fetch).await?;
    session.output.show(&Page::<FleetView>::new(fleets, next))
}

async fn get(session: &Session, arg: &FleetArg) -> Result<(), CliError> {
    let name = session.fleet_or(arg.named_fleet.as_deref()).await?.name();
    session
        .output
        .show(&FleetView::from(fetch(session, name).await?))
}

/// The fleet of this name.
pub(super) async fn fetch(session: &Session, name: String) -> Result<pb::Fleet, CliError> {
    let send = |c, r| async move { Fleets::new(c).get_fleet(r).await };
    session
        .concierge
        .call(pb::GetFleetRequest { name }, send)
        .await
}

async fn watch(session: &Session, args: WatchArgs) -> Result<(), CliError> {
    let name = session
        .fleet_or(args.fleet.named_fleet.as_deref())
        .await?
        .name();
    let request = pb::WatchFleetRequest {
        name,
        back_end: args.back_end,
        ..pb::WatchFleetRequest::default()
    };
    // A stream that breaks is begun again from what was shown last.
    let shown = Cell::new((0, 0));
    let send = |channel, mut request: Request<pb::WatchFleetRequest>| {
        let message = request.get_mut();
        (message.epoch, message.revision) = shown.get();
        async move { Fleets::new(channel).watch_fleet(request).await }
    };
    let show = |change: pb::WatchFleetResponse| {
        if change.heartbeat {
            session.output.say("the stream lives, nothing changed");
        } else {
            let epoch = change.fleet.as_ref().map_or(0, |fleet| fleet.epoch);
            shown.set((epoch, change.revision));
            session.output.show(&FleetChangeView::from(change))?;
        }
        Ok(ControlFlow::Continue(()))
    };
    session.concierge.watch(request, send, show).await
}
