//! The future of a response: there already, or as soon as the question has come, or the router's.
//! Only the last is boxed.

use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use http::Response;
use hubshift_shell::{Front, RouterFront};
use hyper::body::Incoming;

use super::body::{FrontBody, Rest};
use super::poll::Local;
use super::rpc::Reading;

type Router = <RouterFront as Front>::Future;

/// The response to one request.
pub(crate) struct Answering(Kind);

enum Kind {
    Now(Ready<Response<FrontBody>>),
    Read(Reading),
    Rest(Pin<Box<Router>>),
}

impl Answering {
    /// It is there.
    pub(super) fn now(response: Response<FrontBody>) -> Self {
        Self(Kind::Now(ready(response)))
    }

    /// The question of a gRPC poll is in this body.
    pub(super) fn read(local: Arc<Local>, body: Incoming, begun: Instant) -> Self {
        Self(Kind::Read(Reading::new(local, body, begun)))
    }

    /// The router answers.
    pub(super) fn hand_on(answer: Router) -> Self {
        Self(Kind::Rest(Box::pin(answer)))
    }
}

impl Future for Answering {
    type Output = Response<FrontBody>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.get_mut().0 {
            Kind::Now(now) => Pin::new(now).poll(cx),
            Kind::Read(reading) => reading.poll(cx),
            Kind::Rest(rest) => rest.as_mut().poll(cx).map(boxed),
        }
    }
}

fn boxed(response: Response<Rest>) -> Response<FrontBody> {
    response.map(|body| FrontBody::Rest(Box::pin(body)))
}
