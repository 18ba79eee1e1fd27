//! `hubshift sync`: how far the standbys are behind, and what brings them up.

use clap::{Args, Subcommand};
use hubshift_api::pb::concierge::Fleet;
use hubshift_api::pb::registry as pb;
use hubshift_domain::id::FleetId;

use super::pages::PageArgs;
use super::{Operate, fleet, names, tasks};
use crate::connect::Session;
use crate::connect::clients::Replication;
use crate::exit::CliError;
use crate::output::Page;
use crate::output::views::{PassPlanView, ReplicationView, TaskView, last_segment};

/// Commands about replication.
#[derive(Debug, Subcommand)]
pub(crate) enum SyncCommand {
    /// Shows how far each standby is behind
    #[command(after_help = "Example:\n  hubshift sync status")]
    Status,
    /// Says what a pass would do and how long it would take; starts nothing
    #[command(after_help = "Example:\n  hubshift sync plan --to west")]
    Plan(PlanArgs),
    /// Starts a pass from the active hub to a standby
    #[command(after_help = "Example:\n  hubshift sync run --to west --full --wait")]
    Run(PassArgs),
    /// Compares two hubs by fresh reads; exit code 1 when they differ
    #[command(after_help = "Example:\n  hubshift sync verify --to west --wait")]
    Verify(VerifyArgs),
    /// Lists what registry-sync worked on, newest first
    #[command(after_help = "Example:\n  hubshift sync tasks --limit 10")]
    Tasks(PageArgs),
    /// Shows one task
    #[command(after_help = "Example:\n  hubshift sync task 0190c6a0-… --wait")]
    Task(TaskArgs),
}

#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// Standby to bring up [default: the only one]
    #[arg(long, value_name = "HUB")]
    to: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Standby to bring up [default: the only one]
    #[arg(long, value_name = "HUB")]
    to: Option<String>,

    /// Read every device instead of those that changed
    #[arg(long)]
    full: bool,

    /// Wait for its end
    #[arg(long)]
    wait: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PassArgs {
    #[command(flatten)]
    run: RunArgs,

    /// Follow an active hub that was restored from an older state, as it is now
    #[arg(long)]
    accept_source: bool,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// Hub to compare with [default: the active one]
    #[arg(long, value_name = "HUB")]
    from: Option<String>,

    #[command(flatten)]
    run: RunArgs,
}

#[derive(Debug, Args)]
pub(crate) struct TaskArgs {
    /// Id of the task
    task: String,

    /// Wait for its end
    #[arg(long)]
    wait: bool,
}

impl Operate for SyncCommand {
    async fn run(self, session: &Session) -> Result<(), CliError> {
        let id = session.fleet().await?;
        match self {
            Self::Status => status(session, &id).await,
            Self::Plan(args) => plan(session, &id, args).await,
            Self::Run(args) => pass(session, &id, args).await,
            Self::Verify(args) => verify(session, &id, args).await,
            Self::Tasks(page) => list(session, &id, &page).await,
            Self::Task(args) => {
                let name = names::child(&id, "tasks", &args.task);
                let task = tasks::fetch(session, name).await?;
                tasks::finish(session, task, args.wait).await
            }
        }
    }
}

async fn status(session: &Session, id: &FleetId) -> Result<(), CliError> {
    let request = pb::GetReplicationStatusRequest { fleet: id.name() };
    let send = |c, r| async move { Replication::new(c).get_replication_status(r).await };
    let status = session.registry.call(request, send).await?;
    session.output.show(&ReplicationView::from(status))
}

async fn plan(session: &Session, id: &FleetId, args: PlanArgs) -> Result<(), CliError> {
    let request = pb::PlanPassRequest {
        fleet: id.name(),
        target_hub: target(session, id, args.to).await?,
    };
    let send = |c, r| async move { Replication::new(c).plan_pass(r).await };
    let plan = session.registry.call(request, send).await?;
    session.output.show(&PassPlanView::from(plan))
}

async fn pass(session: &Session, id: &FleetId, args: PassArgs) -> Result<(), CliError> {
    let request = pb::StartPassRequest {
        fleet: id.name(),
        target_hub: target(session, id, args.run.to).await?,
        full: args.run.full,
        request_id: session.request_id(),
        context: None,
        accept_source: args.accept_source,
    };
    let send = |c, r| async move { Replication::new(c).start_pass(r).await };
    let task = session.registry.call(request, send).await?;
    tasks::finish(session, task, args.run.wait).await
}

async fn verify(session: &Session, id: &FleetId, args: VerifyArgs) -> Result<(), CliError> {
    let source_hub = match args.from {
        Some(hub) => hub,
        None => fleet::fetch(session, id.name()).await?.active_hub,
    };
    let request = pb::StartVerifyRequest {
        fleet: id.name(),
        source_hub,
        target_hub: target(session, id, args.run.to).await?,
        request_id: session.request_id(),
        read_after: None,
        full: args.run.full,
        context: None,
    };
    let send = |c, r| async move { Replication::new(c).start_verify(r).await };
    let task = session.registry.call(request, send).await?;
    tasks::finish(session, task, args.run.wait).await
}

async fn list(session: &Session, id: &FleetId, page: &PageArgs) -> Result<(), CliError> {
    let fetch = |page_size, page_token| async move {
        let request = pb::ListTasksRequest {
            parent: id.name(),
            page_size,
            page_token,
        };
        let send = |c, r| async move { Replication::new(c).list_tasks(r).await };
        let found = session.registry.call(request, send).await?;
        Ok((found.tasks, found.next_page_token))
    };
    let (tasks, next) = page.collect(fetch).await?;
    session.output.show(&Page::<TaskView>::new(tasks, next))
}

async fn target(
    session: &Session,
    id: &FleetId,
    named: Option<String>,
) -> Result<String, CliError> {
    standby(session, id, named, "--to").await
}

/// The standby that is named by an option, or the fleet's only one.
pub(super) async fn standby(
    session: &Session,
    id: &FleetId,
    named: Option<String>,
    option: &'static str,
) -> Result<String, CliError> {
    match named {
        Some(hub) => Ok(hub),
        None => only_standby(&fleet::fetch(session, id.name()).await?, option),
    }
}

fn only_standby(fleet: &Fleet, option: &'static str) -> Result<String, CliError> {
    let slugs = fleet.hubs.iter().map(|hub| last_segment(&hub.name));
    let standbys: Vec<&str> = slugs.filter(|slug| *slug != fleet.active_hub).collect();
    match standbys.as_slice() {
        [only] => Ok((*only).to_owned()),
        several => {
            let text = format!(
                "the fleet has {} standbys; name one with {option}",
                several.len()
            );
            Err(CliError::usage(text))
        }
    }
}

#[cfg(test)]
mod tests {
    use hubshift_api::pb::concierge::Hub;

    use super::*;

    fn fleet(hubs: &[&str]) -> Fleet {
        let hub = |slug: &&str| Hub {
            name: format!("fleets/acme/hubs/{slug}"),
            ..Default::default()
        };
        let hubs = hubs.iter().map(hub).collect();
        Fleet {
            active_hub: "west".into(),
            hubs,
            ..Default::default()
        }
    }

    #[test]
    fn the_only_standby_is_meant_and_one_of_two_is_not_guessed() {
        assert_eq!(
            only_standby(&fleet(&["east", "west"]), "--to").unwrap(),
            "east"
        );
        let error = only_standby(&fleet(&["east", "west", "north"]), "--to").unwrap_err();
        assert_eq!(error.code(), 64);
        assert!(error.to_string().contains("2 standbys"), "{error}");
    }
}
