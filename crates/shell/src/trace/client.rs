//! The client side of a trace: a span per outgoing call, and its context in the call's metadata.
//!
//! A `traceparent` that the caller already put into the metadata is left alone.

use std::task::{Context, Poll};

use http::{HeaderValue, Request, Response};
use tonic::body::Body;
use tonic::transport::{Channel, Error, channel::ResponseFuture};
use tower::Service;
use tracing::Instrument as _;
use tracing::instrument::Instrumented;

use super::{TRACEPARENT, current_traceparent, traceparent_of};

/// A tonic channel that carries the caller's trace context. Cheap to clone.
#[derive(Debug, Clone)]
pub struct TracedChannel {
    inner: Channel,
}

impl TracedChannel {
    /// Wraps a channel.
    pub fn new(inner: Channel) -> Self {
        Self { inner }
    }
}

impl Service<Request<Body>> for TracedChannel {
    type Response = Response<Body>;
    type Error = Error;
    type Future = Instrumented<ResponseFuture>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        Service::poll_ready(&mut self.inner, cx)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        let path = request.uri().path().trim_start_matches('/');
        let span = tracing::info_span!("rpc.call", otel.name = path, otel.kind = "client");
        let context = traceparent_of(&span).or_else(current_traceparent);
        if !request.headers().contains_key(TRACEPARENT)
            && let Some(value) = context.and_then(|text| HeaderValue::try_from(text).ok())
        {
            request.headers_mut().insert(TRACEPARENT, value);
        }
        Service::call(&mut self.inner, request).instrument(span)
    }
}
