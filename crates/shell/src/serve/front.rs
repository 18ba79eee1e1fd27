//! A listener with threads of its own: what devices and back ends reach by the ten thousand.
//!
//! Every thread is a runtime of its own and accepts from the one listening socket; a connection
//! lives and dies on the thread that accepted it, so that nothing on the way of a request is
//! shared, locked or sent. What a handler has to do elsewhere it hands over itself
//! ([`RouterFront`]). The limits of a front keep it answering when too many ask: connections,
//! handshakes, requests of one client, and the lag of the thread's own loop.
//!
//! Nothing here is durable. Kept true: no thread outlives the serving of its listener; a connection that makes no
//! progress is closed in bounded time; what a client costs before its first request is bounded.

mod accept;
mod clients;
mod connection;
mod descriptors;
mod desk;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod limits;
mod line;
mod load;
mod network;
mod owing;
mod refuse;
mod router;
mod tally;
mod threads;
mod watched;

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;

pub use limits::{FrontConfig, Limits};
pub use network::{Network, NotANetwork};
pub use router::{Handled, RouterFront};
pub(crate) use threads::serve;

use super::Peer;
use desk::{Desk, Shared};

/// The thread has more to do than it can in time.
pub const OVERLOADED: &str = "OVERLOADED";
/// The client asks more often than it may.
pub const CLIENT_TOO_FAST: &str = "CLIENT_TOO_FAST";

/// What answers the requests of a listener that has threads of its own.
///
/// A panic in [`Front::answer`] ends the connection, one in its future ends the request; neither
/// ends the thread.
pub trait Front: Clone + Send + 'static {
    /// The body of a response; it need not be `Send`.
    type Body: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + 'static;
    /// What answers one request; it need not be `Send`.
    type Future: Future<Output = Response<Self::Body>> + 'static;

    /// Once per thread, inside its runtime, before the first connection: thread-local counters and
    /// the like start here.
    #[must_use]
    fn on_thread(&self) -> Self {
        self.clone()
    }

    /// Answers one request. It runs on the connection's thread and must not block it.
    fn answer(&self, request: Request<Incoming>, visit: &Visit) -> Self::Future;
}

/// The connection that a request came by, and whether the process has room for it.
pub struct Visit {
    /// Who is at its other end.
    pub peer: Peer,
    /// None: a trusted network, which no limit per client is for.
    client: Option<u32>,
    desk: Rc<Desk>,
}

/// A request is not answered now: `429` or `RESOURCE_EXHAUSTED`, with these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// [`OVERLOADED`] or [`CLIENT_TOO_FAST`].
    pub reason: &'static str,
    /// When to ask again.
    pub retry_after: Duration,
}

impl Visit {
    /// A visit that nothing is refused to, outside of every listener: for tests and benchmarks of
    /// a [`Front`].
    pub fn unlimited(peer: Peer) -> Self {
        let shared = Arc::new(Shared::new("none", Limits::trusting_everyone()));
        Self::new(peer, None, Rc::new(Desk::new(shared, 0)))
    }

    fn new(peer: Peer, client: Option<u32>, desk: Rc<Desk>) -> Self {
        Self { peer, client, desk }
    }

    /// Counts this request against its client and the thread; if there is a refusal, the request
    /// is to be answered with it. Ask once per request: [`RouterFront`] asks for what it is given.
    #[must_use]
    pub fn refusal(&self) -> Option<Refusal> {
        self.desk.shed().or_else(|| self.too_fast())
    }

    /// As [`Visit::refusal`], for what is answered under any load (health probes): were it shed,
    /// the name would move to the other concierges, with all of its load.
    #[must_use]
    pub fn too_fast(&self) -> Option<Refusal> {
        self.client.and_then(|client| self.desk.too_fast(client))
    }
}

impl fmt::Debug for Visit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Visit")
            .field("peer", &self.peer)
            .field("client", &self.client)
            .finish_non_exhaustive()
    }
}

impl Refusal {
    /// What it means, for people.
    pub fn message(&self) -> &'static str {
        match self.reason {
            CLIENT_TOO_FAST => "too many requests from this address; wait for the retry time",
            _ => "the server has too much to do; wait for the retry time",
        }
    }

    /// The value of `Retry-After`: whole seconds, rounded up, at least one.
    pub fn retry_after_seconds(&self) -> u64 {
        whole_seconds(self.retry_after)
    }
}

/// A time as `Retry-After` has it: sooner would be too soon.
fn whole_seconds(time: Duration) -> u64 {
    let rest = u64::from(time.subsec_nanos() > 0);
    (time.as_secs() + rest).max(1)
}

#[cfg(test)]
mod tests;
