//! The public listener's faster half: polls, answered on the thread that reads them.
//!
//! ```text
//!  gRPC GetEndpoint ─ rpc ─┐                       ┌─ one frame, trailers
//!                          ├─ one load of the table ┤
//!  GET …/endpoint ─ plain ─┘                       └─ JSON, ETag or 304
//!  everything else ─▶ the router of [`crate::http`]
//! ```
//!
//! Nothing here is durable. Kept true: a poll takes no lock and waits for nothing but its own
//! body; it costs the same before, during and after a failover (I16). A poll leaves no span, and a
//! `traceparent` that came with it is ignored: it is counted, by every thread for itself.

mod answering;
mod body;
#[cfg(test)]
mod cost;
#[cfg(fuzzing)]
pub(crate) mod fuzz;
mod meter;
mod plain;
mod poll;
mod query;
mod refusals;
mod rpc;
#[cfg(test)]
mod tests;
mod wire;
#[cfg(test)]
pub(crate) mod world;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use http::Request;
use hubshift_shell::{Front, RouterFront, Visit};
use hyper::body::Incoming;
use tokio::runtime::Handle;

pub(crate) use wire::asked;

use crate::http::PublicState;
use answering::Answering;
use body::FrontBody;
use poll::Local;

/// The body of a request must have come by then.
const BODY_DEADLINE: Duration = Duration::from_secs(10);

/// Answers polls itself, and hands the rest on.
#[derive(Clone)]
pub(crate) struct PublicFront {
    /// One thread's own.
    local: Arc<Local>,
    rest: RouterFront,
}

impl PublicFront {
    /// Polls are answered from `state`, everything else by `router`, whose handlers run on
    /// `handle`.
    pub(crate) fn new(state: PublicState, router: Router, handle: Handle) -> Self {
        Self {
            local: Arc::new(Local::new(state, BODY_DEADLINE)),
            rest: RouterFront::new(router, handle).body_deadline(BODY_DEADLINE),
        }
    }

    /// Waits no longer than this for a body.
    #[cfg(test)]
    fn with_body_deadline(self, deadline: Duration) -> Self {
        Self {
            local: Arc::new(self.local.with_body_deadline(deadline)),
            ..self
        }
    }
}

impl Front for PublicFront {
    type Body = FrontBody;
    type Future = Answering;

    /// Every thread counts for itself.
    fn on_thread(&self) -> Self {
        let local = Arc::new(self.local.of_another_thread());
        tokio::spawn(meter::report(Arc::clone(&local)));
        Self {
            local,
            rest: self.rest.on_thread(),
        }
    }

    fn answer(&self, request: Request<Incoming>, visit: &Visit) -> Answering {
        let begun = Instant::now();
        if rpc::is_poll(&request) {
            return match visit.refusal() {
                Some(refusal) => Answering::now(rpc::shed(&self.local, refusal, begun)),
                None => Answering::read(Arc::clone(&self.local), request.into_body(), begun),
            };
        }
        if let Some(fleet) = plain::fleet_of(request.uri().path()) {
            return Answering::now(match visit.refusal() {
                Some(refusal) => plain::shed(&self.local, request.method(), refusal, begun),
                None => plain::respond(&self.local, &request, fleet, begun),
            });
        }
        Answering::hand_on(self.rest.answer(request, visit))
    }
}
