//! `hubshift device update`: tags and desired properties are changed by member. The service
//! replaces them whole, so they are read first and written under the etag that was read: a change
//! in between is never lost, the command then ends with `ETAG_MISMATCH`.

use std::path::PathBuf;

use clap::Args;
use hubshift_api::json;
use hubshift_api::pb::registry as pb;
use hubshift_domain::id::FleetId;
use prost_types::Struct;

use super::{DeviceArg, credentials, fetch};
use crate::commands::key_value::{self, KeyValue};
use crate::commands::names;
use crate::connect::Session;
use crate::connect::clients::Devices;
use crate::exit::CliError;
use crate::output::views::DeviceView;

#[derive(Debug, Args)]
pub(crate) struct UpdateArgs {
    #[command(flatten)]
    device: DeviceArg,

    /// Allow it to connect
    #[arg(long, conflicts_with = "disable")]
    enable: bool,

    /// Do not allow it to connect
    #[arg(long)]
    disable: bool,

    /// Why it is disabled
    #[arg(
        long,
        value_name = "TEXT",
        requires = "disable",
        default_value = "",
        hide_default_value = true
    )]
    reason: String,

    /// A tag; may be repeated; null removes it
    #[arg(long = "tag", value_name = "KEY=JSON", value_parser = key_value::parse)]
    tags: Vec<KeyValue>,

    /// A desired property; may be repeated; null removes it
    #[arg(long = "desired", value_name = "KEY=JSON", value_parser = key_value::parse)]
    desired: Vec<KeyValue>,

    /// New keys or thumbprints, in a TOML or JSON file
    #[arg(long, value_name = "FILE")]
    credentials_file: Option<PathBuf>,

    /// Change it only if it still has this etag
    #[arg(long, value_name = "ETAG")]
    etag: Option<String>,
}

impl UpdateArgs {
    fn enabled(&self) -> Option<bool> {
        (self.enable || self.disable).then_some(self.enable)
    }

    fn is_empty(&self) -> bool {
        let members = self.tags.is_empty() && self.desired.is_empty();
        members && self.enabled().is_none() && self.credentials_file.is_none()
    }
}

pub(super) async fn run(
    session: &Session,
    fleet: &FleetId,
    args: UpdateArgs,
) -> Result<(), CliError> {
    if args.is_empty() {
        return Err(CliError::usage(
            "nothing to change: give at least one option",
        ));
    }
    let credentials = args
        .credentials_file
        .as_deref()
        .map(credentials::read)
        .transpose()?;
    let name = names::device(fleet, &args.device.device);
    let (device, read_etag) = changed(session, name, &args).await?;
    let etag = args.etag.unwrap_or(read_etag);
    // By hand it is the same request again only when it is made from the same device.
    let made_from = (!etag.is_empty()).then(|| format!("--etag {etag}"));
    let request = pb::UpdateDeviceRequest {
        device: Some(device),
        credentials,
        etag,
        request_id: session.request_id(),
    };
    let send = |c, r| async move { Devices::new(c).update_device(r).await };
    let updated = session.registry.call(request, send).await;
    let updated = updated.map_err(|error| error.repeat_with(made_from.into_iter().collect()))?;
    session.output.show(&DeviceView::from(updated))
}

/// What the device shall be, and the etag of what the change was made from; empty if nothing had
/// to be read.
async fn changed(
    session: &Session,
    name: String,
    args: &UpdateArgs,
) -> Result<(pb::Device, String), CliError> {
    let mut device = pb::Device {
        name: name.clone(),
        enabled: args.enabled(),
        status_reason: args.reason.clone(),
        ..Default::default()
    };
    if args.tags.is_empty() && args.desired.is_empty() {
        return Ok((device, String::new()));
    }
    let read = fetch(session, name).await?;
    device.tags = with_members(read.tags, &args.tags);
    device.desired = with_members(read.desired, &args.desired);
    Ok((device, read.etag))
}

/// The object with its members changed; none when none are, so that it is left alone.
fn with_members(object: Option<Struct>, members: &[KeyValue]) -> Option<Struct> {
    if members.is_empty() {
        return None;
    }
    let mut map = object.as_ref().map(json::from_struct).unwrap_or_default();
    key_value::change(&mut map, members);
    Some(json::to_struct(&map))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn members_that_are_not_named_stay() {
        let before = json!({"site": "oslo", "floor": 3});
        let before = before.as_object().map(json::to_struct);
        let after = with_members(before.clone(), &[key_value::parse("floor=4").unwrap()]);
        let after = Value::Object(json::from_struct(&after.unwrap()));
        assert_eq!(after, json!({"site": "oslo", "floor": 4}));
        assert_eq!(with_members(before, &[]), None);
    }
}
