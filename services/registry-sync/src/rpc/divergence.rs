//! `StreamDivergence`: what a merge compares, key by key, in the order in which it plans.

use std::sync::Arc;

use hubshift_api::fault;
use hubshift_api::pb::registry as pb;
use hubshift_api::records::side_state;
use hubshift_api::validate::Checks;
use hubshift_domain::id::HubId;
use hubshift_store::StoreError;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status};
use tracing::Instrument as _;
use uuid::Uuid;

use super::find;
use crate::app::divergence::{Divergence, Triple};
use crate::app::sides::Place;
use crate::authority::FleetView;
use crate::deps::Deps;
use crate::hubs::HubsError;
use crate::store;

/// What is sent to the caller.
pub(crate) type Stream = ReceiverStream<Result<pb::StreamDivergenceResponse, Status>>;

/// How many keys may wait for a slow reader.
const WAITING: usize = 64;

/// Starts the stream.
pub(crate) async fn stream(
    deps: Arc<Deps>,
    request: pb::StreamDivergenceRequest,
) -> Result<Stream, Status> {
    let mut checks = Checks::new();
    let fleet = checks.fleet("fleet", &request.fleet);
    let primary = checks.hub("primary_hub", &request.primary_hub);
    let secondary = checks.hub("secondary_hub", &request.secondary_hub);
    if primary.is_some() && primary == secondary {
        checks.violation("secondary_hub", "must be another hub than primary_hub");
    }
    let primary_scan = snapshot(&mut checks, "primary_snapshot", &request.primary_snapshot);
    let secondary_scan = snapshot(
        &mut checks,
        "secondary_snapshot",
        &request.secondary_snapshot,
    );
    let all = primary.zip(primary_scan).zip(secondary.zip(secondary_scan));
    let (fleet, (primary, secondary)) = checks.require(fleet.zip(all))?;
    let view = find::fleet(&deps, &fleet).await?;
    for (hub, scan) in [&primary, &secondary] {
        pinned(&deps, &view, hub, *scan).await?;
    }
    let (primary, secondary) = (place(&view, primary.0), place(&view, secondary.0));
    let divergence = Divergence::new(deps.pool.clone(), fleet, primary, secondary);
    let (sender, receiver) = mpsc::channel(WAITING);
    tokio::spawn(send(divergence, sender).in_current_span());
    Ok(ReceiverStream::new(receiver))
}

fn snapshot(checks: &mut Checks, field: &str, text: &str) -> Option<Uuid> {
    let id = Uuid::parse_str(text).ok();
    if id.is_none() {
        checks.violation(field, "is required: the snapshot of a finished scan");
    }
    id
}

/// The snapshot is a complete one of this hub.
async fn pinned(deps: &Deps, view: &FleetView, hub: &HubId, scan: Uuid) -> Result<(), Status> {
    view.hub(hub).ok_or(HubsError::NoHub)?;
    let mut connection = deps.pool.acquire().await.map_err(StoreError::from)?;
    if store::divergence::is_complete(&mut connection, &view.fleet, hub, scan).await? {
        return Ok(());
    }
    let text = format!("snapshot {scan} is not a finished scan of hub `{hub}`; scan it again");
    Err(fault::status(Code::NotFound, "SNAPSHOT_NOT_FOUND", text))
}

fn place(view: &FleetView, hub: HubId) -> Place {
    Place {
        epoch: view.found_epoch(&hub),
        hub,
    }
}

/// Sends until all is sent or the caller went away.
async fn send(
    mut divergence: Divergence,
    sender: mpsc::Sender<Result<pb::StreamDivergenceResponse, Status>>,
) {
    loop {
        let batch = match divergence.next().await {
            Ok(batch) => batch,
            Err(error) => {
                // A caller that went away does not want it.
                let _ = sender.send(Err(error.into())).await;
                return;
            }
        };
        if batch.is_empty() {
            return;
        }
        for triple in batch {
            if sender.send(Ok(message(&triple))).await.is_err() {
                return;
            }
        }
    }
}

fn message(triple: &Triple) -> pb::StreamDivergenceResponse {
    pb::StreamDivergenceResponse {
        device: triple.device.clone(),
        base: Some(side_state(&triple.sides.base)),
        primary: Some(side_state(&triple.sides.primary)),
        secondary: Some(side_state(&triple.sides.secondary)),
        out_of_reach: triple.is_out_of_reach,
    }
}
