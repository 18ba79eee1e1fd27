//! A client that polls by itself, however often whoever waits for it turns to something else.
//!
//! Kept true: what was sent is waited for to its end and its reply is taken; nothing is sent twice
//! because a wait was interrupted.

use std::future::{Future, pending};
use std::pin::Pin;
use std::time::Instant;

use super::DeviceClient;
use super::client::{Exchange, Reply};

/// A reply that is on its way.
pub(super) type InFlight = Pin<Box<dyn Future<Output = Reply> + Send>>;

/// The client, and what it waits for.
pub(super) struct Poller {
    client: DeviceClient,
    in_flight: Option<InFlight>,
}

impl Poller {
    pub(super) fn new(client: DeviceClient) -> Self {
        Self {
            client,
            in_flight: None,
        }
    }

    pub(super) fn client(&self) -> &DeviceClient {
        &self.client
    }

    pub(super) fn client_mut(&mut self) -> &mut DeviceClient {
        &mut self.client
    }

    /// Begins a poll when its time has come; true: it came to nothing at once.
    pub(super) fn start_if_due(&mut self, now: Instant) -> bool {
        if self.begins_at().is_none_or(|at| now < at) {
            return false;
        }
        self.in_flight = self.client.begin(now).map(sent);
        self.in_flight.is_none()
    }

    /// When a poll begins; `None` while one is under way.
    pub(super) fn begins_at(&self) -> Option<Instant> {
        self.in_flight.is_none().then(|| self.client.poll_at())
    }

    /// The next reply, to be [taken](Self::take) at once; never, if none is on its way. To stop
    /// waiting loses nothing.
    pub(super) async fn reply(&mut self) -> Reply {
        reply(&mut self.in_flight).await
    }

    /// Takes a reply; true: the poll is over.
    pub(super) fn take(&mut self, reply: Reply) -> bool {
        self.in_flight = self.client.take(reply).map(sent);
        self.in_flight.is_none()
    }
}

/// Sends a request; it goes on while its reply is waited for.
pub(super) fn sent(exchange: Exchange) -> InFlight {
    Box::pin(exchange.send())
}

/// Waits for what is on its way.
pub(super) async fn reply(in_flight: &mut Option<InFlight>) -> Reply {
    match in_flight {
        Some(reply) => reply.await,
        None => pending().await,
    }
}

/// Waits for a time, if there is one.
pub(super) async fn until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => pending().await,
    }
}
