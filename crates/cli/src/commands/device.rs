//! `hubshift device`: identities, through the authority. What is done here happens at the active
//! hub and survives the loss of it.

mod credentials;
mod update;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use hubshift_api::json;
use hubshift_api::pb::registry as pb;
use hubshift_domain::id::FleetId;

use super::key_value::{self, KeyValue};
use super::pages::PageArgs;
use super::{Operate, names};
use crate::connect::Session;
use crate::connect::clients::Devices;
use crate::exit::CliError;
use crate::output::Page;
use crate::output::views::{CredentialsView, DeletedView, DeviceView};
use credentials::CredentialKind;
use update::UpdateArgs;

/// Commands about devices.
#[derive(Debug, Subcommand)]
pub(crate) enum DeviceCommand {
    /// Creates a device; keys that are not given are made by registry-sync
    #[command(
        after_help = "Example:\n  hubshift device create pump-7 --tag site='\"oslo\"' --tag floor=3"
    )]
    Create(CreateArgs),
    /// Shows a device as the active hub has it
    #[command(after_help = "Example:\n  hubshift device get pump-7")]
    Get(DeviceArg),
    /// Lists devices by id
    #[command(after_help = "Example:\n  hubshift device list --limit 500 --output json")]
    List(PageArgs),
    /// Changes a device: tags and desired properties by member, null removes one
    #[command(
        after_help = "Examples:\n  hubshift device update pump-7 --disable --reason 'in the workshop'\n  \
        hubshift device update pump-7 --desired interval=30 --tag floor=null"
    )]
    Update(UpdateArgs),
    /// Deletes a device and leaves a tombstone
    #[command(after_help = "Example:\n  hubshift device delete pump-7 --revoked")]
    Delete(DeleteArgs),
    /// Shows a device's secrets; this is audited
    #[command(after_help = "Example:\n  hubshift device credentials pump-7")]
    Credentials(DeviceArg),
}

// (No doc comments on argument groups: clap would show them as the command's help.)
#[derive(Debug, Args)]
pub(crate) struct DeviceArg {
    /// Id of the device, case-sensitive
    device: String,
}

#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    #[command(flatten)]
    device: DeviceArg,

    /// How it proves who it is
    #[arg(long, value_enum, default_value = "sas")]
    credential: CredentialKind,

    /// Keys or thumbprints to use, in a TOML or JSON file as `device credentials` prints them
    #[arg(long, value_name = "FILE")]
    credentials_file: Option<PathBuf>,

    /// Not allowed to connect yet
    #[arg(long)]
    disabled: bool,

    /// Why it is disabled
    #[arg(
        long,
        value_name = "TEXT",
        requires = "disabled",
        default_value = "",
        hide_default_value = true
    )]
    reason: String,

    /// It is an edge gateway
    #[arg(long)]
    iot_edge: bool,

    /// A tag; may be repeated
    #[arg(long = "tag", value_name = "KEY=JSON", value_parser = key_value::parse)]
    tags: Vec<KeyValue>,

    /// A desired property; may be repeated
    #[arg(long = "desired", value_name = "KEY=JSON", value_parser = key_value::parse)]
    desired: Vec<KeyValue>,
}

#[derive(Debug, Args)]
pub(crate) struct DeleteArgs {
    #[command(flatten)]
    device: DeviceArg,

    /// Its credential is in wrong hands: the deletion then always wins a merge
    #[arg(long)]
    revoked: bool,

    /// Delete it only if it still has this etag
    #[arg(
        long,
        value_name = "ETAG",
        default_value = "",
        hide_default_value = true
    )]
    etag: String,
}

impl Operate for DeviceCommand {
    async fn run(self, session: &Session) -> Result<(), CliError> {
        let fleet = session.fleet().await?;
        match self {
            Self::Create(args) => create(session, &fleet, args).await,
            Self::Get(arg) => get(session, &fleet, &arg).await,
            Self::List(page) => list(session, &fleet, &page).await,
            Self::Update(args) => update::run(session, &fleet, args).await,
            Self::Delete(args) => delete(session, &fleet, args).await,
            Self::Credentials(arg) => show_credentials(session, &fleet, &arg).await,
        }
    }
}

async fn create(session: &Session, fleet: &FleetId, args: CreateArgs) -> Result<(), CliError> {
    let credentials = args
        .credentials_file
        .as_deref()
        .map(credentials::read)
        .transpose()?;
    let kind = credentials
        .as_ref()
        .map_or(args.credential.wire(), pb::DeviceCredentials::kind);
    let device = pb::Device {
        enabled: Some(!args.disabled),
        status_reason: args.reason,
        credential_kind: kind.into(),
        iot_edge: args.iot_edge,
        tags: Some(json::to_struct(&key_value::object(&args.tags))),
        desired: Some(json::to_struct(&key_value::object(&args.desired))),
        ..Default::default()
    };
    let request = pb::CreateDeviceRequest {
        parent: fleet.name(),
        device_id: args.device.device,
        device: Some(device),
        credentials,
        request_id: session.request_id(),
    };
    let send = |c, r| async move { Devices::new(c).create_device(r).await };
    let created = session.registry.call(request, send).await?;
    session.output.show(&DeviceView::from(created))
}

async fn get(session: &Session, fleet: &FleetId, arg: &DeviceArg) -> Result<(), CliError> {
    let device = fetch(session, names::device(fleet, &arg.device)).await?;
    session.output.show(&DeviceView::from(device))
}

/// The device of this name.
async fn fetch(session: &Session, name: String) -> Result<pb::Device, CliError> {
    let send = |c, r| async move { Devices::new(c).get_device(r).await };
    session
        .registry
        .call(pb::GetDeviceRequest { name }, send)
        .await
}

async fn list(session: &Session, fleet: &FleetId, page: &PageArgs) -> Result<(), CliError> {
    let fetch = |page_size, page_token| async move {
        let request = pb::ListDevicesRequest {
            parent: fleet.name(),
            page_size,
            page_token,
        };
        let send = |c, r| async move { Devices::new(c).list_devices(r).await };
        let found = session.registry.call(request, send).await?;
        Ok((found.devices, found.next_page_token))
    };
    let (devices, next) = page.collect(fetch).await?;
    session.output.show(&Page::<DeviceView>::new(devices, next))
}

async fn delete(session: &Session, fleet: &FleetId, args: DeleteArgs) -> Result<(), CliError> {
    let name = names::device(fleet, &args.device.device);
    let request = pb::DeleteDeviceRequest {
        name: name.clone(),
        etag: args.etag,
        revoked: args.revoked,
        request_id: session.request_id(),
    };
    let send = |c, r| async move { Devices::new(c).delete_device(r).await };
    session.registry.call(request, send).await?;
    session.output.show(&DeletedView {
        name,
        revoked: args.revoked,
    })
}

async fn show_credentials(
    session: &Session,
    fleet: &FleetId,
    arg: &DeviceArg,
) -> Result<(), CliError> {
    let request = pb::GetDeviceCredentialsRequest {
        name: names::device(fleet, &arg.device),
    };
    let send = |c, r| async move { Devices::new(c).get_device_credentials(r).await };
    let found = session.registry.call(request, send).await?;
    session.output.show(&CredentialsView::from(found))
}
