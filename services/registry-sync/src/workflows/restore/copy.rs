//! Copying a batch of records to the target, each under the condition that it is as it was read.

use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _};
use hubshift_domain::id::device_of_module;
use hubshift_domain::identity::Fingerprint;
use hubshift_flow::StepError;

use super::not_standby;
use crate::intent::IntentError;
use crate::pass::is_throttled;
use crate::scan::CONCURRENCY;
use crate::workflows::trouble::{Brake, THROTTLED, Turn, is_unreadable, reread_failed};
use crate::write::{
    DEVICE_DISABLED, PARENT_MISSING, RereadError, Wanted, WriteCx, WriteOp, WriteOutcome, reread,
    write,
};

/// What became of one device.
pub(super) enum Copied {
    /// The target holds it.
    Held(Fingerprint),
    /// It stays deleted, or a later life of it is there; or the hub does not let it be read.
    Left,
    /// Its parent is not at the target yet.
    Orphan,
    /// Ask again after a pause.
    Pause(Duration),
}

/// Copies records side by side, modules after devices, and says what came of each in their order.
pub(super) async fn copy_all(
    cx: &WriteCx,
    wanted: Vec<Option<Wanted>>,
    attempt: u32,
) -> Result<Vec<Copied>, StepError> {
    let brake = Brake::default();
    let (modules, others): (Vec<_>, Vec<_>) = wanted
        .into_iter()
        .enumerate()
        .partition(|(_, wanted)| wanted.as_ref().is_some_and(is_module));
    let mut copied = Vec::new();
    for wave in [others, modules] {
        let copies: Vec<_> = wave
            .into_iter()
            .map(|(place, wanted)| copy_at(place, cx, wanted, attempt, &brake))
            .collect();
        let done: Vec<(usize, Copied)> = futures::stream::iter(copies)
            .buffered(CONCURRENCY)
            .try_collect()
            .await?;
        copied.extend(done);
    }
    copied.sort_by_key(|(place, _)| *place);
    Ok(copied.into_iter().map(|(_, copied)| copied).collect())
}

fn is_module(wanted: &Wanted) -> bool {
    device_of_module(&wanted.device_id).is_some()
}

async fn copy_at(
    place: usize,
    cx: &WriteCx,
    wanted: Option<Wanted>,
    attempt: u32,
    brake: &Brake,
) -> Result<(usize, Copied), StepError> {
    Ok((place, copy_one(cx, wanted, attempt, brake).await?))
}

/// Creates or updates one device at the target, under the condition that it is as it was read.
async fn copy_one(
    cx: &WriteCx,
    wanted: Option<Wanted>,
    attempt: u32,
    brake: &Brake,
) -> Result<Copied, StepError> {
    let Some(wanted) = wanted else {
        return Ok(Copied::Left);
    };
    if brake.is_pulled() {
        return Ok(Copied::Pause(THROTTLED));
    }
    let device = &wanted.device_id;
    let seen = match reread(&cx.pool, &cx.keys, &*cx.hub, &cx.fleet, &cx.hub_id, device).await {
        Ok(seen) => seen,
        Err(RereadError::Hub(error)) if is_unreadable(device, &error) => {
            tracing::warn!(device, %error, "not restored");
            return Ok(Copied::Left);
        }
        Err(error) => {
            brake.pull();
            return pause(error, attempt);
        }
    };
    let op = match &seen {
        None => WriteOp::Create(&wanted),
        Some(seen) if seen.incarnation > wanted.incarnation => return Ok(Copied::Left),
        Some(seen) => WriteOp::Update { to: &wanted, seen },
    };
    let again = |what: String| StepError::Unknown(anyhow::anyhow!("device {device}: {what}"));
    match write(cx, op).await {
        Ok(WriteOutcome::Applied(Some(seen)) | WriteOutcome::Already(Some(seen))) => {
            Ok(Copied::Held(seen.fingerprint))
        }
        Ok(outcome) if is_throttled(&outcome) => {
            brake.pull();
            Ok(Copied::Pause(THROTTLED))
        }
        Ok(WriteOutcome::Rejected {
            reason: PARENT_MISSING,
            ..
        }) => Ok(Copied::Orphan),
        Ok(WriteOutcome::Rejected {
            reason: DEVICE_DISABLED,
            ..
        }) => Ok(Copied::Left),
        Ok(WriteOutcome::Rejected {
            reason: reason @ "HUB_REFUSED",
            message,
        }) => Err(StepError::rejected(
            reason,
            format!("device {device}: {message}"),
        )),
        Ok(WriteOutcome::Rejected { message, .. } | WriteOutcome::Unknown(message)) => {
            Err(again(message))
        }
        Ok(_) => Err(again("it changed meanwhile".to_owned())),
        Err(IntentError::HubState(text)) => Err(not_standby(&text)),
        Err(error) => Err(error.into()),
    }
}

fn pause(error: RereadError, attempt: u32) -> Result<Copied, StepError> {
    match reread_failed(error, attempt)? {
        Turn::Pause(after) => Ok(Copied::Pause(after)),
        Turn::Over | Turn::More => Ok(Copied::Pause(Duration::ZERO)),
    }
}
