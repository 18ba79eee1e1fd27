//! Extras, a batch at a time. What became of each is noted before anything else is done about the
//! ones that went wrong, so that nothing is done twice.

use std::collections::HashMap;

use futures::StreamExt as _;
use hubshift_domain::adoption::{ExtraAction, ExtraOutcome};
use hubshift_domain::hub_state::{Purpose, RegistryMode};
use hubshift_domain::id::HubId;
use hubshift_flow::{StepCx, StepError};
use hubshift_store::{StoreError, commit};

use super::Order;
use super::hands::{Came, Hands, Tried, Trouble};
use crate::authority;
use crate::budget::Lane;
use crate::deps::Deps;
use crate::intent::IntentError;
use crate::pass::judge;
use crate::scan::CONCURRENCY;
use crate::store::adoption::work::{self, Concluded, OpenExtra};
use crate::workflows::report::Report;
use crate::workflows::scan::gone;
use crate::workflows::trouble::{Brake, Turn, reread_failed};
use crate::write::{DEVICE_DISABLED, PARENT_MISSING, WriteCx, WriteOutcome};

/// Extras in a batch.
const BATCH: i64 = 100;

/// Does the next ones of an order; over when every extra has an outcome.
pub(crate) async fn batch(
    deps: &Deps,
    order: &Order,
    cx: &StepCx,
    report: &mut Report,
) -> Result<Turn, StepError> {
    let extras = work::open(&deps.pool, order.adoption, BATCH).await?;
    if extras.is_empty() {
        return Ok(Turn::Over);
    }
    let hands = hands(deps, order, &extras).await?;
    let tries: Vec<_> = extras.iter().map(|extra| hands.try_one(extra)).collect();
    let tried: Vec<Tried> = futures::stream::iter(tries)
        .buffer_unordered(CONCURRENCY)
        .collect()
        .await;
    let concluded: Vec<Concluded> = tried.iter().filter_map(conclusion).collect();
    note(deps, order, cx, &concluded).await?;
    report.calls += tried.iter().map(|one| one.calls).sum::<u64>();
    report.scanned += concluded.len() as u64;
    report.written += concluded.iter().filter(|one| is_written(one)).count() as u64;
    verdict(tried, cx.attempt)
}

async fn hands(deps: &Deps, order: &Order, extras: &[OpenExtra]) -> Result<Hands, StepError> {
    let (standby, active_id) = admitted(deps, order).await?;
    let devices: Vec<String> = extras.iter().map(|it| it.planned.key.clone()).collect();
    let (pool, id) = (&deps.pool, order.adoption);
    let mut members: HashMap<String, Vec<_>> = HashMap::new();
    for (device, module) in work::members(pool, id, &devices).await? {
        members.entry(device).or_default().push(module);
    }
    let grown = work::grown(pool, id, &order.fleet, &order.hub, &devices).await?;
    Ok(Hands {
        standby,
        active: deps.hubs.get(&order.fleet, &active_id, Lane::Task).await?,
        active_id,
        members,
        grown: grown.into_iter().collect(),
        brake: Brake::default(),
    })
}

/// What the standby is written with, under the epoch of the plan, and the active hub. A move that is
/// under way counts on what the standby holds: it is not written then.
async fn admitted(deps: &Deps, order: &Order) -> Result<(WriteCx, HubId), StepError> {
    let view = authority::fleet(&deps.pool, &order.fleet).await?;
    let view = view.ok_or_else(|| gone(&order.fleet))?;
    if view.epoch != order.epoch {
        return Err(IntentError::EpochMoved.into());
    }
    let mode = view.effective_mode();
    if mode != RegistryMode::Open {
        let text = format!("the registry is {mode}; apply the plan again when it is open");
        return Err(IntentError::RegistryClosed(text).into());
    }
    let standby = deps.writer(&view, &order.hub, Purpose::Replicate).await?;
    Ok((standby, view.active_hub))
}

async fn note(
    deps: &Deps,
    order: &Order,
    cx: &StepCx,
    concluded: &[Concluded],
) -> Result<(), StepError> {
    if concluded.is_empty() {
        return Ok(());
    }
    let mut tx = deps.pool.begin().await.map_err(StoreError::from)?;
    cx.guard(&mut tx).await?;
    work::conclude(&mut tx, order.adoption, concluded).await?;
    commit(tx).await?;
    Ok(())
}

fn is_written(one: &Concluded) -> bool {
    matches!(
        one.outcome,
        ExtraOutcome::Quarantined | ExtraOutcome::Deleted
    )
}

/// What became of an extra; nothing when it is to be tried again.
fn conclusion(tried: &Tried) -> Option<Concluded> {
    let (outcome, detail) = match &tried.came {
        Ok(Came::Known(outcome, detail)) => (*outcome, detail.clone()),
        Ok(Came::Wrote(written)) => wrote(tried.action, written)?,
        Ok(Came::Left) | Err(_) => return None,
    };
    Some(Concluded {
        device: tried.device.clone(),
        outcome,
        detail,
    })
}

fn wrote(action: ExtraAction, written: &WriteOutcome) -> Option<(ExtraOutcome, String)> {
    match written {
        WriteOutcome::Applied(_) | WriteOutcome::Already(_) => {
            let outcome = match action {
                ExtraAction::Keep => ExtraOutcome::Kept,
                ExtraAction::Quarantine => ExtraOutcome::Quarantined,
                ExtraAction::Delete => ExtraOutcome::Deleted,
            };
            Some((outcome, String::new()))
        }
        WriteOutcome::Stale | WriteOutcome::Gone => {
            Some((ExtraOutcome::Stale, "it changed meanwhile".to_owned()))
        }
        WriteOutcome::Rejected {
            reason: "HUB_REFUSED" | "SECRET_UNREADABLE" | PARENT_MISSING | DEVICE_DISABLED,
            message,
        } => Some((ExtraOutcome::Rejected, message.clone())),
        WriteOutcome::Rejected { .. } | WriteOutcome::Unknown(_) => None,
    }
}

/// What a batch says of the hubs themselves: go on, a pause, or an error of the step.
fn verdict(tried: Vec<Tried>, attempt: u32) -> Result<Turn, StepError> {
    let (mut written, mut unread) = (Vec::new(), None);
    for one in tried {
        match one.came {
            Ok(Came::Wrote(outcome)) => written.push(outcome),
            Ok(Came::Known(..) | Came::Left) => {}
            Err(Trouble::Failed(error)) => return Err(error),
            Err(Trouble::Unread(error)) => unread = Some(error),
        }
    }
    if let Some(error) = unread {
        return reread_failed(error, attempt);
    }
    let written: Vec<&WriteOutcome> = written.iter().map(AsRef::as_ref).collect();
    judge(&written, attempt)
}

#[cfg(test)]
mod tests;
