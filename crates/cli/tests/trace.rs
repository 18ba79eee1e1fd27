//! One failback is one trace over three services, as an OTLP collector receives it.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use common::{Folder, PATIENCE, Up, until};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::ResourceSpans;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

/// A span, as far as this test looks at it. Ids are hexadecimal.
#[derive(Debug, Clone)]
struct Seen {
    service: String,
    name: String,
    trace: String,
    id: String,
    /// Empty for the first span of a trace.
    parent: String,
}

/// An OTLP receiver; clones share what they received.
#[derive(Debug, Clone, Default)]
struct Receiver(Arc<Mutex<Vec<Seen>>>);

impl Receiver {
    /// Serves on a free port for as long as the runtime lives.
    fn serve(&self, runtime: &tokio::runtime::Runtime) -> SocketAddr {
        let bind = tokio::net::TcpListener::bind("127.0.0.1:0");
        let listener = runtime.block_on(bind).unwrap();
        let address = listener.local_addr().unwrap();
        let server = tonic::transport::Server::builder()
            .add_service(TraceServiceServer::new(self.clone()))
            .serve_with_incoming(TcpListenerStream::new(listener));
        runtime.spawn(server);
        address
    }

    fn spans_of(&self, trace: &str) -> Vec<Seen> {
        let seen = self.0.lock().unwrap();
        seen.iter()
            .filter(|span| span.trace == trace)
            .cloned()
            .collect()
    }
}

#[tonic::async_trait]
impl TraceService for Receiver {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let received = request.into_inner().resource_spans;
        self.0
            .lock()
            .unwrap()
            .extend(received.into_iter().flat_map(spans));
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

fn spans(of_service: ResourceSpans) -> Vec<Seen> {
    let attributes = of_service.resource.unwrap_or_default().attributes;
    let name = attributes
        .into_iter()
        .find(|attribute| attribute.key == "service.name");
    let service = match name
        .and_then(|name| name.value)
        .and_then(|value| value.value)
    {
        Some(Value::StringValue(name)) => name,
        other => format!("{other:?}"),
    };
    let spans = of_service
        .scope_spans
        .into_iter()
        .flat_map(|scope| scope.spans);
    let seen = spans.map(|span| Seen {
        service: service.clone(),
        name: span.name,
        trace: hex(&span.trace_id),
        id: hex(&span.span_id),
        parent: hex(&span.parent_span_id),
    });
    seen.collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_failback_is_one_trace_over_three_services() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let receiver = Receiver::default();
    let address = receiver.serve(&runtime);
    let folder = Folder::new();
    let up = Up::start(&folder, &format!("--devices 12 --otlp http://{address}"));
    up.until_ready("west");
    let there = up.json("failover start --kind planned --to west --watch");
    up.until_ready("east");
    up.hubshift("failover start --kind failback --to east --watch")
        .ok();
    let trace = up.json("failover get")["trace_id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_ne!(
        there["trace_id"],
        trace.as_str(),
        "each move has a trace of its own"
    );
    // Spans leave the processes in batches: the last ones take a few seconds.
    until("the failback's trace is whole", PATIENCE, || {
        is_whole(&receiver.spans_of(&trace)).then_some(())
    });
    up.interrupt();
}

/// All three services, the first and the last step, and no span whose parent is elsewhere.
fn is_whole(spans: &[Seen]) -> bool {
    let services: BTreeSet<&str> = spans.iter().map(|span| span.service.as_str()).collect();
    let ids: BTreeSet<&str> = spans.iter().map(|span| span.id.as_str()).collect();
    let has = |name: &str| spans.iter().any(|span| span.name == name);
    let is_linked = |span: &Seen| span.parent.is_empty() || ids.contains(span.parent.as_str());
    services == BTreeSet::from(["concierge", "merge", "registry-sync"])
        && has("failover precheck")
        && has("failover close")
        && spans.iter().all(is_linked)
}
