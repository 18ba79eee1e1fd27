//! What differs is compared, key by key, and becomes a plan.
//!
//! A first plan waits for a person. Later rounds go on by themselves with the decisions that still
//! stand, unless they trip a breaker further than somebody let it pass, or leave a device that
//! only a decision can bring together: then they wait again.

use std::time::Duration;

use anyhow::Context as _;
use hubshift_api::pb::registry::{StreamDivergenceRequest, StreamDivergenceResponse};
use hubshift_api::sides::{SealedTriple, from_divergence};
use hubshift_domain::merge::Tripped;
use hubshift_flow::{Progress, StepCx, StepError};
use hubshift_store::{Tx, commit};
use tonic::Streaming;

use super::trouble::refusal;
use super::{MergeFlow, State, guarded};
use crate::plan::{Settled, settle, take};
use crate::store::merge::{self, MergeRow, Planned, StoredCounts};
use crate::store::{conflict, document, event, item};

/// Devices that are planned in one transaction.
const BATCH: usize = 200;
/// A stream that is silent for so long is given up.
const SILENCE: Duration = Duration::from_secs(60);
/// How many devices a failure names.
const NAMED: i64 = 20;

impl MergeFlow {
    pub(super) async fn plan(&self, state: &mut State, cx: &StepCx) -> Result<Progress, StepError> {
        self.check_reign(state, cx).await?;
        state.goes_back = false;
        let found = self.take_all(state, cx).await?;
        let mut tx = guarded(cx).await?;
        conflict::keep_sent(&mut tx, cx.workflow_id, state.round).await?;
        item::forget_unseen(&mut tx, cx.workflow_id, state.round).await?;
        conflict::clear_orphans(&mut tx, cx.workflow_id).await?;
        let subject = self.subject(state, cx);
        let sizes = (state.primary_scan.size(), state.secondary_scan.size());
        let settled = settle(&mut tx, &subject, sizes).await?;
        let plan_id = settled.plan_id.to_string();
        self.store(&mut tx, state, cx, settled).await?;
        commit(tx).await?;
        Ok(Progress::DoneWith(format!(
            "{found} devices differ; plan {}",
            &plan_id[..12]
        )))
    }

    /// Reads the comparison and plans it batch by batch.
    async fn take_all(&self, state: &State, cx: &StepCx) -> Result<u64, StepError> {
        let mut tx = guarded(cx).await?;
        item::forget_try(&mut tx, cx.workflow_id, state.round).await?;
        commit(tx).await?;
        let mut stream = self.comparison(state, cx).await?;
        let mut found = 0;
        let mut batch = Vec::with_capacity(BATCH);
        while let Some(sealed) = next(&mut stream).await? {
            batch.push(sealed);
            found += 1;
            if batch.len() == BATCH {
                self.take_batch(state, cx, std::mem::take(&mut batch))
                    .await?;
            }
        }
        self.take_batch(state, cx, batch).await?;
        Ok(found)
    }

    /// Every device at which not all are equal, as of the newest scans.
    pub(super) async fn comparison(
        &self,
        state: &State,
        cx: &StepCx,
    ) -> Result<Streaming<StreamDivergenceResponse>, StepError> {
        let message = StreamDivergenceRequest {
            fleet: format!("fleets/{}", cx.fleet_id),
            primary_hub: state.primary.clone(),
            secondary_hub: state.secondary.clone(),
            primary_snapshot: state.primary_scan.snapshot.clone(),
            secondary_snapshot: state.secondary_scan.snapshot.clone(),
        };
        let stream = self.app.remote.divergence(message).await;
        stream.map_err(|status| refusal(&status, "comparison"))
    }

    async fn take_batch(
        &self,
        state: &State,
        cx: &StepCx,
        batch: Vec<SealedTriple>,
    ) -> Result<(), StepError> {
        if batch.is_empty() {
            return Ok(());
        }
        let mut tx = guarded(cx).await?;
        take(&mut tx, &self.subject(state, cx), state.round, batch).await?;
        commit(tx).await?;
        Ok(())
    }

    async fn store(
        &self,
        tx: &mut Tx,
        state: &mut State,
        cx: &StepCx,
        settled: Settled,
    ) -> Result<(), StepError> {
        let row = merge::get(tx, &cx.fleet_id, cx.workflow_id).await?;
        let row = row.context("the merge's row is gone")?;
        let fleet = super::fleet(cx)?;
        let counts = StoredCounts {
            plan: settled.counts,
            documents: document::count_with_branches(tx, &fleet).await?,
            late_events: event::count_late(tx, &fleet).await?,
            primary_size: state.primary_scan.devices,
            secondary_size: state.secondary_scan.devices,
            primary_others: state.primary_scan.others,
            secondary_others: state.secondary_scan.others,
        };
        // Approved between an earlier try of this step and its crash: the same plan, so it counts.
        let same_plan = row.approved_plan_id == Some(settled.plan_id.to_string());
        let is_approved = state.is_approved || same_plan;
        // No decision brings a rewound hub's devices together: waiting would be of no use.
        let can_close = state.is_rewound || !settled.is_apart;
        let may_pass = |trip: &Tripped| trip.is_within(&row.approved_trips);
        let goes_on = is_approved && can_close && settled.tripped.iter().all(may_pass);
        if goes_on {
            refuse_if_stuck(tx, cx).await?;
        }
        state.is_approved = goes_on;
        let approved = row.approved_plan_id.as_deref().filter(|_| goes_on);
        let plan_id = approved.map_or_else(|| settled.plan_id.to_string(), str::to_owned);
        let planned = Planned {
            state: if goes_on { "applying" } else { "planned" },
            plan_id: &plan_id,
            counts: kept(counts, &row, goes_on),
            blockers: &settled.blockers,
            tripped: &settled.tripped,
            approved_plan_id: approved,
        };
        merge::planned(tx, cx.workflow_id, &planned).await?;
        Ok(())
    }
}

/// Documents and events that a first round counted are merged by the time of a later one.
fn kept(counts: StoredCounts, row: &MergeRow, goes_on: bool) -> StoredCounts {
    match goes_on {
        true => StoredCounts {
            documents: row.counts.documents.max(counts.documents),
            late_events: row.counts.late_events.max(counts.late_events),
            ..counts
        },
        false => counts,
    }
}

/// A later round that can write nothing, although hubs differ, would come out the same for ever.
async fn refuse_if_stuck(tx: &mut Tx, cx: &StepCx) -> Result<(), StepError> {
    let apart = item::apart(tx, cx.workflow_id, NAMED).await?;
    let open = item::next_open(tx, cx.workflow_id, 1).await?;
    if apart.is_empty() || !open.is_empty() {
        return Ok(());
    }
    let text = format!("these devices stay different: {}", apart.join(", "));
    Err(StepError::rejected("DIGEST_MISMATCH", text))
}

/// The next device of a comparison.
pub(super) async fn next(
    stream: &mut Streaming<StreamDivergenceResponse>,
) -> Result<Option<SealedTriple>, StepError> {
    let message = tokio::time::timeout(SILENCE, stream.message()).await;
    let message = message.context("the comparison fell silent")?;
    let message = message.map_err(|status| refusal(&status, "comparison"))?;
    let sealed = message.as_ref().map(from_divergence).transpose();
    sealed.map_err(|error| StepError::rejected("COMPARISON_UNREADABLE", error.to_string()))
}
