//! Restoring a value that lost, after the merge: a device is written at both hubs under the
//! condition that it is as the merge left it, and its modules with it; a document in its main line.

mod modules;

use hubshift_api::fault;
use hubshift_api::pb::registry::apply_result::Outcome;
use hubshift_api::pb::registry::{ApplyBatchRequest, ApplyItem, ApplyResult};
use hubshift_api::pb::types::StepContext;
use hubshift_api::records::side_state;
use hubshift_domain::epoch::Epoch;
use hubshift_domain::id::FleetId;
use hubshift_domain::identity::Stamp;
use hubshift_domain::json_merge::{JsonPath, same_member, set_member};
use hubshift_domain::merge::{Choice, ConflictState, Resolution, Side};
use hubshift_store::{StoreError, Tx};
use prost::bytes::Bytes;
use serde_json::Value;
use sqlx::PgConnection;
use time::OffsetDateTime;
use tonic::Code;
use uuid::Uuid;

use super::resolve::{Case, Decision, still_held};
use super::{App, MergeError};
use crate::plan::{Facts, merge_device};
use crate::store::document::{self, DocumentKey};
use crate::store::item::{self, Item};
use crate::store::{authority, conflict, damaged};

/// What both hubs hold after a device was restored.
#[derive(Debug)]
pub(super) struct Restored {
    merged: Side,
    print: Option<Vec<u8>>,
    /// The modules that waited for it.
    modules: Vec<modules::Restored>,
}

impl App {
    /// Writes the decided device at both hubs.
    pub(super) async fn restore_device(
        &self,
        case: &Case,
        decision: &Decision,
    ) -> Result<Restored, MergeError> {
        let (item, epoch) = {
            let mut connection = self.pool.acquire().await.map_err(StoreError::from)?;
            let item = applied_item(&mut connection, case).await?;
            (item, epoch(&mut connection, &decision.fleet).await?)
        };
        let decided = self.decisions(case, decision).await?;
        let subject = self.subject(&case.merge);
        let key = merge_device(&subject, &Facts::of(&item, &decided));
        let is_open = |found: &hubshift_domain::merge::Conflict| {
            found.state == ConflictState::Held && found.path == case.conflict.path
        };
        if key.withheld || key.conflicts.iter().any(is_open) {
            return Err(still_held(&case.conflict));
        }
        let print = if key.merged.same(&item.merged) {
            item.applied_print
        } else {
            let asked = apply_item(case, decision, &item, &key.merged)?;
            let written = self.write(case, epoch, asked).await?;
            Some(written.print.to_vec())
        };
        let modules = Box::pin(self.restore_modules(case, decision, epoch, &key.merged)).await?;
        Ok(Restored {
            merged: key.merged,
            print,
            modules,
        })
    }

    /// All decisions about the device, this one among them.
    async fn decisions(
        &self,
        case: &Case,
        decision: &Decision,
    ) -> Result<Vec<Resolution>, MergeError> {
        let mut connection = self.pool.acquire().await.map_err(StoreError::from)?;
        let row = &case.conflict;
        let devices = [row.key.clone()];
        let decided = conflict::resolutions(&mut connection, row.merge_id, &devices).await?;
        let decided = decided.get(&(row.key.clone(), row.generation)).cloned();
        let mut decided = decided.unwrap_or_default();
        decided.retain(|earlier| earlier.path != row.path);
        decided.push(Resolution {
            path: row.path.clone(),
            choice: decision.choice,
        });
        Ok(decided)
    }

    /// What both hubs hold after it.
    async fn write(
        &self,
        case: &Case,
        epoch: Epoch,
        asked: ApplyItem,
    ) -> Result<ApplyResult, MergeError> {
        let Case { merge, conflict } = case;
        let operation = format!(
            "fleets/{}/conflicts/{}",
            merge.fleet_id, conflict.conflict_id
        );
        let context = StepContext {
            operation,
            step: "restore".to_owned(),
            lease_gen: 1,
            epoch: epoch.0,
        };
        let message = ApplyBatchRequest {
            fleet: format!("fleets/{}", merge.fleet_id),
            primary_hub: merge.primary_hub_id.clone(),
            secondary_hub: merge.secondary_hub_id.clone(),
            items: vec![asked],
            context: Some(context),
        };
        let answer = self.remote.apply(message).await;
        let answer = answer.map_err(|status| MergeError::Remote(Box::new(status)))?;
        read(answer.results.into_iter().next().unwrap_or_default())
    }

    /// Notes what was restored.
    pub(super) async fn note_restored(
        &self,
        tx: &mut Tx,
        case: &Case,
        decision: &Decision,
        restored: Restored,
    ) -> Result<(), MergeError> {
        let row = &case.conflict;
        applied_item(tx, case).await?;
        conflict::resolve(tx, row.conflict_id, decision.choice, &decision.resolver).await?;
        let Restored {
            merged,
            print,
            modules,
        } = restored;
        let (fleet, merge_id) = (row.fleet_id.as_str(), row.merge_id);
        item::applied(tx, merge_id, &row.key, &merged, print.as_deref()).await?;
        conflict::applied(tx, fleet, merge_id, &row.key, merged.is_held()).await?;
        if !merged.is_held() {
            conflict::supersede_held(tx, merge_id, &row.key).await?;
        }
        for module in &modules {
            module.note(tx, fleet, merge_id).await?;
        }
        Ok(())
    }

