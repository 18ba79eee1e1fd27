//! A router behind a front: its handlers run on the main runtime, for they wait for databases and
//! other services, and are ended when their client is gone.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::BoxError;
use axum::body::Body;
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body::{Body as _, Frame, SizeHint};
use hubshift_api::fault;
use hyper::body::Incoming;
use tokio::runtime::Handle;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::{Instant, Sleep};
use tonic::Code;
use tower::ServiceExt as _;

use super::{Front, Refusal, Visit};
use crate::grpc::{is_grpc, panic};

/// What probes ask, and what is answered under any load.
const HEALTH: [&str; 4] = [
    "/healthz",
    "/readyz",
    "/grpc.health.v1.Health/Check",
    "/grpc.health.v1.Health/Watch",
];

/// A front that hands everything to a router. Requests carry their [`crate::Peer`] in their
/// extensions; a response's body is polled on the connection's thread.
#[derive(Debug, Clone)]
pub struct RouterFront {
    router: axum::Router,
    runtime: Handle,
    body_deadline: Option<Duration>,
}

impl RouterFront {
    /// Handlers of `router` run on `runtime`.
    pub fn new(router: axum::Router, runtime: Handle) -> Self {
        Self {
            router,
            runtime,
            body_deadline: None,
        }
    }

    /// A request's whole body must be there so long after its head. Not for listeners whose
    /// clients stream.
    #[must_use]
    pub fn body_deadline(mut self, deadline: Duration) -> Self {
        self.body_deadline = Some(deadline);
        self
    }

    fn body(&self, body: Incoming) -> Body {
        match self.body_deadline {
            Some(deadline) if !body.is_end_stream() => Body::new(Due {
                body,
                at: Instant::now() + deadline,
                timer: None,
            }),
            _ => Body::new(body),
        }
    }
}

impl Front for RouterFront {
    type Body = Body;
    type Future = Handled;

    fn answer(&self, request: Request<Incoming>, visit: &Visit) -> Handled {
        let caller = Caller::of(&request);
        let refusal = if HEALTH.contains(&request.uri().path()) {
            visit.too_fast()
        } else {
            visit.refusal()
        };
        if let Some(refusal) = refusal {
            let refused = caller.answer(refused(refusal, caller.grpc));
            return Handled(State::Refused(Some(refused)));
        }
        let mut request = request.map(|body| self.body(body));
        request.extensions_mut().insert(visit.peer.clone());
        let router = self.router.clone();
        let task = self.runtime.spawn(async move {
            match router.oneshot(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            }
        });
        Handled(State::Running { task, caller })
    }
}

/// What an answer depends on that no handler gave.
#[derive(Debug, Clone, Copy)]
struct Caller {
    grpc: bool,
    head: bool,
}

impl Caller {
    fn of<B>(request: &Request<B>) -> Self {
        Self {
            grpc: is_grpc(request.headers()),
            head: request.method() == Method::HEAD,
        }
    }

    /// `HEAD` gets no body: hyper leaves it out of HTTP/1, but a frame of it breaks a stream of
    /// HTTP/2.
    fn answer(self, response: Response) -> Response {
        match self.head {
            true => response.map(|_| Body::empty()),
            false => response,
        }
    }
}

/// The answer of a handler. Dropped before it is there, it ends the handler.
#[derive(Debug)]
pub struct Handled(State);

#[derive(Debug)]
enum State {
    Refused(Option<Response>),
    Running {
        task: JoinHandle<Response>,
        caller: Caller,
    },
}

impl Future for Handled {
    type Output = Response;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Response> {
        Poll::Ready(match &mut self.0 {
            // A future is not polled again after it was ready.
            State::Refused(response) => response.take().unwrap_or_default(),
            State::Running { task, caller } => match ready!(Pin::new(task).poll(cx)) {
                Ok(response) => response,
                Err(error) => caller.answer(failed(error, caller.grpc)),
            },
        })
    }
}

impl Drop for Handled {
    fn drop(&mut self) {
        if let State::Running { task, .. } = &self.0 {
            task.abort();
        }
    }
}

/// A handler that panicked outside of every layer, or whose runtime is gone.
fn failed(error: JoinError, grpc: bool) -> Response {
    if let Ok(payload) = error.try_into_panic() {
        let panic = panic::text(payload.as_ref());
        tracing::error!(panic, "a handler panicked");
    }
    if grpc {
        return fault::internal().into_http();
    }
    let text = "an internal error; the service's log has it";
    (StatusCode::INTERNAL_SERVER_ERROR, json("INTERNAL", text)).into_response()
}

fn refused(refusal: Refusal, grpc: bool) -> Response {
    let (reason, text) = (refusal.reason, refusal.message());
    if grpc {
        let status = fault::retry(Code::ResourceExhausted, reason, text, refusal.retry_after);
        return status.into_http();
    }
    let seconds = refusal.retry_after_seconds().to_string();
    let after = [(header::RETRY_AFTER, seconds)];
    (StatusCode::TOO_MANY_REQUESTS, after, json(reason, text)).into_response()
}

/// An error's body, with its headers. Neither text has anything in it that JSON would escape.
fn json(reason: &str, message: &str) -> Response {
    let kind = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    let body = format!(r#"{{"reason":"{reason}","message":"{message}"}}"#);
    (kind, body).into_response()
}

/// A request's body that has a time by which it must be there.
struct Due {
    body: Incoming,
    at: Instant,
    /// Made when the body is waited for.
    timer: Option<Pin<Box<Sleep>>>,
}

/// A client takes too long to send a body.
#[derive(Debug, thiserror::Error)]
#[error("the request's body took too long")]
struct Overdue;

impl http_body::Body for Due {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(cx) {
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let at = self.at;
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at)));
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Some(Err(Overdue.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
