//! What is the same in the answers to many devices, as bytes: a fleet's once per change of it, a
//! moment's once per refresh. An answer is these put one behind the other.
//!
//! Nothing here is durable: it is made again from the entry. Kept true: the bytes are what prost
//! and serde write of the same answer (tests beside `answer.rs`).

use std::sync::OnceLock;
use std::time::Duration;

use http::HeaderValue;
use hubshift_api::pb::concierge::GetEndpointResponse;
use hubshift_api::times;
use prost::Message as _;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::FleetEntry;

/// No cache keeps an answer longer.
const MAX_AGE: Duration = Duration::from_secs(30);

/// What the answers to all devices of a fleet share.
#[derive(Debug)]
pub(crate) struct Encoded {
    /// `route` and `poll_after_ms` of a `GetEndpointResponse`.
    pub(super) message: Box<[u8]>,
    /// `{"route":"…"`.
    pub(super) json_route: Box<[u8]>,
    /// `,"poll_after_ms":…`.
    pub(super) json_poll: Box<[u8]>,
    /// Of the answer that is the same for all.
    pub(super) etag: HeaderValue,
    /// Of an answer to one device.
    pub(super) etag_of_one: HeaderValue,
    /// For how long a cache may keep the answer that is the same for all.
    pub(super) cache_control: HeaderValue,
}

impl Encoded {
    fn of(entry: &FleetEntry) -> Self {
        let poll_after_ms = entry.poll_after_ms();
        let message = GetEndpointResponse {
            route: entry.jws.to_string(),
            poll_after_ms,
            ..GetEndpointResponse::default()
        };
        let route = Value::from(&*entry.jws);
        let age = (entry.poll_after / 2).min(MAX_AGE).as_secs();
        let tag = tag(entry);
        Self {
            message: message.encode_to_vec().into(),
            json_route: format!("{{\"route\":{route}").into_bytes().into(),
            json_poll: format!(",\"poll_after_ms\":{poll_after_ms}")
                .into_bytes()
                .into(),
            etag: header(format!("\"{tag}\"")),
            etag_of_one: header(format!("\"{tag}-d\"")),
            cache_control: header(format!("public, max-age={age}")),
        }
    }
}

/// Changes with everything that a device would act on.
fn tag(entry: &FleetEntry) -> String {
    format!(
        "{}-{}-{}-{}",
        entry.epoch,
        entry.routing_version,
        entry.issue_time().unix_timestamp(),
        entry.poll_after_ms(),
    )
}

/// Numbers and ASCII words always are a header's value.
fn header(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// An entry's [`Encoded`], made when it is first asked for. It is no part of the entry's value: a
/// copy, which may be altered, makes its own.
#[derive(Debug, Default)]
pub(super) struct Lazy(OnceLock<Encoded>);

impl Lazy {
    pub(super) fn get(&self, entry: &FleetEntry) -> &Encoded {
        self.0.get_or_init(|| Encoded::of(entry))
    }
}

impl Clone for Lazy {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for Lazy {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Lazy {}

/// What all answers of a snapshot share: when the database was last heard of.
#[derive(Debug, Clone)]
pub(crate) struct Moment {
    fresh: Tail,
    stale: Tail,
}

/// `as_of` and `stale`, the end of an answer.
#[derive(Debug, Clone)]
pub(super) struct Tail {
    /// As fields of a `GetEndpointResponse`.
    pub(super) message: Box<[u8]>,
    /// `,"as_of":"…","stale":…}`.
    pub(super) json: Box<[u8]>,
}

impl Moment {
    pub(super) fn of(as_of: OffsetDateTime) -> Self {
        Self {
            fresh: Tail::of(as_of, false),
            stale: Tail::of(as_of, true),
        }
    }

    /// For answers that are stale, or not.
    pub(super) fn tail(&self, is_stale: bool) -> &Tail {
        if is_stale { &self.stale } else { &self.fresh }
    }
}

impl Tail {
    fn of(as_of: OffsetDateTime, stale: bool) -> Self {
        let as_of = whole_millis(as_of);
        let message = GetEndpointResponse {
            as_of: Some(times::timestamp(as_of)),
            stale,
            ..GetEndpointResponse::default()
        };
        let time = Value::from(rfc3339(as_of));
        Self {
            message: message.encode_to_vec().into(),
            json: format!(",\"as_of\":{time},\"stale\":{stale}}}")
                .into_bytes()
                .into(),
        }
    }
}

/// No device needs more of it.
pub(super) fn whole_millis(time: OffsetDateTime) -> OffsetDateTime {
    let nanos = time.nanosecond();
    time.replace_nanosecond(nanos - nanos % 1_000_000)
        .unwrap_or(time)
}

/// The time as text; a time that no calendar has is left empty.
pub(crate) fn rfc3339(time: OffsetDateTime) -> String {
    time.format(&Rfc3339).unwrap_or_default()
}
