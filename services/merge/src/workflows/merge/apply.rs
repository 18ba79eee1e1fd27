//! The plan is applied, batch by batch, each key under the condition that it is still as planned.
//!
//! One batch a turn: that it is sent is stored before it is, and what was applied of it before the
//! next begins. Asking for an item again has no further effect, so a crash between a write and its
//! note does no harm. An item that is answered with anything but success may have been written at
//! one hub: what lost there stays in the conflict log.

use std::time::Duration;

use anyhow::Context as _;
use hubshift_api::pb::registry::apply_result::Outcome;
use hubshift_api::pb::registry::{ApplyBatchRequest, ApplyItem, ApplyResult};
use hubshift_api::records::side_state;
use hubshift_domain::merge::{Choice, PlanId, item_op_id};
use hubshift_flow::{Progress, StepCx, StepError};
use hubshift_store::{StoreError, Tx, commit};
use prost::Message as _;
use sha2::{Digest, Sha256};

use super::trouble::refusal;
use super::{MergeFlow, ROUNDS, State, context, guarded};
use crate::store::item::{self, Item};
use crate::store::{conflict, merge};

/// Items of a batch at most.
const BATCH: i64 = 100;
/// Bytes of a batch at most: registry-sync takes four megabytes.
const BATCH_BYTES: usize = 2 * 1024 * 1024;
/// How long to wait when an outcome is not known yet.
const PAUSE: Duration = Duration::from_millis(500);
/// How many devices a failure names.
const NAMED: i64 = 10;

/// What became of a batch.
#[derive(Debug, Default, Clone, Copy)]
struct Tally {
    known: u32,
    unknown: u32,
}

impl MergeFlow {
    pub(super) async fn apply(
        &self,
        state: &mut State,
        cx: &StepCx,
    ) -> Result<Progress, StepError> {
        let (plan_id, items) = self.next_items(cx).await?;
        if items.is_empty() {
            return self.all_tried(state, cx).await;
        }
        let (items, asked) = batch(&plan_id, items)?;
        note_sending(cx, &items).await?;
        let message = ApplyBatchRequest {
            fleet: format!("fleets/{}", cx.fleet_id),
            primary_hub: state.primary.clone(),
            secondary_hub: state.secondary.clone(),
            items: asked,
            context: Some(context(state, cx)),
        };
        let answer = self.app.remote.apply(message).await;
        let answer = answer.map_err(|status| refusal(&status, "apply"))?;
        let mut tx = guarded(cx).await?;
        let tally = note(&mut tx, cx, &items, &answer.results).await?;
        commit(tx).await?;
        match tally {
            Tally { known: 0, .. } => {
                let why = answer
                    .results
                    .into_iter()
                    .map(|result| result.detail)
                    .next();
                Err(StepError::Unknown(anyhow::anyhow!(why.unwrap_or_default())))
            }
            Tally { unknown: 0, .. } => Ok(Progress::Wait(Duration::ZERO)),
            Tally { .. } => Ok(Progress::Wait(PAUSE)),
        }
    }

    async fn next_items(&self, cx: &StepCx) -> Result<(String, Vec<Item>), StepError> {
        let mut connection = self.app.pool.acquire().await.map_err(StoreError::from)?;
        let row = merge::get(&mut connection, &cx.fleet_id, cx.workflow_id).await?;
        let plan_id = row.and_then(|row| row.approved_plan_id);
        let plan_id = plan_id.context("nobody approved the plan")?;
        let items = item::next_open(&mut connection, cx.workflow_id, BATCH).await?;
        Ok((plan_id, items))
    }

