//! `hubshift metadata put`: the version that is there is read first, so that a write in between is
//! never covered up; the command then ends with `VERSION_MISMATCH`.

use std::path::{Path, PathBuf};

use clap::Args;
use hubshift_api::json;
use hubshift_api::pb::merge as pb;
use hubshift_domain::id::FleetId;
use serde_json::Value;

use super::{DocumentArg, fetch};
use crate::commands::fleet;
use crate::connect::Session;
use crate::connect::clients::Metadata;
use crate::exit::CliError;
use crate::output::views::PutView;

pub(super) const EXAMPLES: &str = "\
Examples:
  hubshift metadata put sites oslo --value '{\"floors\": 4}'
  hubshift metadata put sites oslo --file oslo.json --device pump-7
  hubshift metadata put sites oslo --delete";

#[derive(Debug, Args)]
pub(crate) struct PutArgs {
    #[command(flatten)]
    document: DocumentArg,

    #[command(flatten)]
    content: Content,

    /// Device that it belongs to
    #[arg(
        long,
        value_name = "DEVICE",
        default_value = "",
        hide_default_value = true
    )]
    device: String,

    /// Hub that the writer lives by [default: the active one]
    #[arg(long, value_name = "HUB", requires = "epoch")]
    origin: Option<String>,

    /// Epoch that the writer lives by [default: the fleet's]
    #[arg(long, value_name = "N", requires = "origin")]
    epoch: Option<u64>,

    /// Version that was read, empty for a new document [default: the one that is there]
    #[arg(long, value_name = "VERSION")]
    expected_version: Option<String>,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Content {
    /// The value
    #[arg(long, value_name = "JSON", value_parser = parse_json)]
    value: Option<Value>,

    /// The value, from a file
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,

    /// Delete the document
    #[arg(long)]
    delete: bool,
}

impl Content {
    fn value(self) -> Result<Option<Value>, CliError> {
        match (self.value, self.file) {
            (Some(value), _) => Ok(Some(value)),
            (None, Some(path)) => read(&path).map(Some),
            (None, None) => Ok(None),
        }
    }
}

fn parse_json(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))
}

fn read(path: &Path) -> Result<Value, CliError> {
    let refused = |problem: String| CliError::usage(format!("{}: {problem}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| refused(error.to_string()))?;
    parse_json(&text).map_err(refused)
}

pub(super) async fn run(session: &Session, id: &FleetId, args: PutArgs) -> Result<(), CliError> {
    let name = args.document.name(id);
    let is_deleted = args.content.delete;
    let value = args.content.value()?;
    let (origin_hub, epoch) = match (args.origin, args.epoch) {
        (Some(hub), Some(epoch)) => (hub, epoch),
        _ => {
            let fleet = fleet::fetch(session, id.name()).await?;
            (fleet.active_hub, fleet.epoch)
        }
    };
    let expected_version = match args.expected_version {
        Some(version) => version,
        None => current_version(session, name.clone()).await?,
    };
    let made_from = vec![
        format!("--origin {origin_hub} --epoch {epoch}"),
        format!("--expected-version '{expected_version}'"),
    ];
    let document = pb::Document {
        name,
        value: value.as_ref().map(json::to_value),
        device: args.device,
        is_deleted,
        ..Default::default()
    };
    let request = pb::PutDocumentRequest {
        document: Some(document),
        origin_hub,
        epoch,
        expected_version,
        request_id: session.request_id(),
    };
    let send = |c, r| async move { Metadata::new(c).put_document(r).await };
    let put = session.merge.call(request, send).await;
    let put = put.map_err(|error| error.repeat_with(made_from))?;
    session.output.show(&PutView::from(put))
}

/// The document's version; empty when there is no document.
async fn current_version(session: &Session, name: String) -> Result<String, CliError> {
    match fetch(session, name).await {
        Ok(document) => Ok(document.version),
        Err(error) if error.reason() == "DOCUMENT_NOT_FOUND" => Ok(String::new()),
        Err(error) => Err(error),
    }
}
