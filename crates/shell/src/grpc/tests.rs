//! The whole stack over a real connection, and its corners without one.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use futures::StreamExt as _;
use opentelemetry::trace::{SpanKind, TraceContextExt as _};
use opentelemetry_sdk::trace::{InMemorySpanExporter, SdkTracerProvider, SpanData};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tower::ServiceExt as _;
use tracing::Instrument as _;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::layer::SubscriberExt as _;

use super::*;
use crate::tls::{ClientTls, DevAuthority, ServerTls};

/// A server on a free port, and a channel to it.
struct World {
    channel: GrpcChannel,
    stop: CancellationToken,
    done: JoinHandle<std::io::Result<()>>,
}

impl World {
    fn start(server: GrpcServer, tls: Option<(ServerTls, ClientTls)>) -> Self {
        let listener = crate::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let port = listener.local_addr().unwrap().port();
        let stop = CancellationToken::new();
        let config = tls.as_ref().map(|(server, _)| server.load().unwrap());
        let served = crate::serve(listener, server.into_router(), config, stop.clone());
        let done = tokio::spawn(served);
        let scheme = if tls.is_some() { "https" } else { "http" };
        let endpoint = Endpoint {
            url: format!("{scheme}://127.0.0.1:{port}"),
            tls: tls.map(|(_, client)| client),
            timeout: Duration::from_secs(5),
        };
        Self {
            channel: channel(&endpoint).unwrap(),
            stop,
            done,
        }
    }

    async fn finish(self) {
        drop(self.channel);
        self.stop.cancel();
        self.done.await.unwrap().unwrap();
    }
}

fn check(service: &str) -> tonic::Request<HealthCheckRequest> {
    let request = HealthCheckRequest {
        service: service.to_owned(),
    };
    deadline(tonic::Request::new(request), Duration::from_secs(5))
}

async fn services(channel: GrpcChannel) -> Result<Vec<String>, tonic::Status> {
    let list = MessageRequest::ListServices(String::new());
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(list),
    };
    let requests = futures::stream::iter([request]);
    let mut client = ServerReflectionClient::new(channel);
    let mut answers = client.server_reflection_info(requests).await?.into_inner();
    let answer = answers.message().await?.unwrap().message_response.unwrap();
    let MessageResponse::ListServicesResponse(list) = answer else {
        panic!("{answer:?}")
    };
    Ok(list
        .service
        .into_iter()
        .map(|service| service.name)
        .collect())
}

#[tokio::test]
async fn health_is_answered_over_mutual_tls_and_follows_its_changes() {
    let dir = tempfile::tempdir().unwrap();
    let authority = DevAuthority::create(dir.path()).unwrap();
    let (cert, key) = authority.issue("east", &["127.0.0.1".to_owned()]).unwrap();
    let server = ServerTls {
        cert,
        key,
        client_ca: Some(authority.ca_path()),
    };
    let (cert, key) = authority.issue("merge", &[]).unwrap();
    let ca = authority.ca_path();
    let client = ClientTls {
        ca,
        cert: Some(cert),
        key: Some(key),
        server_name: None,
    };

    let health = Health::new();
    let world = World::start(GrpcServer::new(health.clone()), Some((server, client)));
    let mut client = HealthClient::new(world.channel.clone());
    let first = client.check(check("")).await.unwrap().into_inner();
    assert_eq!(first.status(), ServingStatus::NotServing);
    let mut watch = client.watch(check("")).await.unwrap().into_inner();
    assert_eq!(
        watch.next().await.unwrap().unwrap().status(),
        ServingStatus::NotServing
    );
    health.set_serving("", true);
    assert_eq!(
        watch.next().await.unwrap().unwrap().status(),
        ServingStatus::Serving
    );
    let unknown = client.check(check("nobody")).await.unwrap_err();
    assert_eq!(unknown.code(), tonic::Code::NotFound);
    drop((client, watch));
    world.finish().await;
}

#[tokio::test]
async fn reflection_lists_what_this_listener_serves_and_nothing_else() {
    let world = World::start(GrpcServer::new(Health::new()).reflection(true), None);
    let mut listed = services(world.channel.clone()).await.unwrap();
    listed.sort();
    assert_eq!(
        listed,
        [
            "grpc.health.v1.Health",
            "grpc.reflection.v1.ServerReflection"
        ]
    );
    world.finish().await;
}

#[tokio::test]
async fn without_reflection_the_service_is_unknown() {
    let world = World::start(GrpcServer::new(Health::new()), None);
    let refused = services(world.channel.clone()).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::Unimplemented);
    world.finish().await;
}

