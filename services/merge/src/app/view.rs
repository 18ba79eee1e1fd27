//! Stored merges and conflicts as messages. No secret is in them: values hold fingerprints.

use hubshift_api::json::{to_struct, to_value};
use hubshift_api::pb::merge as pb;
use hubshift_api::pb::types::Failure;
use hubshift_api::times::timestamp;
use hubshift_store::StoreError;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::MergeError;
use crate::store::conflict::ConflictRow;
use crate::store::merge::{self, MergeRow, Standing};
use crate::store::{rescued, unsigned};

/// Reads a merge as it is answered.
pub(super) async fn load(
    connection: &mut PgConnection,
    fleet: &str,
    merge_id: Uuid,
) -> Result<pb::Merge, MergeError> {
    let row = merge::get(connection, fleet, merge_id).await?;
    let row = row.ok_or_else(|| MergeError::MergeNotFound(merge::name(fleet, merge_id)))?;
    Ok(self::merge(connection, &row).await?)
}

/// A merge with its rescue report.
pub(super) async fn merge(
    connection: &mut PgConnection,
    row: &MergeRow,
) -> Result<pb::Merge, StoreError> {
    let rescued = match row.rewound {
        true => rescued::get(connection, row.merge_id).await?,
        false => Vec::new(),
    };
    let failure = row.failure_reason.clone().map(|reason| Failure {
        reason,
        message: row.failure_message.clone().unwrap_or_default(),
    });
    Ok(pb::Merge {
        name: row.name(),
        recovered_hub: row.primary_hub_id.clone(),
        active_hub: row.secondary_hub_id.clone(),
        epoch: row.epoch().0,
        state: state(&row.state).into(),
        plan_id: row.plan_id.clone(),
        rewound: row.rewound,
        rewound_evidence: row.rewound_evidence.clone(),
        counts: Some(counts(row)),
        blockers: row.blockers.clone(),
        rescued: rescued.into_iter().map(rescued_device).collect(),
        failure,
        primary_digest: row.primary_digest.clone(),
        secondary_digest: row.secondary_digest.clone(),
        create_time: Some(timestamp(row.create_time)),
        close_time: row.close_time.map(timestamp),
        trace_id: row.trace_id.clone(),
    })
}

fn state(name: &str) -> pb::MergeState {
    match name {
        "planning" => pb::MergeState::Planning,
        "planned" => pb::MergeState::Planned,
        "applying" => pb::MergeState::Applying,
        "verifying" => pb::MergeState::Verifying,
        "closed" => pb::MergeState::Closed,
        "failed" => pb::MergeState::Failed,
        _ => pb::MergeState::Unspecified,
    }
}

fn counts(row: &MergeRow) -> pb::MergeCounts {
    let stored = &row.counts.0;
    let (primary, secondary) = (&stored.plan.primary, &stored.plan.secondary);
    pb::MergeCounts {
        differing_count: stored.plan.devices,
        primary_create_count: primary.create,
        primary_update_count: primary.update,
        primary_delete_count: primary.delete,
        secondary_create_count: secondary.create,
        secondary_update_count: secondary.update,
        secondary_delete_count: secondary.delete,
        auto_count: unsigned(row.auto_count),
        held_count: unsigned(row.held_count),
        applied_count: unsigned(row.applied_count),
        document_count: stored.documents,
        late_event_count: stored.late_events,
    }
}

fn rescued_device((device, record): (String, Value)) -> pb::RescuedDevice {
    pb::RescuedDevice {
        device,
        record: record.as_object().map(to_struct),
    }
}

/// Where merging stands.
pub(super) fn status(fleet: &str, standing: &Standing) -> pb::MergeStatus {
    let name = |id: Uuid| merge::name(fleet, id);
    let active_state = standing.active.as_ref().map(|(_, name)| state(name));
    pb::MergeStatus {
        open_hold_count: standing.held,
        active_merge: standing
            .active
            .as_ref()
            .map(|(id, _)| name(*id))
            .unwrap_or_default(),
        active_state: active_state.unwrap_or_default().into(),
        closed_merge: standing.closed.map(|(id, _)| name(id)).unwrap_or_default(),
        closed_epoch: standing
            .closed
            .map(|(_, epoch)| epoch.0)
            .unwrap_or_default(),
        rewound: standing.rewound,
    }
}

/// A conflict.
pub(super) fn conflict(row: &ConflictRow) -> pb::Conflict {
    let chosen = match row.chosen.as_deref() {
        Some("primary") => pb::Choice::Primary,
        Some("secondary") => pb::Choice::Secondary,
        _ => pb::Choice::Unspecified,
    };
    let state = match row.state.as_str() {
        "auto" => pb::ConflictState::Auto,
        "held" => pb::ConflictState::Held,
        "resolved" => pb::ConflictState::Resolved,
        _ => pb::ConflictState::Unspecified,
    };
    pb::Conflict {
        name: format!("fleets/{}/conflicts/{}", row.fleet_id, row.conflict_id),
        merge: merge::name(&row.fleet_id, row.merge_id),
        key: row.key.clone(),
        kind: row.kind.clone(),
        path: row.path.clone(),
        base: row.base.as_ref().map(to_value),
        primary: row.primary_value.as_ref().map(to_value),
        secondary: row.secondary_value.as_ref().map(to_value),
        chosen: chosen.into(),
        policy: row.policy.clone(),
        state: state.into(),
        resolver: row.resolver.clone(),
        create_time: Some(timestamp(row.create_time)),
        resolve_time: row.resolve_time.map(timestamp),
    }
}
