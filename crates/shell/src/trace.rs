//! W3C trace context as text, for metadata of a call and for rows of a workflow.
//!
//! A `traceparent` is `00-<trace id>-<span id>-<flags>`. Without an OpenTelemetry layer in the
//! subscriber (most unit tests) there is no context: everything here then does nothing.

pub(crate) mod client;

use std::collections::HashMap;

use http::HeaderMap;
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

pub use client::TracedChannel;

/// The name of the header and of the gRPC metadata key.
pub const TRACEPARENT: &str = "traceparent";

/// The trace context of the current span, to be stored or sent; none outside of a trace.
pub fn current_traceparent() -> Option<String> {
    traceparent_of(&Span::current())
}

/// The trace context of a span.
pub fn traceparent_of(span: &Span) -> Option<String> {
    let mut carrier = HashMap::new();
    TraceContextPropagator::new().inject_context(&span.context(), &mut carrier);
    carrier.remove(TRACEPARENT)
}

/// Makes `span` a child of a remote span. Call it before the span is entered; nothing happens if
/// the text is absent or malformed.
pub fn with_parent(span: &Span, traceparent: Option<&str>) {
    let Some(traceparent) = traceparent.filter(|text| trace_id(text).is_some()) else {
        return;
    };
    let carrier = HashMap::from([(TRACEPARENT.to_owned(), traceparent.to_owned())]);
    let parent = TraceContextPropagator::new().extract(&carrier);
    if let Err(error) = span.set_parent(parent) {
        tracing::trace!(%error, "span keeps its own trace");
    }
}

/// The trace id (32 lower-case hex digits) within a `traceparent`; none if it is malformed.
pub fn trace_id(traceparent: &str) -> Option<&str> {
    let mut parts = traceparent.split('-');
    let version = parts.next()?;
    let trace = parts.next()?;
    let span = parts.next()?;
    let flags = parts.next()?;
    let usable = is_hex(version, 2) && version != "ff" && is_hex(flags, 2);
    let ids = is_id(trace, 32) && is_id(span, 16);
    (usable && ids).then_some(trace)
}

/// The `traceparent` of a request's headers, as it was sent.
pub(crate) fn from_headers(headers: &HeaderMap) -> Option<&str> {
    headers.get(TRACEPARENT)?.to_str().ok()
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_id(text: &str, length: usize) -> bool {
    is_hex(text, length) && text.bytes().any(|b| b != b'0')
}

#[cfg(test)]
mod tests {
    use opentelemetry_sdk::trace::SdkTracerProvider;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn the_trace_id_is_taken_from_well_formed_text_only() {
        assert_eq!(trace_id(PARENT), Some("0af7651916cd43dd8448eb211c80319c"));
        for bad in [
            "",
            "00-0af7651916cd43dd8448eb211c80319c",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            assert_eq!(trace_id(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_span_with_a_remote_parent_carries_the_parents_trace() {
        let provider = SdkTracerProvider::builder().build();
        let subscriber =
            tracing_subscriber::registry().with(crate::telemetry::otel_layer(&provider));
        tracing::subscriber::with_default(subscriber, || {
            let span = tracing::info_span!("step");
            with_parent(&span, Some(PARENT));
            let inside = span.in_scope(current_traceparent).unwrap();
            assert_eq!(trace_id(&inside), trace_id(PARENT));
            assert_ne!(inside, PARENT, "the span has an id of its own");
        });
    }

    #[test]
    fn without_a_parent_a_span_starts_a_trace_of_its_own() {
        let provider = SdkTracerProvider::builder().build();
        let subscriber =
            tracing_subscriber::registry().with(crate::telemetry::otel_layer(&provider));
        tracing::subscriber::with_default(subscriber, || {
            let span = tracing::info_span!("step");
            with_parent(&span, Some("nonsense"));
            assert!(trace_id(&traceparent_of(&span).unwrap()).is_some());
        });
        assert_eq!(current_traceparent(), None);
    }
}
