//! What a device is told: from memory alone, the same work in peace and in a failover (I15, I16).
//!
//! A question stays borrowed text until something is wrong with it; an answer is bytes that lie
//! ready, and this device's slot between them.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use hubshift_api::fault;
use hubshift_api::pb::concierge::GetEndpointResponse;
use hubshift_api::times;
use hubshift_api::validate::Checks;
use hubshift_domain::id::{self, DeviceId, FleetId, HubId, IdError};
use hubshift_domain::pacing::{MAX_DIGITS, decimal};
use prost::encoding::{encode_varint, encoded_len_varint};
use tonic::{Code, Status};

use super::encoded::{Encoded, Tail, whole_millis};
use super::entry::millis;
use super::{FleetEntry, Snapshot};
use crate::adoption::Adoption;

/// No longer hint is kept, characters.
const MAX_HINT: usize = 256;
/// The key of `connect_after_ms`: field 2, a varint.
const CONNECT_AFTER_KEY: u8 = 2 << 3;
/// What stands before a message of gRPC: whether it is compressed, and its length.
const FRAME_HEAD: usize = 5;

/// Which way a device asks, and so what it calls things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    /// Fleets by their slug; `epoch`, `hub`.
    Http,
    /// `fleets/{fleet}`; `known_epoch`, `attached_hub`.
    Grpc,
}

impl Door {
    /// The fleet's slug, if the name has the right shape.
    fn slug(self, fleet: &str) -> Option<&str> {
        match self {
            Self::Http => Some(fleet),
            Self::Grpc => fleet.strip_prefix("fleets/"),
        }
    }

    fn fleet(self, fleet: &str) -> Result<FleetId, IdError> {
        match self {
            Self::Http => FleetId::new(fleet),
            Self::Grpc => id::parse_fleet(fleet),
        }
    }

    /// What it calls epoch and hub.
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Http => ("epoch", "hub"),
            Self::Grpc => ("known_epoch", "attached_hub"),
        }
    }
}

/// A device's question as it came; an empty text was not given.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    /// How it came.
    pub(crate) door: Door,
    /// Its fleet.
    pub(crate) fleet: &'a str,
    /// Who asks; without it the answer is the same for all.
    pub(crate) device: &'a str,
    /// The highest epoch that it accepted, or a text that is no number. Only logged, never
    /// believed.
    pub(crate) known_epoch: Result<u64, &'a str>,
    /// Where it says it is attached. Only counted.
    pub(crate) attached_hub: &'a str,
    /// Why it could not connect: a hint to people. Never refused: a device in trouble must get
    /// its answer.
    pub(crate) last_connect_error: &'a str,
}

impl<'a> Asked<'a> {
    fn device(&self) -> Option<&'a str> {
        given(self.device)
    }

    fn hub(&self) -> Option<&'a str> {
        given(self.attached_hub)
    }

    /// Whether everything but the fleet is as it must be. What a table has is a fleet.
    fn is_legal(&self) -> bool {
        self.device().is_none_or(DeviceId::is_legal)
            && self.hub().is_none_or(HubId::is_legal)
            && self.known_epoch.is_ok()
    }

    /// Why it gets no answer from this snapshot: all that is wrong with it, at once.
    fn refused(&self, snapshot: &Snapshot) -> Status {
        let (epoch_name, hub_name) = self.door.names();
        let mut checks = Checks::new();
        let fleet = checks.take("fleet", self.door.fleet(self.fleet));
        if let Some(device) = self.device() {
            let _checked = checks.device("device", device);
        }
        if let Some(hub) = self.hub() {
            let _checked = checks.hub(hub_name, hub);
        }
        if let Err(text) = self.known_epoch {
            checks.violation(epoch_name, format!("`{text}` is not a whole number"));
        }
        match checks.require(fleet) {
            Ok(fleet) => AnswerError::missing(snapshot, &fleet).into(),
            Err(invalid) => invalid,
        }
    }

    /// The fleet that a device asks for and that nobody here can know yet. Other concierges name no
    /// device: without tables they would keep each other asking.
    pub(crate) fn missed(&self, snapshot: &Snapshot) -> Option<FleetId> {
        if snapshot.is_whole() || self.device().is_none() || !self.is_legal() {
            return None;
        }
        let fleet = self.door.fleet(self.fleet).ok()?;
        (!snapshot.fleets.contains_key(&fleet)).then_some(fleet)
    }

    fn hint(&self, fleet: &FleetId) {
        if self.last_connect_error.is_empty() || !tracing::enabled!(tracing::Level::DEBUG) {
            return;
        }
        let hint: String = self.last_connect_error.chars().take(MAX_HINT).collect();
        tracing::debug!(
            %fleet, device = self.device, known_epoch = self.known_epoch.unwrap_or_default(),
            hint, "a device could not connect"
        );
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
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answer<'s> {
    snapshot: &'s Snapshot,
    /// The fleet, with its signed route.
    entry: &'s FleetEntry,
    /// This device's slot, milliseconds; none for an answer that is the same for all.
    connect_after_ms: Option<u32>,
    /// Whether the database was last heard of too long ago.
    stale: bool,
}

