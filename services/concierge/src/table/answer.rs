//! What a device is told: from memory alone, the same work in peace and in a failover (I15, I16).

use std::sync::Arc;
use std::time::Duration;

use hubshift_api::fault;
use hubshift_api::validate::Checks;
use hubshift_domain::id::{DeviceId, FleetId, HubId, IdError};
use time::OffsetDateTime;
use tonic::{Code, Status};

use super::{FleetEntry, Snapshot, Table};
use crate::adoption::Adoption;

/// No longer hint is kept, characters.
const MAX_HINT: usize = 256;

/// A device's question, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Question {
    /// Its fleet.
    pub(crate) fleet: FleetId,
    /// Who asks; without it the answer is the same for all.
    pub(crate) device: Option<DeviceId>,
    /// The highest epoch that it accepted. Only logged, never believed.
    pub(crate) known_epoch: u64,
    /// Where it says it is attached. Only counted.
    pub(crate) attached_hub: Option<HubId>,
    /// Why it could not connect: a hint to people.
    pub(crate) last_connect_error: String,
}

/// A device's question as it came; an empty text was not given.
#[derive(Debug)]
pub(crate) struct Asked<'a> {
    /// Its fleet.
    pub(crate) fleet: Result<FleetId, IdError>,
    /// Who asks.
    pub(crate) device: &'a str,
    /// The epoch, or what is wrong with it.
    pub(crate) known_epoch: Result<u64, String>,
    /// The hub that it names.
    pub(crate) attached_hub: &'a str,
    /// Its hint.
    pub(crate) last_connect_error: &'a str,
    /// What this front door calls epoch and hub.
    pub(crate) names: (&'static str, &'static str),
}

impl Question {
    /// Checks all parts at once. The hint is cut rather than refused: a device in trouble must get
    /// its answer.
    pub(crate) fn new(asked: Asked<'_>) -> Result<Self, Status> {
        let (epoch_name, hub_name) = asked.names;
        let mut checks = Checks::new();
        let fleet = checks.take("fleet", asked.fleet);
        let device = given(asked.device).and_then(|text| checks.device("device", text));
        let attached_hub = given(asked.attached_hub).and_then(|slug| checks.hub(hub_name, slug));
        let known_epoch = asked
            .known_epoch
            .map_err(|problem| checks.violation(epoch_name, problem))
            .unwrap_or_default();
        let fleet = checks.require(fleet)?;
        let last_connect_error = asked.last_connect_error.chars().take(MAX_HINT).collect();
        Ok(Self {
            fleet,
            device,
            known_epoch,
            attached_hub,
            last_connect_error,
        })
    }
}

/// Checks the name of a fleet alone.
pub(crate) fn fleet(name: Result<FleetId, IdError>) -> Result<FleetId, Status> {
    let mut checks = Checks::new();
    let fleet = checks.take("fleet", name);
    checks.require(fleet)
}

fn given(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

/// The answer, before it is put into words.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// The fleet, with its signed route.
    pub(crate) entry: Arc<FleetEntry>,
    /// This device's slot.
    pub(crate) connect_after: Option<Duration>,
    /// When the database was last heard of.
    pub(crate) as_of: OffsetDateTime,
    /// Whether that is too long ago.
    pub(crate) stale: bool,
}

impl Answer {
    /// The slot, milliseconds, as the wire has it.
    pub(crate) fn connect_after_ms(&self) -> Option<u32> {
        self.connect_after.map(millis)
    }

    /// When to ask again, milliseconds, as the wire has it.
    pub(crate) fn poll_after_ms(&self) -> u32 {
        millis(self.entry.poll_after)
    }
}

fn millis(span: Duration) -> u32 {
    u32::try_from(span.as_millis()).unwrap_or(u32::MAX)
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AnswerError {
    /// The table is whole and this fleet isn't in it.
    #[error("there is no fleet `{0}`")]
    FleetNotFound(FleetId),
    /// No database was ever heard of: this fleet may well be in it.
    #[error(
        "this concierge has not heard from its database yet, and knows no such fleet; ask another \
         one, or again"
    )]
    NotLoaded,
}

impl AnswerError {
    /// Why a fleet is not in the table.
    pub(crate) fn missing(snapshot: &Snapshot, fleet: &FleetId) -> Self {
        if snapshot.is_whole() {
            Self::FleetNotFound(fleet.clone())
        } else {
            Self::NotLoaded
        }
    }
}

impl From<AnswerError> for Status {
    fn from(error: AnswerError) -> Self {
        let text = error.to_string();
        match error {
            AnswerError::FleetNotFound(_) => fault::status(Code::NotFound, "FLEET_NOT_FOUND", text),
            AnswerError::NotLoaded => {
                fault::retry(Code::Unavailable, "NOT_READY", text, Duration::from_secs(1))
            }
        }
    }
}

/// Answers a question and counts the device.
pub(crate) fn answer(
    table: &Table,
    adoption: &Adoption,
    question: &Question,
) -> Result<Answer, AnswerError> {
    let snapshot = table.load();
    let Some(entry) = snapshot.fleets.get(&question.fleet).cloned() else {
        // Other concierges name no device: without tables they would keep each other asking.
        if !snapshot.is_whole() && question.device.is_some() {
            table.miss(&question.fleet);
        }
        return Err(AnswerError::missing(&snapshot, &question.fleet));
    };
    let device = question.device.as_ref();
    if let Some(device) = device {
        let attached = question.attached_hub.as_ref();
        let hub = attached.and_then(|hub| entry.hub_index(hub.as_str()));
        adoption.note(&question.fleet, device.as_str(), hub);
        hint(question, device);
    }
    Ok(Answer {
        connect_after: device.map(|device| entry.claims.slot(device.as_str())),
        as_of: snapshot.as_of,
        stale: snapshot.is_stale(table.stale_after()),
        entry,
    })
}

fn hint(question: &Question, device: &DeviceId) {
    if !question.last_connect_error.is_empty() {
        tracing::debug!(
            fleet = %question.fleet, %device, known_epoch = question.known_epoch,
            hint = question.last_connect_error, "a device could not connect"
        );
    }
}
