//! `hubshift failover start`.

use clap::{Args, ValueEnum};
use hubshift_api::pb::concierge as pb;
use hubshift_domain::id::FleetId;

use super::follow;
use crate::commands::{fleet, names};
use crate::connect::Session;
use crate::connect::clients::Failovers;
use crate::exit::CliError;
use crate::output::views::FailoverView;

pub(super) const EXAMPLES: &str = "\
Examples:
  hubshift failover start --kind planned --to west --plan-only
  hubshift failover start --kind planned --to west --watch
  hubshift failover start --kind forced --to west --acknowledge-loss any --watch
  hubshift failover start --kind failback --to east --watch
  hubshift failover start --kind forced --to east --supersede 0190c6a0-… --acknowledge-loss any

A forced move needs the plan's loss bound, word for word (it is good for ten minutes), or `any`.";

#[derive(Debug, Args)]
pub(crate) struct StartArgs {
    /// What kind of move
    #[arg(long, value_enum)]
    kind: Kind,

    /// Hub to move to
    #[arg(long, value_name = "HUB")]
    to: String,

    /// Hub that must be active for the move to start [default: the one that is active now]
    #[arg(long, value_name = "HUB")]
    expect: Option<String>,

    /// Only show the plan; exit code 1 when it is blocked
    #[arg(long, conflicts_with = "watch")]
    plan_only: bool,

    /// Forced only: the plan's loss bound, or `any`
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    acknowledge_loss: String,

    /// Forced only: go on although checks block
    #[arg(long)]
    override_checks: bool,

    /// Forced only: take over from this failover, which is past its commit and can't go on
    #[arg(long, value_name = "ID")]
    supersede: Option<String>,

    /// Follow it to its end
    #[arg(long)]
    watch: bool,
}

/// What kind of move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Both hubs answer; nothing is lost
    Planned,
    /// The active hub is gone; the bound on loss is acknowledged
    Forced,
    /// Home again, after a merge
    Failback,
}

impl Kind {
    fn wire(self) -> pb::FailoverKind {
        match self {
            Self::Planned => pb::FailoverKind::Planned,
            Self::Forced => pb::FailoverKind::Forced,
            Self::Failback => pb::FailoverKind::Failback,
        }
    }
}

pub(super) async fn run(session: &Session, id: &FleetId, args: StartArgs) -> Result<(), CliError> {
    let expected_active_hub = match args.expect {
        Some(hub) => hub,
        None => fleet::fetch(session, id.name()).await?.active_hub,
    };
    // After the commit another hub is active: by hand it is the same request only with this one.
    let made_from = vec![format!("--expect {expected_active_hub}")];
    let superseded = args.supersede.as_deref();
    let supersede = superseded.map(|failover| names::child(id, "failovers", failover));
    let request = pb::StartFailoverRequest {
        fleet: id.name(),
        kind: args.kind.wire().into(),
        expected_active_hub,
        target_hub: args.to,
        request_id: session.request_id(),
        validate_only: args.plan_only,
        acknowledge_loss_bound: args.acknowledge_loss,
        override_checks: args.override_checks,
        supersede: supersede.unwrap_or_default(),
    };
    let send = |c, r| async move { Failovers::new(c).start_failover(r).await };
    let started = session.concierge.call(request, send).await;
    let failover = started.map_err(|error| error.repeat_with(made_from))?;
    if args.watch {
        return follow::to_the_end(session, failover.name).await;
    }
    let is_blocked = failover.plan.as_ref().is_some_and(|plan| plan.blocked);
    session.output.show(&FailoverView::from(failover))?;
    if args.plan_only && is_blocked {
        return Err(CliError::ended_badly(
            "PLAN_BLOCKED",
            "a check blocks the move",
        ));
    }
    Ok(())
}
