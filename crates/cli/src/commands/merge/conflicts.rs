//! `hubshift merge conflicts` and `hubshift merge resolve`.

use clap::{Args, ValueEnum};
use hubshift_api::pb::merge as pb;
use hubshift_domain::id::FleetId;

use crate::commands::names;
use crate::commands::pages::PageArgs;
use crate::connect::Session;
use crate::connect::clients::Merges;
use crate::exit::CliError;
use crate::output::Page;
use crate::output::views::ConflictView;

#[derive(Debug, Args)]
pub(crate) struct ConflictsArgs {
    /// Only those that wait for a person
    #[arg(long)]
    held: bool,

    /// Only those of this merge
    #[arg(long = "of", value_name = "MERGE")]
    of_merge: Option<String>,

    #[command(flatten)]
    page: PageArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ResolveArgs {
    /// Id of the conflict
    conflict: String,

    /// Whose value to take
    #[arg(long, value_enum)]
    take: Side,

    /// Who decides, for the record
    #[arg(long, value_name = "NAME", env = "USER", default_value = "operator")]
    by: String,
}

/// A side of a conflict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Side {
    /// The recovered hub's
    Primary,
    /// The active hub's
    Secondary,
}

impl Side {
    fn wire(self) -> pb::Choice {
        match self {
            Self::Primary => pb::Choice::Primary,
            Self::Secondary => pb::Choice::Secondary,
        }
    }
}

pub(super) async fn list(
    session: &Session,
    id: &FleetId,
    args: &ConflictsArgs,
) -> Result<(), CliError> {
    let state = if args.held {
        pb::ConflictState::Held
    } else {
        pb::ConflictState::Unspecified
    };
    let merge = args
        .of_merge
        .as_deref()
        .map(|merge| names::child(id, "merges", merge));
    let merge = &merge.unwrap_or_default();
    let fetch = |page_size, page_token| async move {
        let request = pb::ListConflictsRequest {
            parent: id.name(),
            page_size,
            page_token,
            merge: merge.clone(),
            state: state.into(),
        };
        let send = |c, r| async move { Merges::new(c).list_conflicts(r).await };
        let found = session.merge.call(request, send).await?;
        Ok((found.conflicts, found.next_page_token))
    };
    let (conflicts, next) = args.page.collect(fetch).await?;
    session
        .output
        .show(&Page::<ConflictView>::new(conflicts, next))
}

pub(super) async fn resolve(
    session: &Session,
    id: &FleetId,
    args: ResolveArgs,
) -> Result<(), CliError> {
    let request = pb::ResolveConflictRequest {
        name: names::child(id, "conflicts", &args.conflict),
        choice: args.take.wire().into(),
        resolver: args.by,
        request_id: session.request_id(),
    };
    let send = |c, r| async move { Merges::new(c).resolve_conflict(r).await };
    let conflict = session.merge.call(request, send).await?;
    session.output.show(&ConflictView::from(conflict))
}
