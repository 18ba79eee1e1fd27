//! A span and RED metrics for every call that a server answers.
//!
//! The span continues the caller's trace (`traceparent`). A call ends when its response does: at
//! its trailers, or when the client went away (`CANCELLED`) or the handler panicked (`INTERNAL`).
//! The span of a [`LongLived`] response ends when it begins.

use std::time::Instant;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use http::HeaderMap;
use tonic::Code;
use tracing::field::Empty;
use tracing::{Instrument as _, Span};

use super::methods::{self, Method};
use super::watched::Watched;
use crate::serve::Peer;
use crate::trace;

/// In a response's extensions: it goes on for hours. A span that long tells nobody anything and is
/// kept in memory all the while, so it ends when the response begins; the call is counted at its
/// end like any other.
#[derive(Debug, Clone, Copy)]
pub struct LongLived;

/// The middleware. Plain HTTP passes through it unseen.
pub(super) async fn observe(request: Request, next: Next) -> Response {
    if !super::is_grpc(request.headers()) {
        return next.run(request).await;
    }
    let method = methods::find(request.uri().path());
    let span = server_span(method, &request);
    let mut call = Call {
        method,
        span: span.clone(),
        started: Instant::now(),
        ended: false,
    };
    let mut response = next.run(request).instrument(span).await;
    if response.extensions_mut().remove::<LongLived>().is_some() {
        call.span = Span::none();
    }
    Watched::wrap(response, call)
}

fn server_span(method: &Method, request: &Request) -> Span {
    let peer = request.extensions().get::<Peer>();
    let span = tracing::info_span!(
        "rpc",
        otel.name = format!("{}/{}", method.service, method.method),
        otel.kind = "server",
        otel.status_code = Empty,
        rpc.system = "grpc",
        rpc.service = method.service,
        rpc.method = method.method,
        rpc.grpc.status = Empty,
        trace_id = Empty,
        caller = peer.and_then(|peer| peer.certificate_name.as_deref()),
    );
    trace::with_parent(&span, trace::from_headers(request.headers()));
    // Log lines name the trace, so that an answer of INTERNAL can be looked up.
    if let Some(context) = trace::traceparent_of(&span) {
        span.record("trace_id", trace::trace_id(&context));
    }
    span
}

/// A call that is being answered. Dropped before its end, it counts as cancelled.
#[derive(Debug)]
pub(super) struct Call {
    method: &'static Method,
    span: Span,
    started: Instant,
    ended: bool,
}

impl Call {
    /// The call's span.
    pub(super) fn span(&self) -> &Span {
        &self.span
    }

    /// Ends the call with the status that headers or trailers carry, if they do.
    pub(super) fn end_with(&mut self, headers: &HeaderMap) {
        if let Some(status) = headers.get("grpc-status") {
            self.end(Code::from_bytes(status.as_bytes()));
        }
    }

    /// Ends the call. Only the first end counts.
    pub(super) fn end(&mut self, code: Code) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let name = code_name(code);
        self.span.record("rpc.grpc.status", name);
        if is_server_fault(code) {
            self.span.record("otel.status_code", "ERROR");
        }
        self.measure(name);
    }

    fn measure(&self, code: &'static str) {
        let service = self.method.service.as_str();
        let method = self.method.method.as_str();
        let seconds = self.started.elapsed().as_secs_f64();
        let labels = [("service", service), ("method", method), ("code", code)];
        metrics::counter!("hubshift_rpc_total", &labels).increment(1);
        metrics::histogram!("hubshift_rpc_seconds", &labels[..2]).record(seconds);
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        let panicking = std::thread::panicking();
        self.end(if panicking {
            Code::Internal
        } else {
            Code::Cancelled
        });
    }
}

/// Codes that say something about the server, not about the request.
fn is_server_fault(code: Code) -> bool {
    matches!(
        code,
        Code::Unknown
            | Code::DeadlineExceeded
            | Code::Unimplemented
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss
    )
}

fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
