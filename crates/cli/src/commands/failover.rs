//! `hubshift failover`: moving a fleet, and watching it move.

mod follow;
mod start;

use clap::{Args, Subcommand};
use hubshift_api::pb::concierge as pb;
use hubshift_domain::id::FleetId;

use super::pages::PageArgs;
use super::{Operate, names};
use crate::connect::Session;
use crate::connect::clients::Failovers;
use crate::exit::CliError;
use crate::output::Page;
use crate::output::views::FailoverView;
use start::StartArgs;

/// Commands about failovers.
#[derive(Debug, Subcommand)]
pub(crate) enum FailoverCommand {
    /// Starts a move, or shows its plan
    #[command(after_help = start::EXAMPLES)]
    Start(StartArgs),
    /// Shows a failover
    #[command(after_help = "Example:\n  hubshift failover get")]
    Get(NewestArg),
    /// Lists a fleet's failovers, newest first
    #[command(after_help = "Example:\n  hubshift failover list --limit 5")]
    List(PageArgs),
    /// Follows a failover to its end; exit code 1 when it ended badly
    #[command(after_help = "Example:\n  hubshift failover watch")]
    Watch(NewestArg),
    /// Stops a failover that has not committed its epoch, and undoes what it did
    #[command(after_help = "Example:\n  hubshift failover cancel 0190c6a0-…")]
    Cancel(FailoverArg),
    /// Tries the current step at once
    #[command(after_help = "Example:\n  hubshift failover retry 0190c6a0-…")]
    Retry(FailoverArg),
}

// (No doc comments on argument groups: clap would show them as the command's help.)
#[derive(Debug, Args)]
pub(crate) struct NewestArg {
    /// Id of the failover [default: the newest]
    failover: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct FailoverArg {
    /// Id of the failover
    failover: String,
}

impl Operate for FailoverCommand {
    async fn run(self, session: &Session) -> Result<(), CliError> {
        let id = session.fleet().await?;
        match self {
            Self::Start(args) => start::run(session, &id, args).await,
            Self::Get(arg) => get(session, &id, arg).await,
            Self::List(page) => list(session, &id, &page).await,
            Self::Watch(arg) => {
                let name = newest(session, &id, arg).await?;
                follow::to_the_end(session, name).await
            }
            Self::Cancel(arg) => cancel(session, &id, &arg).await,
            Self::Retry(arg) => retry(session, &id, &arg).await,
        }
    }
}

async fn get(session: &Session, id: &FleetId, arg: NewestArg) -> Result<(), CliError> {
    let name = newest(session, id, arg).await?;
    let send = |c, r| async move { Failovers::new(c).get_failover(r).await };
    let failover = session
        .concierge
        .call(pb::GetFailoverRequest { name }, send)
        .await?;
    session.output.show(&FailoverView::from(failover))
}

async fn list(session: &Session, id: &FleetId, page: &PageArgs) -> Result<(), CliError> {
    let fetch = |page_size, page_token| fetch_page(session, id, page_size, page_token);
    let (failovers, next) = page.collect(fetch).await?;
    session
        .output
        .show(&Page::<FailoverView>::new(failovers, next))
}

async fn fetch_page(
    session: &Session,
    id: &FleetId,
    page_size: i32,
    page_token: String,
) -> Result<(Vec<pb::Failover>, String), CliError> {
    let request = pb::ListFailoversRequest {
        parent: id.name(),
        page_size,
        page_token,
    };
    let send = |c, r| async move { Failovers::new(c).list_failovers(r).await };
    let found = session.concierge.call(request, send).await?;
    Ok((found.failovers, found.next_page_token))
}

/// The name of the failover that is meant.
async fn newest(session: &Session, id: &FleetId, arg: NewestArg) -> Result<String, CliError> {
    if let Some(failover) = arg.failover {
        return Ok(names::child(id, "failovers", &failover));
    }
    let (found, _) = fetch_page(session, id, 1, String::new()).await?;
    let missing = || CliError::Missing {
        reason: "FAILOVER_NOT_FOUND",
        message: format!("fleet {id} was never moved"),
    };
    Ok(found.into_iter().next().ok_or_else(missing)?.name)
}

async fn cancel(session: &Session, id: &FleetId, arg: &FailoverArg) -> Result<(), CliError> {
    let request = pb::CancelFailoverRequest {
        name: names::child(id, "failovers", &arg.failover),
        request_id: session.request_id(),
    };
    let send = |c, r| async move { Failovers::new(c).cancel_failover(r).await };
    let failover = session.concierge.call(request, send).await?;
    session.output.show(&FailoverView::from(failover))
}

async fn retry(session: &Session, id: &FleetId, arg: &FailoverArg) -> Result<(), CliError> {
    let request = pb::RetryFailoverRequest {
        name: names::child(id, "failovers", &arg.failover),
        request_id: session.request_id(),
    };
    let send = |c, r| async move { Failovers::new(c).retry_failover(r).await };
    let failover = session.concierge.call(request, send).await?;
    session.output.show(&FailoverView::from(failover))
}
