//! `hubshift hub`: what a fleet's hubs are, how registry-sync reaches them, and how they are shut out.

mod fence;

use clap::{Args, Subcommand};
use hubshift_api::pb::registry as pb;
use hubshift_domain::id::FleetId;

use super::{Operate, fleet, names};
use crate::connect::Session;
use crate::connect::clients::Connections;
use crate::exit::CliError;
use crate::output::Page;
use crate::output::views::{
    ConnectionTestView, ConnectionView, HubConnectionView, HubView, last_segment,
};

/// Commands about hubs.
#[derive(Debug, Subcommand)]
pub(crate) enum HubCommand {
    /// Lists a fleet's hubs
    #[command(after_help = "Example:\n  hubshift hub list --fleet acme")]
    List,
    /// Shows a hub and its connection
    #[command(after_help = "Example:\n  hubshift hub get east")]
    Get {
        /// Slug of the hub
        hub: String,
    },
    /// Tells registry-sync how to reach a hub, after it was tried
    #[command(
        after_help = "Example:\n  hubshift hub connect east --secret-ref file:/run/secrets/east --tier S1 --units 2\n\n\
        Files and variables are read by registry-sync, on its machine. What is left out gets its \
        default, also where the hub was connected before."
    )]
    Connect(ConnectArgs),
    /// Tries a hub's connection
    #[command(after_help = "Example:\n  hubshift hub test east")]
    Test {
        /// Slug of the hub
        hub: String,
    },
    /// Shuts a hub out that a forced move left: public access off, policy keys regenerated
    #[command(after_help = "Example:\n  hubshift hub fence east\n\n\
        Its connection must have a management_ref. Devices that are still attached there are cut \
        off.")]
    Fence {
        /// Slug of the hub
        hub: String,
    },
    /// Opens a hub again that was shut out, or says that it is not to be
    #[command(after_help = "Example:\n  hubshift hub unfence east\n\n\
        Its shared access policies have new keys then: the answer says how to come by them.")]
    Unfence {
        /// Slug of the hub
        hub: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ConnectArgs {
    /// Slug of the hub
    hub: String,

    /// Where its connection string is: file:PATH or env:NAME
    #[arg(long, value_name = "REF")]
    secret_ref: String,

    /// Where its certificate authority is, file:PATH [default: the public ones]
    #[arg(
        long,
        value_name = "REF",
        default_value = "",
        hide_default_value = true
    )]
    ca_ref: String,

    /// What kind of hub it is
    #[arg(long, value_name = "KIND", default_value = "azure")]
    adapter: String,

    #[command(flatten)]
    budget: BudgetArgs,

    /// Where the SAS URI of a blob container for import and export jobs is, file:PATH or env:NAME
    /// [default: no jobs]
    #[arg(
        long,
        value_name = "REF",
        default_value = "",
        hide_default_value = true
    )]
    job_container_ref: String,

    /// Where the connection string of its management plane is, file:PATH or env:NAME
    /// [default: it can't be shut out]
    #[arg(
        long,
        value_name = "REF",
        default_value = "",
        hide_default_value = true
    )]
    management_ref: String,

    /// Never ask it for modules: no module is carried between the fleet's hubs then
    #[arg(long)]
    without_modules: bool,

    /// Never ask it for configurations: none is carried between the fleet's hubs then
    #[arg(long)]
    without_configurations: bool,

    /// Take it although the hub, or its management plane, does not answer
    #[arg(long)]
    skip_test: bool,
}

// How much of the hub's quota is registry-sync's. No doc comment: clap would show it as help text.
#[derive(Debug, Args)]
struct BudgetArgs {
    /// The hub's tier: F1, B1, S1, B2, S2, B3 or S3 [default: not known, learned from refusals]
    #[arg(long, default_value = "", hide_default_value = true)]
    tier: String,

    /// Units of that tier
    #[arg(long, value_name = "N", default_value_t = 1)]
    units: u32,

