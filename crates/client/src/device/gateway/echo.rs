//! Mentions the gateway's devices to a concierge, one after the other, so that they are counted.
//!
//! The answers say nothing that the gateway's own poll does not say, and are not read.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};
use std::time::{Duration, Instant};

use hubshift_domain::id::DeviceId;

use super::Member;
use crate::device::DeviceClient;
use crate::device::client::Reply;
use crate::device::concierges::hold;
use crate::device::http::Got;
use crate::device::poller::{InFlight, reply, sent};

/// Not more often, however many devices there are.
const LEAST: Duration = Duration::from_millis(1);

/// Whose turn it is, and when.
pub(super) struct Echo {
    /// The span for all devices; `None`: nothing is said of any.
    every: Option<Duration>,
    next_at: Instant,
    last: Option<DeviceId>,
    /// The tag of an answer to a device, which is the same for all devices.
    etag: Option<String>,
    in_flight: Option<InFlight>,
}

impl Echo {
    pub(super) fn new(every: Option<Duration>, now: Instant) -> Self {
        Self {
            every,
            next_at: now,
            last: None,
            etag: None,
            in_flight: None,
        }
    }

    /// When the next device is mentioned; `None` while one is.
    pub(super) fn begins_at(&self) -> Option<Instant> {
        self.every
            .filter(|_| self.in_flight.is_none())
            .map(|_| self.next_at)
    }

    /// Mentions the next device when its time has come.
    pub(super) fn start_if_due(
        &mut self,
        client: &DeviceClient,
        members: &BTreeMap<DeviceId, Member>,
        now: Instant,
    ) {
        let (Some(every), Some(at)) = (self.every, self.begins_at()) else {
            return;
        };
        let Some((device, member)) = next(members, self.last.as_ref()) else {
            return;
        };
        if now < at {
            return;
        }
        let count = u32::try_from(members.len()).unwrap_or(u32::MAX);
        // What was missed while the gateway was busy is not made up for.
        self.next_at = now + (every / count).max(LEAST);
        let exchange = client.echo(&member.core, self.etag.clone(), now);
        if let Some(exchange) = exchange {
            self.last = Some(device.clone());
            self.in_flight = Some(sent(exchange));
        }
    }

    /// The next reply; never, if none is on its way.
    pub(super) async fn reply(&mut self) -> Reply {
        reply(&mut self.in_flight).await
    }

    /// Takes a reply.
    pub(super) fn take(&mut self, reply: &Reply, now: Instant) {
        self.in_flight = None;
        match reply {
            Reply::Ask(Ok(Got::Answer(_, etag))) => self.etag.clone_from(etag),
            Reply::Ask(Err(error)) => {
                if let Some(asked) = error.retry_after() {
                    self.next_at = self.next_at.max(now + hold(asked, rand::random()));
                }
            }
            Reply::Ask(Ok(Got::NotModified)) | Reply::Keys(..) | Reply::Present(_) => {}
        }
    }
}

/// The device after that one, round and round.
fn next<'a>(
    members: &'a BTreeMap<DeviceId, Member>,
    last: Option<&DeviceId>,
) -> Option<(&'a DeviceId, &'a Member)> {
    let after = last.and_then(|last| {
        members
            .range::<DeviceId, _>((Excluded(last), Unbounded))
            .next()
    });
    after.or_else(|| members.first_key_value())
}