    /// Writes the decided value into a document.
    pub(super) async fn restore_document(
        &self,
        tx: &mut Tx,
        case: &Case,
        decision: &Decision,
    ) -> Result<(), MergeError> {
        let row = &case.conflict;
        let (namespace, key) = row.key.split_once('/').unwrap_or_default();
        let at = DocumentKey {
            fleet: decision.fleet.clone(),
            namespace: namespace.to_owned(),
            key: key.to_owned(),
        };
        let stored = document::lock(tx, &at).await?;
        let mut stored = stored.ok_or(MergeError::ConflictStale)?;
        let path = JsonPath::parse(&row.path);
        let taken = row
            .chosen
            .as_deref()
            .and_then(Choice::parse)
            .map(|side| value(case, side));
        let current = at_path(stored.main.live_value(), &path);
        if taken.is_some_and(|taken| !same_member(current, taken)) {
            return Err(MergeError::ConflictStale);
        }
        let wanted = value(case, decision.choice).cloned();
        if !path.names().is_empty() && !stored.main.value.is_object() {
            return Err(MergeError::ConflictStale);
        }
        match &mut stored.main.value {
            Value::Object(members) if !path.names().is_empty() => {
                set_member(members, path.names(), wanted);
            }
            whole => {
                stored.main.deleted = wanted.is_none();
                *whole = wanted.unwrap_or_default();
            }
        }
        let authority = authority::authority(tx, &at.fleet).await?;
        let authority = authority.ok_or_else(|| MergeError::FleetNotFound(at.fleet.to_string()))?;
        let version = &mut stored.main.version;
        version.set(authority.hub.clone(), version.get(&authority.hub) + 1);
        let sequence = OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000;
        stored.main.stamp = Stamp {
            epoch: authority.epoch,
            sequence: i64::try_from(sequence).unwrap_or(i64::MAX),
            origin: authority.hub,
        };
        stored.has_conflicts = false;
        document::save(tx, &at, &stored).await?;
        conflict::resolve(tx, row.conflict_id, decision.choice, &decision.resolver).await?;
        Ok(())
    }
}

/// The item of an applied conflict, if nothing took its place since.
async fn applied_item(connection: &mut PgConnection, case: &Case) -> Result<Item, MergeError> {
    let row = &case.conflict;
    let item = item::get(connection, row.merge_id, &row.key).await?;
    let is_last = |item: &Item| item.state == "applied" && item.generation == row.generation + 1;
    let item = item.filter(is_last).ok_or(MergeError::ConflictStale)?;
    let fleet = row.fleet_id.as_str();
    let later = item::later_sides(connection, fleet, row.merge_id, &row.key).await?;
    match later.iter().all(|side| side.same(&item.merged)) {
        true => Ok(item),
        false => Err(MergeError::ConflictStale),
    }
}

async fn epoch(connection: &mut PgConnection, fleet: &FleetId) -> Result<Epoch, MergeError> {
    let authority = authority::authority(connection, fleet).await?;
    let missing = || MergeError::FleetNotFound(fleet.to_string());
    Ok(authority.ok_or_else(missing)?.epoch)
}

fn apply_item(
    case: &Case,
    decision: &Decision,
    item: &Item,
    merged: &Side,
) -> Result<ApplyItem, MergeError> {
    let sealed = item
        .credentials
        .attach(merged)
        .map_err(|error| damaged("sealed", error))?;
    let before = item.applied_print.clone().ok_or_else(unknown_print)?;
    let before = Bytes::from(before);
    let name = format!("restore/{}", decision.choice);
    Ok(ApplyItem {
        device: item.device.to_string(),
        merged: Some(side_state(&sealed)),
        primary_before: before.clone(),
        secondary_before: before,
        item_id: Uuid::new_v5(&case.conflict.conflict_id, name.as_bytes()).to_string(),
    })
}

/// Without the fingerprint of what is there, a write could not be conditional on it.
fn unknown_print() -> MergeError {
    let text = "the hubs became equal by themselves, and what they show was not noted; change the \
                device through DeviceService";
    MergeError::ChoiceImpossible(text.to_owned())
}

/// The result of a write that came through.
fn read(result: ApplyResult) -> Result<ApplyResult, MergeError> {
    let remote = |code, reason, text| {
        Err(MergeError::Remote(Box::new(fault::status(
            code, reason, text,
        ))))
    };
    match result.outcome() {
        Outcome::Applied | Outcome::Already => Ok(result),
        Outcome::Stale => Err(MergeError::ConflictStale),
        Outcome::Rejected => remote(Code::FailedPrecondition, "HUB_REFUSED", result.detail),
        Outcome::Unknown | Outcome::Unspecified => {
            remote(Code::Unavailable, "OUTCOME_UNKNOWN", result.detail)
        }
    }
}

fn value(case: &Case, side: Choice) -> Option<&Value> {
    match side {
        Choice::Primary => case.conflict.primary_value.as_ref(),
        Choice::Secondary => case.conflict.secondary_value.as_ref(),
    }
}

fn at_path<'a>(value: Option<&'a Value>, path: &JsonPath) -> Option<&'a Value> {
    path.names()
        .iter()
        .try_fold(value?, |value, name| value.get(name))
}