    /// Percent of the hub's quota that may be used
    #[arg(long, value_name = "PERCENT", default_value_t = 50,
        value_parser = clap::value_parser!(u32).range(1..=100))]
    budget_percent: u32,

    /// Percent of the hub's daily messages that answers to queries may cost
    #[arg(long, value_name = "PERCENT", default_value_t = 5,
        value_parser = clap::value_parser!(u32).range(1..=100))]
    daily_message_percent: u32,
}

impl From<BudgetArgs> for pb::Budget {
    fn from(args: BudgetArgs) -> Self {
        Self {
            tier: args.tier.to_ascii_uppercase(),
            units: args.units,
            share_percent: args.budget_percent,
            daily_message_percent: args.daily_message_percent,
        }
    }
}

impl Operate for HubCommand {
    async fn run(self, session: &Session) -> Result<(), CliError> {
        let fleet = session.fleet().await?;
        match self {
            Self::List => list(session, &fleet).await,
            Self::Get { hub } => get(session, &fleet, &hub).await,
            Self::Connect(args) => connect(session, &fleet, args).await,
            Self::Test { hub } => test(session, &fleet, &hub).await,
            Self::Fence { hub } => fence::shut(session, &fleet, &hub).await,
            Self::Unfence { hub } => fence::lift(session, &fleet, &hub).await,
        }
    }
}

async fn list(session: &Session, id: &FleetId) -> Result<(), CliError> {
    let hubs = fleet::fetch(session, id.name()).await?.hubs;
    session
        .output
        .show(&Page::<HubView>::new(hubs, String::new()))
}

async fn get(session: &Session, id: &FleetId, slug: &str) -> Result<(), CliError> {
    let name = names::hub(id, slug)?;
    let hubs = fleet::fetch(session, id.name()).await?.hubs;
    let missing = || CliError::Missing {
        reason: "HUB_NOT_FOUND",
        message: format!("fleet {id} has no hub {}", last_segment(&name)),
    };
    let hub = hubs
        .into_iter()
        .find(|hub| hub.name == name)
        .ok_or_else(missing)?;
    let request = pb::GetConnectionRequest {
        name: names::connection(id, slug)?,
    };
    let send = |c, r| async move { Connections::new(c).get_connection(r).await };
    let connection = match session.registry.call(request, send).await {
        Ok(connection) => Some(connection),
        Err(error) if error.reason() == "CONNECTION_NOT_FOUND" => None,
        Err(error) => return Err(error),
    };
    let fence = match &connection {
        Some(_) => fence::fetch(session, id, slug).await?,
        None => None,
    };
    let view = HubConnectionView::new(HubView::from(hub), connection, fence);
    session.output.show(&view)
}

async fn connect(session: &Session, id: &FleetId, args: ConnectArgs) -> Result<(), CliError> {
    let connection = pb::Connection {
        name: names::connection(id, &args.hub)?,
        adapter: args.adapter,
        secret_ref: args.secret_ref,
        ca_ref: args.ca_ref,
        budget: Some(args.budget.into()),
        job_container_ref: args.job_container_ref,
        management_ref: args.management_ref,
        without_modules: args.without_modules,
        without_configurations: args.without_configurations,
        ..Default::default()
    };
    let request = pb::UpdateConnectionRequest {
        connection: Some(connection),
        request_id: session.request_id(),
        skip_test: args.skip_test,
    };
    let send = |c, r| async move { Connections::new(c).update_connection(r).await };
    let connection = session.registry.call(request, send).await?;
    session.output.show(&ConnectionView::from(connection))
}

async fn test(session: &Session, id: &FleetId, slug: &str) -> Result<(), CliError> {
    let name = names::connection(id, slug)?;
    let send = |c, r| async move { Connections::new(c).test_connection(r).await };
    let request = pb::TestConnectionRequest { name: name.clone() };
    let device_count = session.registry.call(request, send).await?.device_count;
    session
        .output
        .show(&ConnectionTestView { name, device_count })
}