/// Waits until the server's span is exported: it ends a moment after the client's.
async fn exported(exporter: &InMemorySpanExporter, kind: SpanKind) -> SpanData {
    let find = || async {
        loop {
            let spans = exporter.get_finished_spans().unwrap();
            if let Some(span) = spans.into_iter().find(|span| span.span_kind == kind) {
                return span;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), find())
        .await
        .unwrap()
}

#[tokio::test]
async fn one_trace_goes_from_the_callers_span_into_the_servers() {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder()
        .with_simple_exporter(exporter.clone())
        .build();
    let subscriber = tracing_subscriber::registry().with(crate::telemetry::otel_layer(&provider));
    let _default = tracing::subscriber::set_default(subscriber);

    let world = World::start(GrpcServer::new(Health::new()), None);
    let step = tracing::info_span!("step");
    let trace = step.context().span().span_context().trace_id();
    let mut client = HealthClient::new(world.channel.clone());
    client.check(check("")).instrument(step).await.unwrap();

    let sent = exported(&exporter, SpanKind::Client).await;
    let served = exported(&exporter, SpanKind::Server).await;
    assert_eq!(sent.span_context.trace_id(), trace);
    assert_eq!(served.span_context.trace_id(), trace);
    assert_eq!(served.parent_span_id, sent.span_context.span_id());
    assert_eq!(served.name, "grpc.health.v1.Health/Check");
    drop(client);
    world.finish().await;
}

/// Hangs or panics, by the name of the method.
#[derive(Clone)]
struct Odd;

impl NamedService for Odd {
    const NAME: &'static str = "test.Odd";
}

type Answer = Result<http::Response<tonic::body::Body>, Infallible>;

impl Service<Request<tonic::body::Body>> for Odd {
    type Response = http::Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Answer> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<tonic::body::Body>) -> Self::Future {
        if request.uri().path().ends_with("Panic") {
            Box::pin(async { panic!("on purpose") })
        } else {
            Box::pin(std::future::pending())
        }
    }
}

async fn call(method: &str, kind: &str) -> Response {
    let request = Request::post(format!("/{method}"))
        .header("content-type", kind)
        .header("grpc-timeout", "10m")
        .body(Body::empty())
        .unwrap();
    let router = GrpcServer::new(Health::new()).add(Odd).into_router();
    router.oneshot(request).await.unwrap()
}

fn code(response: &Response) -> tonic::Code {
    tonic::Status::from_header_map(response.headers())
        .unwrap()
        .code()
}

#[tokio::test]
async fn a_guard_refuses_every_call_but_health() {
    let refuse = || Err(fault::status(Code::Unavailable, "NOT_NOW", "not now"));
    let server = GrpcServer::new(Health::new()).add(Odd).guarded(refuse);
    let router = server.into_router();
    for (path, expected) in [
        ("/test.Odd/Panic", Code::Unavailable),
        ("/grpc.health.v1.Health/Nonsense", Code::Unimplemented),
    ] {
        let request = Request::post(path)
            .header("content-type", "application/grpc")
            .body(Body::empty())
            .unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        assert_eq!(code(&response), expected, "{path}");
    }
}

#[tokio::test]
async fn a_handler_that_hangs_is_ended_at_the_clients_deadline() {
    let response = call("test.Odd/Hang", "application/grpc").await;
    assert_eq!(code(&response), tonic::Code::DeadlineExceeded);
}

#[tokio::test]
async fn a_panic_is_answered_as_internal_without_its_text_and_counted() {
    let metrics = crate::admin::install_metrics();
    let response = call("test.Odd/Panic", "application/grpc").await;
    assert_eq!(code(&response), tonic::Code::Internal);
    let message = tonic::Status::from_header_map(response.headers()).unwrap();
    assert!(!message.message().contains("on purpose"));
    drop(response);
    let text = metrics.render();
    let counted = text
        .lines()
        .any(|line| line.starts_with("hubshift_rpc_total{") && line.contains("code=\"INTERNAL\""));
    assert!(counted, "{text}");
}

#[tokio::test]
async fn an_unknown_path_is_unimplemented_for_grpc_and_404_for_the_rest() {
    let grpc = call("no.Such/Method", "application/grpc").await;
    assert_eq!(code(&grpc), tonic::Code::Unimplemented);
    let plain = call("no/such/page", "text/html").await;
    assert_eq!(plain.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_route_of_its_own_goes_before_the_service_of_its_path() {
    let own = axum::routing::post(|| async { "own" });
    let server = GrpcServer::new(Health::new())
        .add(Odd)
        .route("/test.Odd/Own", own);
    let router = server.into_router();
    let request = |path| Request::post(path).body(Body::empty()).unwrap();
    let answer = router
        .clone()
        .oneshot(request("/test.Odd/Own"))
        .await
        .unwrap();
    let bytes = axum::body::to_bytes(answer.into_body(), 100).await.unwrap();
    assert_eq!(bytes, "own");
    let answer = router.oneshot(request("/test.Odd/Panic")).await.unwrap();
    assert_eq!(code(&answer), tonic::Code::Internal);
}

#[tokio::test]
async fn the_span_of_a_long_lived_response_ends_when_it_begins() {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder()
        .with_simple_exporter(exporter.clone())
        .build();
    let subscriber = tracing_subscriber::registry().with(crate::telemetry::otel_layer(&provider));
    let _default = tracing::subscriber::set_default(subscriber);

    let endless = || futures::stream::pending::<Result<axum::body::Bytes, Infallible>>();
    let own = axum::routing::post(move || async move {
        (axum::Extension(LongLived), Body::from_stream(endless()))
    });
    let server = GrpcServer::new(Health::new()).route("/test.Odd/Own", own);
    let request = Request::post("/test.Odd/Own")
        .header("content-type", "application/grpc")
        .body(Body::empty())
        .unwrap();
    let answer = server.into_router().oneshot(request).await.unwrap();
    exported(&exporter, SpanKind::Server).await;
    drop(answer);
}
