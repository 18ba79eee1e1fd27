//! Logs and traces of a process.
//!
//! Logs go to standard error, for people or as one JSON object a line. Every span of Hubshift's
//! own code also becomes an OpenTelemetry span, whatever the log filter says, so that a trace id
//! exists and travels even when nothing is exported. Spans leave the process by OTLP (gRPC, in
//! batches) only if an endpoint is configured. Lost on a crash: what was not yet exported.

use std::time::Duration;

use anyhow::Context as _;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::WithExportConfig as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use serde::Deserialize;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, fmt};

/// How long a process waits at its end for the last spans to leave.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(3);

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For a terminal.
    #[default]
    Human,
    /// One JSON object a line.
    Json,
}

/// Configuration of logs and traces.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TelemetryConfig {
    /// How log lines look.
    pub log_format: LogFormat,
    /// Which events are logged, as in `RUST_LOG`: `info,hubshift=debug`.
    pub log_filter: String,
    /// Where spans go, `http://collector:4317`; nowhere if absent or empty.
    pub otlp_endpoint: Option<String>,
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        Self {
            log_format: LogFormat::Human,
            log_filter: "info,hubshift=info".to_owned(),
            otlp_endpoint: None,
        }
    }
}

/// Keeps telemetry running; the last spans are flushed when it is dropped.
#[must_use = "spans stop being exported when the guard is dropped"]
#[derive(Debug)]
pub struct TelemetryGuard {
    provider: SdkTracerProvider,
}

impl TelemetryGuard {
    /// Exports what is left and stops, within three seconds. Dropping the guard does the same.
    pub fn shutdown(self) {}
}

impl Drop for TelemetryGuard {
    fn drop(&mut self) {
        if let Err(error) = self.provider.shutdown_with_timeout(FLUSH_TIMEOUT) {
            tracing::debug!(%error, "telemetry did not shut down cleanly");
        }
    }
}

/// Starts logs and traces for the whole process. Call it once, inside a tokio runtime.
///
/// # Errors
/// A filter that does not parse, an unusable endpoint, or a second call in one process.
pub fn init(service: &'static str, config: &TelemetryConfig) -> anyhow::Result<TelemetryGuard> {
    let filter = EnvFilter::try_new(&config.log_filter)
        .with_context(|| format!("log_filter `{}` is not a filter", config.log_filter))?;
    let provider = provider(service, config.otlp_endpoint.as_deref())?;
    opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
    opentelemetry::global::set_tracer_provider(provider.clone());
    tracing_subscriber::registry()
        .with(otel_layer(&provider))
        .with(log_layer(config.log_format).with_filter(filter))
        .try_init()
        .context("logs are already set up in this process")?;
    Ok(TelemetryGuard { provider })
}

/// The layer that turns Hubshift's own spans (targets `hubshift…`) into OpenTelemetry spans.
pub(crate) fn otel_layer<S>(provider: &SdkTracerProvider) -> impl Layer<S> + Send + Sync + use<S>
where
    S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
{
    tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("hubshift"))
        .with_location(false)
        .with_threads(false)
        .with_filter(Targets::new().with_target("hubshift", LevelFilter::INFO))
}

fn log_layer<S>(format: LogFormat) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
{
    // Colours are for a person's terminal, not for a file.
    let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let layer = fmt::layer().with_writer(std::io::stderr).with_ansi(colours);
    match format {
        LogFormat::Human => Box::new(layer),
        LogFormat::Json => Box::new(layer.json().flatten_event(true).with_current_span(true)),
    }
}

fn provider(service: &'static str, endpoint: Option<&str>) -> anyhow::Result<SdkTracerProvider> {
    let resource = Resource::builder().with_service_name(service).build();
    let builder = SdkTracerProvider::builder().with_resource(resource);
    let Some(endpoint) = endpoint.filter(|endpoint| !endpoint.is_empty()) else {
        return Ok(builder.build());
    };
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_tonic()
        .with_endpoint(endpoint)
        .with_timeout(FLUSH_TIMEOUT)
        .build()
        .with_context(|| format!("otlp_endpoint `{endpoint}` cannot be used"))?;
    Ok(builder.with_batch_exporter(exporter).build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_human_info_and_no_export() {
        let config = TelemetryConfig::default();
        assert_eq!(config.log_format, LogFormat::Human);
        assert!(EnvFilter::try_new(&config.log_filter).is_ok());
        assert_eq!(config.otlp_endpoint, None);
    }

    #[test]
    fn a_broken_filter_is_refused_by_its_text() {
        let config = TelemetryConfig {
            log_filter: "info,hubshift=loud".to_owned(),
            ..Default::default()
        };
        let error = init("test", &config).unwrap_err().to_string();
        assert!(error.contains("hubshift=loud"), "{error}");
    }
}
