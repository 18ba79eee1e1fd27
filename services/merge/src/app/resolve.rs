//! An operator decides a conflict. Before the merge is applied that changes the plan; afterwards
//! the chosen value is restored.

use hubshift_api::pb::merge as pb;
use hubshift_domain::id::FleetId;
use hubshift_domain::merge::{Choice, ConflictState};
use hubshift_store::{Tx, commit, idem};
use sqlx::PgConnection;
use uuid::Uuid;

use super::once::once;
use super::{App, MergeError, view};
use crate::plan::{remerge, settle};
use crate::store::conflict::{self, ConflictRow};
use crate::store::item;
use crate::store::merge::{self, MergeRow, Planned, StoredCounts};

/// A decision.
#[derive(Debug, Clone)]
pub(crate) struct Decision {
    pub(crate) fleet: FleetId,
    pub(crate) conflict_id: Uuid,
    pub(crate) choice: Choice,
    /// Who decides, for the record.
    pub(crate) resolver: String,
}

/// What a decision is about; both rows are held by the transaction that read them.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) merge: MergeRow,
    pub(super) conflict: ConflictRow,
}

/// What a decision needs.
enum Way {
    /// The plan is made anew.
    Replan,
    /// The device is written at both hubs.
    Device,
    /// The document is written.
    Document,
}

impl App {
    /// Decides a conflict.
    pub(crate) async fn resolve_conflict(
        &self,
        request: &idem::Request,
        decision: &Decision,
    ) -> Result<pb::Conflict, MergeError> {
        once(&self.pool, request, self.decide(request, decision)).await
    }

    async fn decide(
        &self,
        request: &idem::Request,
        decision: &Decision,
    ) -> Result<pb::Conflict, MergeError> {
        let mut tx = self.begin().await?;
        let case = case(&mut tx, decision).await?;
        match way(&mut tx, &case).await? {
            Way::Replan => self.replan(&mut tx, &case, decision).await?,
            Way::Document => self.restore_document(&mut tx, &case, decision).await?,
            Way::Device => {
                // The hubs are called without a transaction open.
                drop(tx);
                let restored = self.restore_device(&case, decision).await?;
                tx = self.begin().await?;
                let now = self::case(&mut tx, decision).await?;
                self.note_restored(&mut tx, &now, decision, restored)
                    .await?;
            }
        }
        answer(tx, request, decision).await
    }

    async fn replan(
        &self,
        tx: &mut Tx,
        case: &Case,
        decision: &Decision,
    ) -> Result<(), MergeError> {
        let Case { merge, conflict } = case;
        let (merge_id, device) = (merge.merge_id, conflict.key.clone());
        let item = item::get(tx, merge_id, &device).await?;
        let mut item = item.ok_or(MergeError::ConflictStale)?;
        conflict::resolve(
            tx,
            conflict.conflict_id,
            decision.choice,
            &decision.resolver,
        )
        .await?;
        let decided = conflict::resolutions(tx, merge_id, std::slice::from_ref(&device)).await?;
        let decided = decided
            .get(&(device, item.generation))
            .cloned()
            .unwrap_or_default();
        let subject = self.subject(merge);
        let key = remerge(tx, &subject, &mut item, &decided).await?;
        let is_open = |found: &hubshift_domain::merge::Conflict| {
            found.state == ConflictState::Held && found.path == conflict.path
        };
        if key.conflicts.iter().any(is_open) {
            return Err(still_held(conflict));
        }
        let counts = &merge.counts.0;
        let settled = settle(tx, &subject, counts.sizes()).await?;
        let planned = Planned {
            state: "planned",
            plan_id: &settled.plan_id.to_string(),
            counts: StoredCounts {
                plan: settled.counts,
                ..counts.clone()
            },
            blockers: &settled.blockers,
            tripped: &settled.tripped,
            approved_plan_id: None,
        };
        merge::planned(tx, merge_id, &planned).await?;
        Ok(())
    }
}

/// The choice does not settle it.
pub(super) fn still_held(conflict: &ConflictRow) -> MergeError {
    MergeError::ChoiceImpossible(format!(
        "it leaves the {} of {} open; decide the device's other conflicts, or its parent's, first",
        conflict.kind, conflict.key
    ))
}

/// Reads what a decision is about: the merge before its conflict, as everybody holds them.
async fn case(connection: &mut PgConnection, decision: &Decision) -> Result<Case, MergeError> {
    let (fleet, id) = (decision.fleet.as_str(), decision.conflict_id);
    let missing = || MergeError::ConflictNotFound(format!("fleets/{fleet}/conflicts/{id}"));
    let merge_id = conflict::merge_of(connection, fleet, id)
        .await?
        .ok_or_else(missing)?;
    merge::hold(connection, merge_id).await?;
    let conflict = conflict::hold(connection, fleet, id)
        .await?
        .ok_or_else(missing)?;
    let merge = merge::get(connection, fleet, merge_id)
        .await?
        .ok_or_else(missing)?;
    Ok(Case { merge, conflict })
}

async fn way(connection: &mut PgConnection, case: &Case) -> Result<Way, MergeError> {
    let Case { merge, conflict } = case;
    let impossible = |text: &str| Err(MergeError::ChoiceImpossible(text.to_owned()));
    if conflict.state == "superseded" {
        return impossible("a later merge, or a later decision, took its place");
    }
    let is_device = conflict.scope == "device";
    if is_device && merge.state == "planned" && !conflict.is_applied {
        return Ok(Way::Replan);
    }
    let standing = merge::standing(connection, &merge.fleet_id, "").await?;
    if let Some((active, _)) = standing.active {
        return Err(MergeError::MergeActive(merge::name(
            &merge.fleet_id,
            active,
        )));
    }
    match conflict.scope.as_str() {
        "device" if conflict.is_applied => Ok(Way::Device),
        "device" => impossible("its merge was not applied; plan a new one"),
        "document" => Ok(Way::Document),
        _ => impossible("it is the back end's own document; write it there"),
    }
}

async fn answer(
    mut tx: Tx,
    request: &idem::Request,
    decision: &Decision,
) -> Result<pb::Conflict, MergeError> {
    let case = case(&mut tx, decision).await?;
    let answer = view::conflict(&case.conflict);
    if !request.record(&mut tx, &answer).await? {
        return Err(MergeError::Raced);
    }
    commit(tx).await?;
    Ok(answer)
}
