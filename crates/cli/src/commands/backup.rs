//! `hubshift backup`: encrypted copies of a hub's registry.

use clap::{Args, Subcommand};
use hubshift_api::pb::registry as pb;
use hubshift_domain::id::FleetId;

use super::pages::PageArgs;
use super::{Operate, names, tasks};
use crate::connect::Session;
use crate::connect::clients::Backups;
use crate::exit::CliError;
use crate::output::Page;
use crate::output::views::{BackupCheckView, BackupView};

/// Commands about backups.
#[derive(Debug, Subcommand)]
pub(crate) enum BackupCommand {
    /// Takes a backup of a hub
    #[command(after_help = "Example:\n  hubshift backup create --hub east --wait")]
    Create(CreateArgs),
    /// Shows a backup
    #[command(after_help = "Example:\n  hubshift backup get 0190c6a0-…")]
    Get(BackupArg),
    /// Lists backups, newest first
    #[command(after_help = "Example:\n  hubshift backup list")]
    List(PageArgs),
    /// Reads a backup from each of its stores and compares the digest
    #[command(after_help = "Example:\n  hubshift backup verify 0190c6a0-…")]
    Verify(BackupArg),
    /// Creates a backup's devices at a standby; what was deleted since stays deleted
    #[command(after_help = "Example:\n  hubshift backup restore 0190c6a0-… --to west --wait")]
    Restore(RestoreArgs),
}

// (No doc comments on argument groups: clap would show them as the command's help.)
#[derive(Debug, Args)]
pub(crate) struct BackupArg {
    /// Id of the backup
    backup: String,
}

#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    /// Hub to back up
    #[arg(long, value_name = "HUB")]
    hub: String,

    /// Wait for its end
    #[arg(long)]
    wait: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    #[command(flatten)]
    backup: BackupArg,

    /// Standby to restore to, syncing or ready
    #[arg(long, value_name = "HUB")]
    to: String,

    /// Wait for its end
    #[arg(long)]
    wait: bool,
}

impl Operate for BackupCommand {
    async fn run(self, session: &Session) -> Result<(), CliError> {
        let id = session.fleet().await?;
        match self {
            Self::Create(args) => create(session, &id, args).await,
            Self::Get(arg) => get(session, name(&id, &arg)).await,
            Self::List(page) => list(session, &id, &page).await,
            Self::Verify(arg) => verify(session, name(&id, &arg)).await,
            Self::Restore(args) => restore(session, &id, args).await,
        }
    }
}

fn name(id: &FleetId, arg: &BackupArg) -> String {
    names::child(id, "backups", &arg.backup)
}

async fn create(session: &Session, id: &FleetId, args: CreateArgs) -> Result<(), CliError> {
    let request = pb::CreateBackupRequest {
        parent: id.name(),
        hub: args.hub,
        request_id: session.request_id(),
        context: None,
    };
    let send = |c, r| async move { Backups::new(c).create_backup(r).await };
    let task = session.registry.call(request, send).await?;
    tasks::finish(session, task, args.wait).await
}

async fn get(session: &Session, name: String) -> Result<(), CliError> {
    let send = |c, r| async move { Backups::new(c).get_backup(r).await };
    let backup = session
        .registry
        .call(pb::GetBackupRequest { name }, send)
        .await?;
    session.output.show(&BackupView::from(backup))
}

async fn list(session: &Session, id: &FleetId, page: &PageArgs) -> Result<(), CliError> {
    let fetch = |page_size, page_token| async move {
        let request = pb::ListBackupsRequest {
            parent: id.name(),
            page_size,
            page_token,
        };
        let send = |c, r| async move { Backups::new(c).list_backups(r).await };
        let found = session.registry.call(request, send).await?;
        Ok((found.backups, found.next_page_token))
    };
    let (backups, next) = page.collect(fetch).await?;
    session.output.show(&Page::<BackupView>::new(backups, next))
}

async fn verify(session: &Session, name: String) -> Result<(), CliError> {
    let send = |c, r| async move { Backups::new(c).verify_backup(r).await };
    let found = session
        .registry
        .call(pb::VerifyBackupRequest { name }, send)
        .await?;
    session.output.show(&BackupCheckView::from(found))
}

async fn restore(session: &Session, id: &FleetId, args: RestoreArgs) -> Result<(), CliError> {
    let request = pb::RestoreBackupRequest {
        name: name(id, &args.backup),
        target_hub: args.to,
        request_id: session.request_id(),
    };
    let send = |c, r| async move { Backups::new(c).restore_backup(r).await };
    let task = session.registry.call(request, send).await?;
    tasks::finish(session, task, args.wait).await
}
