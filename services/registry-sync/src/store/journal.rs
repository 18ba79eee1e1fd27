//! `registry.journal`: writes through the authority, in order.
//!
//! ```text
//! (no row) ─▶ intent ─┬─▶ done ──(only if it has no answer)──▶ intent
//!                     ├─▶ rejected ──(only if it never landed)──▶ intent
//!                     └─▶ unknown ─┬─▶ done
//!                                  ├─▶ rejected
//!                                  └─▶ intent   (repeated by its caller)
//! ```
//!
//! What turns out to have happened at a hub that reigns no longer is done and has no answer: its
//! caller repeats it, and it then happens at the hub that reigns.
//!
//! A row exists before the first call to a hub, and a request has one row for ever: repeating it
//! starts the same row again, with its old sequence. An attempt is named by its deadline, so that
//! the outcome of an older attempt never overwrites a newer one.

mod attempt;
pub(crate) mod burial;
pub(crate) mod list;
pub(crate) mod open;

use hubshift_domain::epoch::Epoch;
use hubshift_domain::id::FleetId;
use hubshift_domain::identity::{Fingerprint, Incarnation, Record};
use hubshift_store::StoreError;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

pub(crate) use attempt::{Attempt, AttemptId, Ended, finish, insert, show, start_again};

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

/// What the device shall be, and once it happened, what the hub showed; the credential is sealed.
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