    /// Nothing is left to try: on to the next step, or back to what moved meanwhile.
    async fn all_tried(&self, state: &mut State, cx: &StepCx) -> Result<Progress, StepError> {
        let mut connection = self.app.pool.acquire().await.map_err(StoreError::from)?;
        let id = cx.workflow_id;
        let (rejected, first) = item::in_state(&mut connection, id, "rejected", NAMED).await?;
        if rejected > 0 {
            let text = format!("{rejected} devices were refused: {}", named(&first));
            return Err(StepError::rejected("ITEM_REJECTED", text));
        }
        let (stale, first) = item::in_state(&mut connection, id, "stale", NAMED).await?;
        if stale == 0 {
            state.goes_back = false;
            return Ok(Progress::Done);
        }
        if state.round >= ROUNDS {
            let text = format!("{stale} devices keep changing: {}", named(&first));
            return Err(StepError::rejected("KEEPS_CHANGING", text));
        }
        state.round += 1;
        state.goes_back = true;
        Ok(Progress::DoneWith(format!(
            "{stale} devices changed meanwhile and are planned again"
        )))
    }
}

fn named(devices: &[(String, String)]) -> String {
    let one = |(device, detail): &(String, String)| match detail.is_empty() {
        true => device.clone(),
        false => format!("{device} ({detail})"),
    };
    devices.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// As many of the items as fit into one call.
fn batch(plan_id: &str, items: Vec<Item>) -> Result<(Vec<Item>, Vec<ApplyItem>), StepError> {
    let mut taken = Vec::with_capacity(items.len());
    let mut asked = Vec::with_capacity(items.len());
    let mut bytes = 0;
    for item in items {
        let one = ask(plan_id, &item)?;
        bytes += one.encoded_len();
        if bytes > BATCH_BYTES && !taken.is_empty() {
            break;
        }
        asked.push(one);
        taken.push(item);
    }
    Ok((taken, asked))
}

fn ask(plan_id: &str, item: &Item) -> Result<ApplyItem, StepError> {
    let sealed = item.credentials.attach(&item.merged).map_err(|error| {
        StepError::rejected(
            "CREDENTIAL_UNKNOWN",
            format!("device {}: {error}", item.device),
        )
    })?;
    Ok(ApplyItem {
        device: item.device.to_string(),
        merged: Some(side_state(&sealed)),
        primary_before: item.primary_before.clone().into(),
        secondary_before: item.secondary_before.clone().into(),
        item_id: op_id(plan_id, item).to_string(),
    })
}

/// The same for every try of an item, and another one when it was planned again.
fn op_id(plan_id: &str, item: &Item) -> uuid::Uuid {
    let round = format!("{plan_id}/{}", item.round);
    let plan = PlanId(Sha256::digest(round).into());
    item_op_id(&plan, &item.device, Choice::Primary)
}

async fn note_sending(cx: &StepCx, items: &[Item]) -> Result<(), StepError> {
    let devices: Vec<String> = items.iter().map(|item| item.device.to_string()).collect();
    let mut tx = guarded(cx).await?;
    item::sending(&mut tx, cx.workflow_id, &devices).await?;
    commit(tx).await?;
    Ok(())
}

async fn note(
    tx: &mut Tx,
    cx: &StepCx,
    items: &[Item],
    results: &[ApplyResult],
) -> Result<Tally, StepError> {
    let mut tally = Tally::default();
    for (item, result) in items.iter().zip(results) {
        let (id, device) = (cx.workflow_id, item.device.as_str());
        if result.device != device {
            let text = format!("asked for {device}, answered {}", result.device);
            return Err(StepError::Unknown(anyhow::anyhow!(text)));
        }
        tally.known += 1;
        match result.outcome() {
            Outcome::Applied | Outcome::Already => {
                let print = Some(result.print.as_ref());
                item::applied(tx, id, device, &item.merged, print).await?;
                let is_held = item.merged.is_held();
                conflict::applied(tx, &cx.fleet_id, id, device, is_held).await?;
            }
            Outcome::Stale => {
                item::not_applied(tx, id, device, "stale", &result.detail).await?;
            }
            Outcome::Rejected => {
                item::not_applied(tx, id, device, "rejected", &result.detail).await?;
            }
            Outcome::Unknown | Outcome::Unspecified => {
                tally.known -= 1;
                tally.unknown += 1;
            }
        }
    }
    Ok(tally)
}
