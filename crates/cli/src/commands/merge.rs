//! `hubshift merge`: plan, review, decide, apply.

mod conflicts;
mod follow;

use clap::{Args, Subcommand};
use hubshift_api::pb::merge as pb;
use hubshift_domain::id::FleetId;

use super::pages::PageArgs;
use super::{Operate, names};
use crate::connect::Session;
use crate::connect::clients::Merges;
use crate::exit::CliError;
use crate::output::Page;
use crate::output::views::{MergeStatusView, MergeView};
use conflicts::{ConflictsArgs, ResolveArgs};

/// Commands about merges.
#[derive(Debug, Subcommand)]
pub(crate) enum MergeCommand {
    /// Scans both hubs and plans; changes nothing at a hub
    #[command(after_help = "Example:\n  hubshift merge plan --hub east\n\n\
        It waits for the plan and prints its plan_id, which `merge apply` asks for.")]
    Plan(PlanArgs),
    /// Shows a merge
    #[command(after_help = "Example:\n  hubshift merge get")]
    Get(NewestArg),
    /// Lists a fleet's merges, newest first
    #[command(after_help = "Example:\n  hubshift merge list")]
    List(PageArgs),
    /// Shows where merging stands: open holds, the merge under way
    #[command(after_help = "Example:\n  hubshift merge status --hub east")]
    Status(StatusArgs),
    /// Lists conflicts, by device
    #[command(after_help = "Example:\n  hubshift merge conflicts --held")]
    Conflicts(ConflictsArgs),
    /// Decides a conflict; after the merge it restores the value that lost
    #[command(after_help = "Example:\n  hubshift merge resolve 0190c6a0-… --take secondary")]
    Resolve(ResolveArgs),
    /// Applies the plan that was reviewed
    #[command(after_help = "Example:\n  hubshift merge apply --plan-id 5f3a9c… --wait")]
    Apply(ApplyArgs),
}

#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// Hub that came back
    #[arg(long, value_name = "HUB")]
    hub: String,

    /// Back end whose own store takes part, http://HOST:PORT; may be repeated
    #[arg(long = "metadata-source", value_name = "URL")]
    metadata_sources: Vec<String>,

    /// Do not wait for the plan
    #[arg(long)]
    no_wait: bool,
}

// (No doc comments on argument groups: clap would show them as the command's help.)
#[derive(Debug, Args)]
pub(crate) struct NewestArg {
    /// Id of the merge [default: the newest]
    #[arg(value_name = "MERGE")]
    merge_id: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// Hub that came back [default: any]
    #[arg(
        long,
        value_name = "HUB",
        default_value = "",
        hide_default_value = true
    )]
    hub: String,
}

#[derive(Debug, Args)]
pub(crate) struct ApplyArgs {
    #[command(flatten)]
    merge: NewestArg,

    /// The plan that was reviewed, as `merge plan` printed it
    #[arg(long, value_name = "ID")]
    plan_id: String,

    /// Go on although a breaker tripped
    #[arg(long)]
    override_breakers: bool,

    /// Wait for its end
    #[arg(long)]
    wait: bool,
}

impl Operate for MergeCommand {
    async fn run(self, session: &Session) -> Result<(), CliError> {
        let id = session.fleet().await?;
        match self {
            Self::Plan(args) => plan(session, &id, args).await,
            Self::Get(arg) => get(session, &id, &arg).await,
            Self::List(page) => list(session, &id, &page).await,
            Self::Status(args) => status(session, &id, args).await,
            Self::Conflicts(args) => conflicts::list(session, &id, &args).await,
            Self::Resolve(args) => conflicts::resolve(session, &id, args).await,
            Self::Apply(args) => apply(session, &id, args).await,
        }
    }
}

async fn plan(session: &Session, id: &FleetId, args: PlanArgs) -> Result<(), CliError> {
    let request = pb::PlanMergeRequest {
        fleet: id.name(),
        recovered_hub: args.hub,
        request_id: session.request_id(),
        metadata_sources: args.metadata_sources,
    };
    let send = |c, r| async move { Merges::new(c).plan_merge(r).await };
    let merge = session.merge.call(request, send).await?;
    let merge = if args.no_wait {
        merge
    } else {
        follow::planning(session, merge).await?
    };
    finish(session, merge)
}

async fn get(session: &Session, id: &FleetId, arg: &NewestArg) -> Result<(), CliError> {
    let name = newest(session, id, arg).await?;
    session
        .output
        .show(&MergeView::from(fetch(session, name).await?))
}

/// The merge of this name.
async fn fetch(session: &Session, name: String) -> Result<pb::Merge, CliError> {
    let send = |c, r| async move { Merges::new(c).get_merge(r).await };
    session.merge.call(pb::GetMergeRequest { name }, send).await
}

async fn list(session: &Session, id: &FleetId, page: &PageArgs) -> Result<(), CliError> {
    let fetch = |page_size, page_token| fetch_page(session, id, page_size, page_token);
    let (merges, next) = page.collect(fetch).await?;
    session.output.show(&Page::<MergeView>::new(merges, next))
}

async fn fetch_page(
    session: &Session,
    id: &FleetId,
    page_size: i32,
    page_token: String,
) -> Result<(Vec<pb::Merge>, String), CliError> {
    let request = pb::ListMergesRequest {
        parent: id.name(),
        page_size,
        page_token,
    };
    let send = |c, r| async move { Merges::new(c).list_merges(r).await };
    let found = session.merge.call(request, send).await?;
    Ok((found.merges, found.next_page_token))
}

/// The name of the merge that is meant.
async fn newest(session: &Session, id: &FleetId, arg: &NewestArg) -> Result<String, CliError> {
    if let Some(merge) = &arg.merge_id {
        return Ok(names::child(id, "merges", merge));
    }
    let (found, _) = fetch_page(session, id, 1, String::new()).await?;
    let missing = || CliError::Missing {
        reason: "MERGE_NOT_FOUND",
        message: format!("fleet {id} has no merge yet; `hubshift merge plan` makes one"),
    };
    Ok(found.into_iter().next().ok_or_else(missing)?.name)
}

async fn status(session: &Session, id: &FleetId, args: StatusArgs) -> Result<(), CliError> {
    let request = pb::GetMergeStatusRequest {
        fleet: id.name(),
        hub: args.hub,
    };
    let send = |c, r| async move { Merges::new(c).get_merge_status(r).await };
    let status = session.merge.call(request, send).await?;
    session.output.show(&MergeStatusView::from(status))
}

async fn apply(session: &Session, id: &FleetId, args: ApplyArgs) -> Result<(), CliError> {
    let request = pb::ApplyMergeRequest {
        name: newest(session, id, &args.merge).await?,
        plan_id: args.plan_id.clone(),
        override_breakers: args.override_breakers,
        request_id: session.request_id(),
    };
    let send = |c, r| async move { Merges::new(c).apply_merge(r).await };
    let merge = session.merge.call(request, send).await?;
    if !args.wait {
        return finish(session, merge);
    }
    let merge = follow::applying(session, merge, &args.plan_id).await?;
    let verdict = follow::judge_applied(&merge);
    session.output.show(&MergeView::from(merge))?;
    verdict
}

/// Shows a merge, and judges it if it is over.
fn finish(session: &Session, merge: pb::Merge) -> Result<(), CliError> {
    let verdict = follow::judge(&merge);
    session.output.show(&MergeView::from(merge))?;
    verdict
}
