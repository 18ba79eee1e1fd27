//! Intents: every hub write is recorded before it is made, and gets an outcome (I2).
//!
//! Durable: `registry.intent`. Kept true: an intent commits only if `authority.assert_intent`
//! allows it in the same transaction; its call ends before its deadline; what a crash or a broken
//! call left open is decided by a new read, and only after that deadline.

use std::time::Duration;

use hubshift_domain::id::{FleetId, HubId};
use hubshift_flow::StepError;
use hubshift_store::StoreError;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::authority::{EPOCH_FORGOTTEN, FORGOTTEN};
use crate::budget::Lane;
use crate::deps::Deps;
use crate::hubs::HubsError;
use crate::seal::KeyError;
use crate::store;
use crate::store::intent::{NewIntent, OpenIntent};
use crate::workflows::trouble::is_unreadable;
use crate::write::{RereadError, WriteCx, reread};

/// How many open intents are looked at in one go.
const BATCH: i64 = 200;

/// Why an intent was not recorded: nothing was sent to the hub.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IntentError {
    /// The fleet's epoch is not the caller's any more.
    #[error("the fleet's epoch moved; nothing was sent")]
    EpochMoved,
    /// A higher epoch was served than the database knows.
    #[error("{}", FORGOTTEN)]
    EpochForgotten,
    /// The fleet's registry does not take such writes now.
    #[error("{0}")]
    RegistryClosed(String),
    /// The hub is not in a state for such writes.
    #[error("{0}")]
    HubState(String),
    /// There is no such fleet or hub.
    #[error("the fleet or the hub does not exist")]
    NoSuchHub,
    /// The database failed.
    #[error(transparent)]
    Store(StoreError),
}

impl From<StoreError> for IntentError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Raised { code, message } => match code.as_str() {
                "HS001" => Self::EpochMoved,
                "HS002" => Self::RegistryClosed(message),
                "HS003" => Self::HubState(message),
                "HS004" => Self::NoSuchHub,
                "HS005" => Self::EpochForgotten,
                _ => Self::Store(StoreError::Raised { code, message }),
            },
            other => Self::Store(other),
        }
    }
}

impl From<IntentError> for StepError {
    fn from(error: IntentError) -> Self {
        let text = error.to_string();
        match error {
            IntentError::EpochMoved => Self::rejected("EPOCH_MOVED", text),
            IntentError::EpochForgotten => Self::rejected(EPOCH_FORGOTTEN, text),
            IntentError::RegistryClosed(_) => Self::rejected("REGISTRY_CLOSED", text),
            IntentError::HubState(_) => Self::rejected("HUB_STATE", text),
            IntentError::NoSuchHub => Self::rejected("HUB_NOT_FOUND", text),
            IntentError::Store(store) => store.into(),
        }
    }
}

/// A recorded intent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Intent {
    pub(crate) intent_id: Uuid,
    /// By the database's clock.
    pub(crate) start_time: OffsetDateTime,
}

/// Records an intent in the caller's transaction, if the authority allows it. Nothing may be sent
/// before that transaction is committed.
pub(crate) async fn record(
    connection: &mut PgConnection,
    cx: &WriteCx,
    operation: &str,
    device: &str,
) -> Result<Intent, IntentError> {
    let (fleet, hub, epoch) = (cx.fleet.as_str(), cx.hub_id.as_str(), cx.epoch.as_i64());
    let purpose = cx.purpose.as_str();
    let new = NewIntent {
        intent_id: Uuid::now_v7(),
        fleet,
        epoch,
        hub,
        purpose,
        operation,
        device,
        deadline_seconds: cx.call_deadline.as_secs_f64(),
    };
    store::authority::assert_intent(connection, fleet, epoch, hub, purpose).await?;
    let start_time = store::intent::insert(&mut *connection, &new).await?;
    Ok(Intent {
        intent_id: new.intent_id,
        start_time,
    })
}

