//! A write in two halves, for a caller that records something of its own in the transaction of the
//! intent.

use sqlx::PgConnection;

use super::clock::Stopwatch;
use super::{WriteCx, WriteOp, WriteOutcome, counted, prepare, send};
use crate::intent::{self, Intent, IntentError};
use crate::store;

/// An intent that was recorded, and not called yet.
#[derive(Debug)]
pub(crate) struct Recorded {
    pub(super) intent: Intent,
    /// Runs since before the intent began.
    pub(super) clock: Stopwatch,
}

/// Records the intent of a write in the caller's transaction. Nothing may be sent before that is
/// committed.
pub(crate) async fn record(
    connection: &mut PgConnection,
    cx: &WriteCx,
    op: WriteOp<'_>,
) -> Result<Recorded, IntentError> {
    let clock = Stopwatch::start();
    let intent = intent::record(connection, cx, op.operation(), op.device_id()).await?;
    Ok(Recorded { intent, clock })
}

/// Makes a write whose intent was recorded and committed.
///
/// # Errors
/// As [`super::write`].
pub(crate) async fn perform(
    cx: &WriteCx,
    op: WriteOp<'_>,
    recorded: Recorded,
) -> Result<WriteOutcome, IntentError> {
    let prepared = match prepare(cx, op).await? {
        Ok(prepared) => prepared,
        Err(outcome) => {
            let label = match &outcome {
                WriteOutcome::Already(_) => "already",
                _ => "rejected",
            };
            store::intent::conclude(&cx.pool, recorded.intent.intent_id, label).await?;
            return counted(cx, Ok(outcome));
        }
    };
    counted(cx, send(cx, op, prepared, recorded).await)
}