impl Answer<'_> {
    /// As a message.
    pub(crate) fn message(&self) -> GetEndpointResponse {
        GetEndpointResponse {
            route: self.entry.jws.to_string(),
            connect_after_ms: self.connect_after_ms,
            poll_after_ms: self.entry.poll_after_ms(),
            as_of: Some(times::timestamp(whole_millis(self.snapshot.as_of))),
            stale: self.stale,
        }
    }

    /// The same as one frame of gRPC.
    pub(crate) fn frame(&self) -> Bytes {
        let (encoded, tail) = self.parts();
        let slot = self.connect_after_ms.map(u64::from);
        let slot_len = slot.map_or(0, |ms| 1 + encoded_len_varint(ms));
        let len = encoded.message.len() + slot_len + tail.message.len();
        let mut frame = Vec::with_capacity(FRAME_HEAD + len);
        frame.push(0);
        frame.extend_from_slice(&(len as u32).to_be_bytes());
        frame.extend_from_slice(&encoded.message);
        if let Some(ms) = slot {
            frame.push(CONNECT_AFTER_KEY);
            encode_varint(ms, &mut frame);
        }
        frame.extend_from_slice(&tail.message);
        Bytes::from(frame)
    }

    /// The same as JSON, as docs/route.md has it.
    pub(crate) fn json(&self) -> Bytes {
        let (encoded, tail) = self.parts();
        let mut digits = [0; MAX_DIGITS];
        let (name, slot): (&[u8], &[u8]) = match self.connect_after_ms {
            Some(ms) => (
                b",\"connect_after_ms\":",
                decimal(u64::from(ms), &mut digits),
            ),
            None => (b"", b""),
        };
        let parts: [&[u8]; 5] = [
            &encoded.json_route,
            name,
            slot,
            &encoded.json_poll,
            &tail.json,
        ];
        Bytes::from(parts.concat())
    }

    /// Changes with everything that a device would act on.
    pub(crate) fn etag(&self) -> &HeaderValue {
        let encoded = self.entry.encoded();
        match self.connect_after_ms {
            Some(_) => &encoded.etag_of_one,
            None => &encoded.etag,
        }
    }

    /// What a cache may do with it.
    pub(crate) fn cache_control(&self) -> HeaderValue {
        match self.connect_after_ms {
            Some(_) => HeaderValue::from_static("private, no-cache"),
            None => self.entry.encoded().cache_control.clone(),
        }
    }

    fn parts(&self) -> (&Encoded, &Tail) {
        (self.entry.encoded(), self.snapshot.moment.tail(self.stale))
    }
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

/// Answers a question from this snapshot, stale or not, and counts the device.
pub(crate) fn answer<'s>(
    snapshot: &'s Snapshot,
    stale: bool,
    adoption: &Adoption,
    asked: &Asked<'_>,
) -> Result<Answer<'s>, Status> {
    let slug = asked.door.slug(asked.fleet);
    let entry = match slug.and_then(|slug| snapshot.fleets.get(slug)) {
        Some(entry) if asked.is_legal() => entry,
        _ => return Err(asked.refused(snapshot)),
    };
    let connect_after = asked.device().map(|device| {
        let hub = asked.hub().and_then(|hub| entry.hub_index(hub));
        adoption.note(&entry.fleet_id, device, hub);
        asked.hint(&entry.fleet_id);
        entry.claims.slot(device)
    });
    Ok(Answer {
        snapshot,
        entry,
        connect_after_ms: connect_after.map(millis),
        stale,
    })
}

#[cfg(test)]
mod tests;
