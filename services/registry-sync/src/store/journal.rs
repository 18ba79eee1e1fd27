//! `registry.journal`: writes through the authority, in order.
//!
//! ```text
//! (no row) ─▶ intent ─┬─▶ done
//!                     ├─▶ rejected ──(only if it never landed)──▶ intent
//!                     └─▶ unknown ─┬─▶ done
//!                                  ├─▶ rejected
//!                                  └─▶ intent   (repeated by its caller)
//! ```
//!
//! A row exists before the first call to a hub, and a request has one row for ever: repeating it
//! starts the same row again, with its old sequence. An attempt is named by its deadline, so that
//! the outcome of an older attempt never overwrites a newer one.

pub(crate) mod burial;
pub(crate) mod list;
pub(crate) mod open;

use std::time::Duration;

use hubshift_domain::epoch::Epoch;
use hubshift_domain::id::{FleetId, HubId};
use hubshift_domain::identity::{Fingerprint, Incarnation, Record};
use hubshift_store::StoreError;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

/// Why a row is `rejected` although no hub refused it: the call certainly never landed. The same
/// request may be started again.
pub(crate) const NEVER_LANDED: &str = "NEVER_LANDED";

/// What a request does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    /// Makes a device.
    Create,
    /// Changes one.
    Update,
    /// Removes one.
    Delete,
}

impl Operation {
    /// The stored name.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }

    /// From the stored name; the table knows no other.
    pub(crate) fn parse(text: &str) -> Self {
        match text {
            "create" => Self::Create,
            "update" => Self::Update,
            _ => Self::Delete,
        }
    }
}

/// Where a row stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Recorded; a call may be under way.
    Intent,
    /// It happened; the answer is stored.
    Done,
    /// It certainly did not happen, and `reason` says why.
    Rejected,
    /// Nobody knows yet.
    Unknown,
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            Self::Intent => "intent",
            Self::Done => "done",
            Self::Rejected => "rejected",
            Self::Unknown => "unknown",
        }
    }

    fn parse(text: &str) -> Self {
        match text {
            "intent" => Self::Intent,
            "done" => Self::Done,
            "rejected" => Self::Rejected,
            _ => Self::Unknown,
        }
    }
}

/// What the device shall be; the credential is sealed.
#[derive(Clone)]
pub(crate) struct Image {
    /// The record.
    pub(crate) record: Record,
    /// The sealed credential.
    pub(crate) sealed: Vec<u8>,
    /// Of the record as the hub will show it.
    pub(crate) fingerprint: Fingerprint,
}

/// A row.
#[derive(Clone)]
pub(crate) struct Entry {
    /// Its number; keeps its value for ever.
    pub(crate) sequence: i64,
    /// The epoch of its newest attempt.
    pub(crate) epoch: Epoch,
    /// The hub of its newest attempt.
    pub(crate) hub_id: String,
    /// What it does.
    pub(crate) operation: Operation,
    /// To which device.
    pub(crate) device_id: String,
    /// Which life of the device.
    pub(crate) incarnation: Incarnation,
    /// Who asked.
    pub(crate) caller: String,
    /// The caller's id for it.
    pub(crate) request_id: Uuid,
    /// Hash of the request.
    pub(crate) body_sha256: Vec<u8>,
    /// What the device shall be; absent for a deletion.
    pub(crate) image: Option<Image>,
    /// Where it stands.
    pub(crate) state: State,
    /// Why it was rejected.
    pub(crate) reason: String,
    /// For a person.
    pub(crate) detail: String,
    /// The stored answer.
    pub(crate) response: Option<Vec<u8>>,
    /// After this time no call of the newest attempt can land any more.
    pub(crate) deadline: OffsetDateTime,
    /// Whether that time has passed, by the database's clock.
    pub(crate) is_overdue: bool,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry")
            .field("sequence", &self.sequence)
            .field("device", &self.device_id)
            .field("operation", &self.operation)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

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
    /// It certainly did not: reason and words.
    Rejected(&'a str, &'a str),
    /// Not known: words.
    Unknown(&'a str),
}

/// Rows as SQL gives them.
pub(crate) struct Raw {
    sequence: i64,
    epoch: i64,
    hub_id: String,
    operation: String,
    device_id: String,
    incarnation: Option<i32>,
    caller: String,
    request_id: Uuid,
    body_sha256: Vec<u8>,
    record: Option<serde_json::Value>,
    sealed_credential: Option<Vec<u8>>,
    fingerprint: Option<Vec<u8>>,
    state: String,
    reason: String,
    detail: String,
    response: Option<Vec<u8>>,
    deadline: OffsetDateTime,
    is_overdue: bool,
}

impl TryFrom<Raw> for Entry {
    type Error = StoreError;

