//! `ApplyBatch`: the keys of a merge, each by itself.

use std::collections::HashSet;
use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _};
use hubshift_api::fault;
use hubshift_api::pb::registry as pb;
use hubshift_api::pb::registry::apply_result::Outcome;
use hubshift_api::records::from_side_state;
use hubshift_api::validate::Checks;
use hubshift_domain::identity::Fingerprint;
use tonic::{Code, Status};
use uuid::Uuid;

use super::{context, find};
use crate::app::apply::{Applier, ApplyError, Item, ItemOutcome};
use crate::authority::EPOCH_FORGOTTEN;
use crate::deps::{Deps, WriterError};
use crate::scan::CONCURRENCY;

/// Items of a batch at most.
const MAX_ITEMS: usize = 100;

/// Applies a batch; its results stand in the order of its items.
pub(crate) async fn batch(
    deps: &Arc<Deps>,
    request: pb::ApplyBatchRequest,
) -> Result<pb::ApplyBatchResponse, Status> {
    let mut checks = Checks::new();
    let fleet = checks.fleet("fleet", &request.fleet);
    let primary = checks.hub("primary_hub", &request.primary_hub);
    let secondary = checks.hub("secondary_hub", &request.secondary_hub);
    if primary.is_some() && primary == secondary {
        checks.violation("secondary_hub", "must be another hub than primary_hub");
    }
    if request
        .context
        .as_ref()
        .is_none_or(|context| context.operation.is_empty())
    {
        checks.violation("context", "is required");
    }
    let items = items(&mut checks, &request.items);
    let all = fleet
        .zip(primary.zip(secondary))
        .zip(request.context.as_ref());
    let ((fleet, (primary, secondary)), context) = checks.require(all)?;
    context::admit(&deps.pool, Some(context)).await?;
    let view = find::fleet(deps, &fleet).await?;
    if view.epoch.0 != context.epoch {
        return Err(ApplyError::EpochMoved.into());
    }
    let applier = Applier::new(deps.clone(), &view, &primary, &secondary).await?;
    let applier = &applier;
    let results = futures::stream::iter(items)
        .map(|item| async move {
            let applied = applier.apply(&item).await?;
            Ok::<_, ApplyError>(result(item.device.as_str(), applied))
        })
        .buffered(CONCURRENCY)
        .try_collect()
        .await?;
    Ok(pb::ApplyBatchResponse { results })
}

fn items(checks: &mut Checks, wire: &[pb::ApplyItem]) -> Vec<Item> {
    if wire.len() > MAX_ITEMS {
        checks.violation(
            "items",
            format!("has {} items, at most {MAX_ITEMS}", wire.len()),
        );
        return Vec::new();
    }
    let mut devices = HashSet::new();
    let mut items = Vec::with_capacity(wire.len());
    for (number, wire) in wire.iter().enumerate() {
        if !devices.insert(wire.device.as_str()) {
            checks.violation(
                &format!("items[{number}].device"),
                "is in the batch already",
            );
        }
        items.extend(item(checks, number, wire));
    }
    items
}

fn item(checks: &mut Checks, number: usize, wire: &pb::ApplyItem) -> Option<Item> {
    let field = |name: &str| format!("items[{number}].{name}");
    let device = checks.key(&field("device"), &wire.device);
    if Uuid::parse_str(&wire.item_id).is_err() {
        checks.violation(
            &field("item_id"),
            "is required: a UUID, the same for every try",
        );
    }
    let merged = match wire.merged.as_ref().map(from_side_state) {
        Some(Ok(side)) => Some(side),
        Some(Err(error)) => {
            checks.violation(&field("merged"), error.to_string());
            None
        }
        None => {
            checks.violation(&field("merged"), "is required");
            None
        }
    };
    let primary_before = before(checks, &field("primary_before"), &wire.primary_before);
    let secondary_before = before(checks, &field("secondary_before"), &wire.secondary_before);
    Some(Item {
        device: device?,
        merged: merged?,
        primary_before,
        secondary_before,
    })
}

fn before(checks: &mut Checks, field: &str, bytes: &[u8]) -> Option<Fingerprint> {
    if bytes.is_empty() {
        return None;
    }
    let print = Fingerprint::from_slice(bytes);
    if print.is_none() {
        checks.violation(field, "is not a fingerprint of 16 bytes");
    }
    print
}

fn result(device: &str, applied: ItemOutcome) -> pb::ApplyResult {
    let (outcome, detail, print) = match applied {
        ItemOutcome::Applied(print) => (Outcome::Applied, String::new(), print),
        ItemOutcome::Already(print) => (Outcome::Already, String::new(), print),
        ItemOutcome::Stale(text) => (Outcome::Stale, text, None),
        ItemOutcome::Rejected(text) => (Outcome::Rejected, text, None),
        ItemOutcome::Unknown(text) => (Outcome::Unknown, text, None),
    };
    pb::ApplyResult {
        device: device.to_owned(),
        outcome: outcome.into(),
        detail,
        print: print
            .map(|print| print.0.to_vec().into())
            .unwrap_or_default(),
    }
}

impl From<ApplyError> for Status {
    fn from(error: ApplyError) -> Self {
        let text = error.to_string();
        match error {
            ApplyError::EpochMoved => fault::status(Code::Aborted, "EPOCH_MOVED", text),
            ApplyError::EpochForgotten => {
                fault::status(Code::FailedPrecondition, EPOCH_FORGOTTEN, text)
            }
            ApplyError::Closed(_) => {
                fault::status(Code::FailedPrecondition, "REGISTRY_CLOSED", text)
            }
            ApplyError::Writer(WriterError::Hub(error)) => error.into(),
            ApplyError::Writer(WriterError::Key(error)) => {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "fleet keys unusable"
                );
                fault::internal()
            }
            ApplyError::Store(error) => error.into(),
        }
    }
}
