//! The admin port: metrics, liveness, readiness. Plain HTTP, for the machine's own network.
//!
//! Metrics are process-wide and in memory; a restart begins at zero.

use std::sync::OnceLock;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::grpc::Health;

/// Upper bounds of the histograms whose names end in `_seconds`.
const SECONDS: [f64; 14] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0,
];
/// How often histograms are folded, so that they stay small even if nobody reads them.
const UPKEEP: Duration = Duration::from_secs(5);

static METRICS: OnceLock<PrometheusHandle> = OnceLock::new();

/// Makes the process's metrics readable; the first call installs the recorder, every further one
/// returns the same.
pub fn install_metrics() -> PrometheusHandle {
    METRICS.get_or_init(install).clone()
}

fn install() -> PrometheusHandle {
    let matcher = Matcher::Suffix("_seconds".to_owned());
    let recorder = PrometheusBuilder::new()
        .set_buckets_for_metric(matcher, &SECONDS)
        .unwrap_or_else(|_| PrometheusBuilder::new())
        .build_recorder();
    let handle = recorder.handle();
    if metrics::set_global_recorder(recorder).is_err() {
        tracing::warn!("another metrics recorder is installed, /metrics stays empty");
    }
    let upkeep = handle.clone();
    let spawned = std::thread::Builder::new()
        .name("metrics-upkeep".to_owned())
        .spawn(move || {
            loop {
                std::thread::sleep(UPKEEP);
                upkeep.run_upkeep();
            }
        });
    if let Err(error) = spawned {
        tracing::warn!(%error, "no thread for metrics upkeep");
    }
    handle
}

/// `GET /metrics` (Prometheus), `/healthz` (200 while the process lives), `/readyz` (200 or 503,
/// with the names of what is not serving).
pub fn router(health: Health, metrics: PrometheusHandle) -> Router {
    Router::new()
        .route(
            "/metrics",
            get(move || std::future::ready(render(&metrics))),
        )
        .route("/healthz", get(|| std::future::ready("ok\n")))
        .route("/readyz", get(ready))
        .with_state(health)
}

fn render(metrics: &PrometheusHandle) -> Response {
    let kind = [(
        header::CONTENT_TYPE,
        "text/plain; version=0.0.4; charset=utf-8",
    )];
    (kind, metrics.render()).into_response()
}

async fn ready(State(health): State<Health>) -> (StatusCode, String) {
    if health.is_serving("") {
        return (StatusCode::OK, "ready\n".to_owned());
    }
    let waiting = health.not_serving();
    let named: Vec<&str> = waiting
        .iter()
        .map(String::as_str)
        .filter(|n| !n.is_empty())
        .collect();
    (
        StatusCode::SERVICE_UNAVAILABLE,
        format!("not ready: {}\n", named.join(", ")),
    )
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use http::Request;
    use http_body_util::BodyExt as _;
    use tower::ServiceExt as _;

    use super::*;

    async fn get_text(router: &Router, path: &str) -> (StatusCode, String) {
        let request = Request::get(path).body(Body::empty()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn readiness_follows_health_and_liveness_does_not() {
        let health = Health::new();
        let router = router(health.clone(), install_metrics());
        health.set_serving("hubshift.merge.v1.MergeService", false);
        let (status, text) = get_text(&router, "/readyz").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(text.contains("MergeService"), "{text}");
        assert_eq!(get_text(&router, "/healthz").await.0, StatusCode::OK);
        health.set_serving("", true);
        assert_eq!(get_text(&router, "/readyz").await.0, StatusCode::OK);
    }

    #[tokio::test]
    async fn metrics_are_rendered_as_histograms_and_install_twice_is_harmless() {
        let router = router(Health::new(), install_metrics());
        install_metrics();
        metrics::histogram!("admin_test_seconds").record(0.02);
        let (status, text) = get_text(&router, "/metrics").await;
        assert_eq!(status, StatusCode::OK);
        assert!(
            text.contains("admin_test_seconds_bucket{le=\"0.025\"} 1"),
            "{text}"
        );
    }
}
