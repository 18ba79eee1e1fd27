//! Attempts: how a row of the journal begins, begins again, and ends.

use std::time::Duration;

use hubshift_domain::epoch::Epoch;
use hubshift_domain::id::{FleetId, HubId};
use hubshift_domain::identity::Incarnation;
use hubshift_store::StoreError;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Image, NEVER_LANDED, Operation, State};

/// One attempt of a request, to be recorded before its call.
#[derive(Clone)]
pub(crate) struct Attempt<'a> {
    /// The fleet.
    pub(crate) fleet: &'a FleetId,
    /// The epoch that it is made in.
    pub(crate) epoch: Epoch,
    /// The hub that it is made at.
    pub(crate) hub: &'a HubId,
    /// What it does.
    pub(crate) operation: Operation,
    /// To which device.
    pub(crate) device: &'a str,
    /// Which life of the device.
    pub(crate) incarnation: Incarnation,
    /// Who asks.
    pub(crate) caller: &'a str,
    /// The caller's id for it.
    pub(crate) request_id: Uuid,
    /// Hash of the request.
    pub(crate) body_sha256: &'a [u8],
    /// What the device shall be; absent for a deletion.
    pub(crate) image: Option<&'a Image>,
    /// The etag that the caller names; empty for none.
    pub(crate) expected_etag: &'a str,
    /// Whether a deletion is because of a credential in wrong hands.
    pub(crate) is_revoked: bool,
    /// How long the call can take.
    pub(crate) call_deadline: Duration,
}

/// Which row, and which attempt of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AttemptId {
    /// The row's number.
    pub(crate) sequence: i64,
    /// The attempt's deadline.
    pub(crate) deadline: OffsetDateTime,
}

/// How an attempt ended.
#[derive(Debug, Clone)]
pub(crate) enum Ended<'a> {
    /// It happened, and this is the answer.
    Done(&'a [u8]),
    /// It happened at a hub that reigns no longer: that is no answer.
    Passed,
    /// It certainly did not: reason and words.
    Rejected(&'a str, &'a str),
    /// Not known: words.
    Unknown(&'a str),
}

/// Records the first attempt of a request; `None` when the request has a row already.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    attempt: &Attempt<'_>,
) -> Result<Option<AttemptId>, StoreError> {
    let image = attempt.image;
    let row = sqlx::query!(
        "insert into registry.journal (fleet_id, epoch, hub_id, operation, device_id, incarnation,
                caller, request_id, body_sha256, record, credential_kind, credential_fingerprint,
                sealed_credential, fingerprint, expected_etag, is_revoked, deadline)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16,
                 clock_timestamp() + make_interval(secs => $17))
         on conflict on constraint registry_journal_request_unique do nothing
         returning sequence, deadline",
        attempt.fleet.as_str(),
        attempt.epoch.as_i64(),
        attempt.hub.as_str(),
        attempt.operation.as_str(),
        attempt.device,
        attempt.incarnation.cast_signed(),
        attempt.caller,
        attempt.request_id,
        attempt.body_sha256,
        image_json(image)?,
        image.map(|image| image.record.credential.kind.as_str()),
        image.map(|image| image.record.credential.fingerprint.0.as_slice()),
        image.map(|image| image.sealed.as_slice()),
        image.map(|image| image.fingerprint.0.as_slice()),
        attempt.expected_etag,
        attempt.is_revoked,
        attempt.call_deadline.as_secs_f64()
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| AttemptId {
        sequence: row.sequence,
        deadline: row.deadline,
    }))
}

/// Starts a row again, with another image and perhaps at another hub, if its newest attempt is
/// still `before` and did not come to an answer. `None` when somebody else was faster.
pub(crate) async fn start_again(
    connection: &mut PgConnection,
    before: AttemptId,
    attempt: &Attempt<'_>,
) -> Result<Option<AttemptId>, StoreError> {
    let image = attempt.image;
    let row = sqlx::query!(
        "update registry.journal
            set epoch = $4, hub_id = $5, incarnation = $6, record = $7, credential_kind = $8,
                credential_fingerprint = $9, sealed_credential = $10, fingerprint = $11,
                state = 'intent', reason = '', detail = '', outcome_time = null,
                intent_time = clock_timestamp(),
                deadline = clock_timestamp() + make_interval(secs => $12)
          where fleet_id = $1 and sequence = $2 and deadline = $3
            and (state in ('intent', 'unknown') or (state = 'rejected' and reason = $13)
                 or (state = 'done' and response is null))
          returning sequence, deadline",
        attempt.fleet.as_str(),
        before.sequence,
        before.deadline,
        attempt.epoch.as_i64(),
        attempt.hub.as_str(),
        attempt.incarnation.cast_signed(),
        image_json(image)?,
        image.map(|image| image.record.credential.kind.as_str()),
        image.map(|image| image.record.credential.fingerprint.0.as_slice()),
        image.map(|image| image.sealed.as_slice()),
        image.map(|image| image.fingerprint.0.as_slice()),
        attempt.call_deadline.as_secs_f64(),
        NEVER_LANDED
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| AttemptId {
        sequence: row.sequence,
        deadline: row.deadline,
    }))
}

/// Writes what the hub showed after an attempt in place of what was planned, before it ends.
pub(crate) async fn show(
    connection: &mut PgConnection,
    fleet: &FleetId,
    attempt: AttemptId,
    incarnation: Incarnation,
    shown: &Image,
) -> Result<(), StoreError> {
    let credential = &shown.record.credential;
    sqlx::query!(
        "update registry.journal
            set incarnation = $4, record = $5, credential_kind = $6, credential_fingerprint = $7,
                sealed_credential = $8, fingerprint = $9
          where fleet_id = $1 and sequence = $2 and deadline = $3
            and state in ('intent', 'unknown')",
        fleet.as_str(),
        attempt.sequence,
        attempt.deadline,
        incarnation.cast_signed(),
        image_json(Some(shown))?,
        credential.kind.as_str(),
        credential.fingerprint.0.as_slice(),
        shown.sealed.as_slice(),
        shown.fingerprint.0.as_slice()
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Writes how an attempt ended; `false` when the row is no longer at that attempt, or over.
pub(crate) async fn finish(
    connection: &mut PgConnection,
    fleet: &FleetId,
    attempt: AttemptId,
    ended: &Ended<'_>,
) -> Result<bool, StoreError> {
    let (state, reason, detail, response) = match *ended {
        Ended::Done(response) => (State::Done, "", "", Some(response)),
        Ended::Passed => (State::Done, "", "", None),
        Ended::Rejected(reason, detail) => (State::Rejected, reason, detail, None),
        Ended::Unknown(detail) => (State::Unknown, "", detail, None),
    };
    let done = sqlx::query!(
        "update registry.journal
            set state = $4, reason = $5, detail = $6, response = $7,
                outcome_time = clock_timestamp()
          where fleet_id = $1 and sequence = $2 and deadline = $3
            and state in ('intent', 'unknown')",
        fleet.as_str(),
        attempt.sequence,
        attempt.deadline,
        state.as_str(),
        reason,
        detail,
        response
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() == 1)
}

fn image_json(image: Option<&Image>) -> Result<Option<serde_json::Value>, StoreError> {
    let json = image
        .map(|image| serde_json::to_value(&image.record))
        .transpose();
    json.map_err(|error| StoreError::Bug(sqlx::Error::Encode(error.into())))
}