/// What a look at a hub's open intents came to.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Settled {
    /// How many got an outcome.
    pub(crate) count: u64,
    /// How long until the last of the others is past its deadline; nothing when none is left.
    pub(crate) wait: Option<Duration>,
}

/// Why open intents could not be settled.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettleError {
    /// The hub can't be talked to.
    #[error(transparent)]
    Hubs(#[from] HubsError),
    /// The fleet's keys can't be had.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A device could not be read again.
    #[error(transparent)]
    Reread(#[from] RereadError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Gives an outcome to every intent of a hub that began before `before` and is past its deadline,
/// by reading the device again.
pub(crate) async fn settle(
    deps: &Deps,
    fleet: &FleetId,
    hub_id: &HubId,
    before: Option<OffsetDateTime>,
) -> Result<Settled, SettleError> {
    let (pool, hub) = (&deps.pool, hub_id.as_str());
    let open = store::intent::open(pool, fleet.as_str(), hub, before, BATCH).await?;
    let is_full = i64::try_from(open.len()).unwrap_or(BATCH) == BATCH;
    let (due, early): (Vec<_>, Vec<_>) = open
        .into_iter()
        .partition(|intent| intent.seconds_left <= 0.0);
    let mut settled = Settled::default();
    if !due.is_empty() {
        let keys = deps.keys(fleet).await?;
        let hub = deps.hubs.get(fleet, hub_id, Lane::Task).await?;
        for intent in due {
            let device = &intent.device_id;
            let read = reread(&deps.pool, &keys, &*hub, fleet, hub_id, device).await;
            let is_there = match read {
                Ok(found) => found.is_some(),
                // What the hub does not let be read is there.
                Err(RereadError::Hub(error)) if is_unreadable(device, &error) => true,
                Err(error) => return Err(error.into()),
            };
            let outcome = decide(&intent, is_there);
            store::intent::conclude(&deps.pool, intent.intent_id, outcome).await?;
            settled.count += 1;
        }
    }
    let longest = early
        .iter()
        .map(|intent| intent.seconds_left)
        .fold(0.0, f64::max);
    settled.wait = match (early.is_empty(), is_full) {
        (false, _) => Some(Duration::from_secs_f64(longest)),
        (true, true) => Some(Duration::ZERO),
        (true, false) => None,
    };
    Ok(settled)
}

/// The outcome of an intent whose call can't land any more. Of an update it is only known that
/// what is there now is what counts.
fn decide(intent: &OpenIntent, is_there: bool) -> &'static str {
    match (intent.operation.as_str(), is_there) {
        ("create", true) | ("delete", false) => "done",
        ("update", true) => "already",
        _ => "rejected",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(operation: &str) -> OpenIntent {
        OpenIntent {
            intent_id: Uuid::nil(),
            operation: operation.to_owned(),
            device_id: "d-1".to_owned(),
            seconds_left: -1.0,
        }
    }

    #[test]
    fn an_overdue_intent_is_decided_by_what_is_there() {
        assert_eq!(decide(&open("create"), true), "done");
        assert_eq!(decide(&open("create"), false), "rejected");
        assert_eq!(decide(&open("delete"), false), "done");
        assert_eq!(decide(&open("delete"), true), "rejected");
        assert_eq!(decide(&open("update"), true), "already");
        assert_eq!(decide(&open("update"), false), "rejected");
    }

    #[test]
    fn refusals_of_the_authority_keep_their_cause() {
        let raised = |code: &str| {
            let (code, message) = (code.to_owned(), "hub is quarantined".to_owned());
            IntentError::from(StoreError::Raised { code, message })
        };
        assert!(matches!(raised("HS001"), IntentError::EpochMoved));
        assert!(matches!(raised("HS002"), IntentError::RegistryClosed(_)));
        assert!(matches!(raised("HS003"), IntentError::HubState(_)));
        assert!(matches!(raised("HS004"), IntentError::NoSuchHub));
        assert!(matches!(raised("HS005"), IntentError::EpochForgotten));
    }
}