    fn try_from(raw: Raw) -> Result<Self, StoreError> {
        let image = match (raw.record, raw.sealed_credential, raw.fingerprint) {
            (Some(record), Some(sealed), Some(print)) => Some(Image {
                record: serde_json::from_value(record).map_err(unreadable)?,
                sealed,
                fingerprint: Fingerprint::from_slice(&print).unwrap_or_default(),
            }),
            _ => None,
        };
        Ok(Self {
            sequence: raw.sequence,
            epoch: Epoch::from_i64(raw.epoch),
            hub_id: raw.hub_id,
            operation: Operation::parse(&raw.operation),
            device_id: raw.device_id,
            incarnation: raw
                .incarnation
                .and_then(|i| u32::try_from(i).ok())
                .unwrap_or(1),
            caller: raw.caller,
            request_id: raw.request_id,
            body_sha256: raw.body_sha256,
            image,
            state: State::parse(&raw.state),
            reason: raw.reason,
            detail: raw.detail,
            response: raw.response,
            deadline: raw.deadline,
            is_overdue: raw.is_overdue,
        })
    }
}

impl Entry {
    /// Its newest attempt.
    pub(crate) fn attempt_id(&self) -> AttemptId {
        AttemptId {
            sequence: self.sequence,
            deadline: self.deadline,
        }
    }
}

fn unreadable(error: serde_json::Error) -> StoreError {
    StoreError::Bug(sqlx::Error::Decode(error.into()))
}

fn image_json(image: Option<&Image>) -> Result<Option<serde_json::Value>, StoreError> {
    let json = image
        .map(|image| serde_json::to_value(&image.record))
        .transpose();
    json.map_err(|error| StoreError::Bug(sqlx::Error::Encode(error.into())))
}

/// The row of a request.
pub(crate) async fn find(
    connection: &mut PgConnection,
    fleet: &FleetId,
    caller: &str,
    request_id: Uuid,
) -> Result<Option<Entry>, StoreError> {
    let raw = sqlx::query_as!(
        Raw,
        r#"select sequence, epoch, hub_id, operation, device_id, incarnation, caller, request_id,
                  body_sha256, record, sealed_credential, fingerprint, state, reason, detail,
                  response, deadline, deadline < clock_timestamp() as "is_overdue!"
             from registry.journal where fleet_id = $1 and caller = $2 and request_id = $3"#,
        fleet.as_str(),
        caller,
        request_id
    )
    .fetch_optional(connection)
    .await?;
    raw.map(Entry::try_from).transpose()
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
/// still `before` and did not come to anything. `None` when somebody else was faster.
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
            and (state in ('intent', 'unknown') or (state = 'rejected' and reason = $13))
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

/// Writes how an attempt ended; `false` when the row is no longer at that attempt, or over.
pub(crate) async fn finish(
    connection: &mut PgConnection,
    fleet: &FleetId,
    attempt: AttemptId,
    ended: &Ended<'_>,
) -> Result<bool, StoreError> {
    let (state, reason, detail, response) = match *ended {
        Ended::Done(response) => (State::Done, "", "", Some(response)),
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
