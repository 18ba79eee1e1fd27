//! `hubshift adopt`: what a standby would take to follow, and what becomes of what only it has.

use clap::{Args, Subcommand, ValueEnum};
use hubshift_api::pb::registry as pb;
use hubshift_domain::id::FleetId;

use super::pages::PageArgs;
use super::{Operate, names, sync, tasks};
use crate::connect::Session;
use crate::connect::clients::Adoptions;
use crate::exit::CliError;
use crate::output::Page;
use crate::output::views::{AdoptionPlanView, ExtraView};

/// Commands about adoptions.
#[derive(Debug, Subcommand)]
pub(crate) enum AdoptCommand {
    /// Looks at the active hub and at a standby, and plans; changes nothing at a hub
    #[command(after_help = "Example:\n  hubshift adopt plan west\n\n\
        It waits for the plan and prints its id, which `adopt show` and `adopt apply` ask for.")]
    Plan(PlanArgs),
    /// Shows a plan, or the records that only the standby has
    #[command(after_help = "Example:\n  hubshift adopt show 0190c6a0-… --extras --limit 200")]
    Show(ShowArgs),
    /// Keeps, quarantines or deletes what only the standby has
    #[command(
        after_help = "Examples:\n  hubshift adopt apply 0190c6a0-… --extras quarantine --wait\n  \
        hubshift adopt apply 0190c6a0-… --extras delete --acknowledge 12 --except pump-7=keep --wait\n\n\
        Each is touched only if it is as it was planned and the active hub does not have it. Exit \
        code 1 when some were left alone."
    )]
    Apply(ApplyArgs),
}

// (No doc comments on argument groups: clap would show them as the command's help.)
#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// Standby to adopt
    hub: String,

    /// Do not wait for the plan
    #[arg(long)]
    no_wait: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PlanArg {
    /// Id of the plan, or its whole name
    plan: String,

    /// Standby that the plan is of [default: the only one]
    #[arg(long, value_name = "HUB")]
    hub: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    plan: PlanArg,

    /// List what only the standby has, and what became of it
    #[arg(long)]
    extras: bool,

    #[command(flatten)]
    page: PageArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ApplyArgs {
    #[command(flatten)]
    plan: PlanArg,

    /// What is to become of what only the standby has
    #[arg(long, value_enum, value_name = "ACTION")]
    extras: Action,

    /// How many extras the plan has; needed to delete any
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    acknowledge: u64,

    /// What is to become of one of them instead; may be repeated
    #[arg(long = "except", value_name = "DEVICE=ACTION", value_parser = exception)]
    exceptions: Vec<Exception>,

    /// Wait for its end
    #[arg(long)]
    wait: bool,
}

/// What is to become of an extra.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Action {
    /// Nothing is written
    Keep,
    /// It is disabled
    Quarantine,
    /// It is deleted, with its modules
    Delete,
}

/// What is to become of one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Exception {
    device: String,
    action: Action,
}

/// Reads `device=action`; an id may hold `=`.
fn exception(text: &str) -> Result<Exception, String> {
    let (device, action) = text
        .rsplit_once('=')
        .ok_or("write DEVICE=ACTION, like pump-7=keep")?;
    let action = Action::from_str(action, false)
        .map_err(|_| format!("`{action}` is not keep, quarantine or delete"))?;
    Ok(Exception {
        device: device.to_owned(),
        action,
    })
}

impl From<Action> for pb::ExtraAction {
    fn from(action: Action) -> Self {
        match action {
            Action::Keep => Self::Keep,
            Action::Quarantine => Self::Quarantine,
            Action::Delete => Self::Delete,
        }
    }
}

impl From<Exception> for pb::ExtraOverride {
    fn from(exception: Exception) -> Self {
        Self {
            device: exception.device,
            action: pb::ExtraAction::from(exception.action).into(),
        }
    }
}

impl Operate for AdoptCommand {
    async fn run(self, session: &Session) -> Result<(), CliError> {
        let id = session.fleet().await?;
        match self {
            Self::Plan(args) => plan(session, &id, args).await,
            Self::Show(args) => show(session, &id, args).await,
            Self::Apply(args) => apply(session, &id, args).await,
        }
    }
}

async fn plan(session: &Session, id: &FleetId, args: PlanArgs) -> Result<(), CliError> {
    let request = pb::PlanAdoptionRequest {
        fleet: id.name(),
        hub: args.hub,
        request_id: session.request_id(),
    };
    let send = |c, r| async move { Adoptions::new(c).plan_adoption(r).await };
    let task = session.registry.call(request, send).await?;
    if args.no_wait {
        return tasks::finish(session, task, false).await;
    }
    match tasks::ended(session, task).await?.result {
        Some(pb::task::Result::Adoption(made)) => show_plan(session, made.plan).await,
        _ => Err(CliError::ended_badly("FAILED", "the task made no plan")),
    }
}

async fn show(session: &Session, id: &FleetId, args: ShowArgs) -> Result<(), CliError> {
    let name = name(session, id, &args.plan).await?;
    if args.extras {
        return show_extras(session, &name, &args.page).await;
    }
    show_plan(session, name).await
}

async fn show_plan(session: &Session, name: String) -> Result<(), CliError> {
    let send = |c, r| async move { Adoptions::new(c).get_adoption_plan(r).await };
    let request = pb::GetAdoptionPlanRequest { name };
    let plan = session.registry.call(request, send).await?;
    session.output.show(&AdoptionPlanView::from(plan))
}

async fn show_extras(session: &Session, plan: &str, page: &PageArgs) -> Result<(), CliError> {
    let fetch = |page_size, page_token| async move {
        let request = pb::ListExtrasRequest {
            parent: plan.to_owned(),
            page_size,
            page_token,
        };
        let send = |c, r| async move { Adoptions::new(c).list_extras(r).await };
        let found = session.registry.call(request, send).await?;
        Ok((found.extras, found.next_page_token))
    };
    let (extras, next) = page.collect(fetch).await?;
    session.output.show(&Page::<ExtraView>::new(extras, next))
}

async fn apply(session: &Session, id: &FleetId, args: ApplyArgs) -> Result<(), CliError> {
    let request = pb::ApplyAdoptionRequest {
        name: name(session, id, &args.plan).await?,
        extras: pb::ExtraAction::from(args.extras).into(),
        overrides: args.exceptions.into_iter().map(Into::into).collect(),
        acknowledge_count: args.acknowledge,
        request_id: session.request_id(),
    };
    let send = |c, r| async move { Adoptions::new(c).apply_adoption(r).await };
    let task = session.registry.call(request, send).await?;
    tasks::finish(session, task, args.wait).await
}

/// The name of the plan that is meant.
async fn name(session: &Session, id: &FleetId, arg: &PlanArg) -> Result<String, CliError> {
    if arg.plan.starts_with("fleets/") {
        return Ok(arg.plan.clone());
    }
    let hub = sync::standby(session, id, arg.hub.clone(), "--hub").await?;
    Ok(format!("{}/adoptions/{}", names::hub(id, &hub)?, arg.plan))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exception_ends_with_its_action_whatever_the_id_holds() {
        let read = exception("a=b=delete").unwrap();
        assert_eq!((read.device.as_str(), read.action), ("a=b", Action::Delete));
        assert!(exception("pump-7").unwrap_err().contains("pump-7=keep"));
        assert!(exception("pump-7=drop").unwrap_err().contains("`drop`"));
    }
}
