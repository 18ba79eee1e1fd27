//! Work that never ends: states that must stay equal. No input, no retry inside: the next tick is
//! the retry.

pub(crate) mod contact;
pub(crate) mod housekeeping;
pub(crate) mod sync;
pub(crate) mod unknown;

use std::future::Future;
use std::time::Duration;

use rand::Rng as _;
use tokio_util::sync::CancellationToken;

/// Ticks every `interval`, give or take a tenth, until cancelled. A tick that fails is logged.
pub(crate) async fn every<S, E, F>(
    name: &'static str,
    interval: Duration,
    cancel: CancellationToken,
    tick: impl Fn() -> F + Send,
) where
    F: Future<Output = Result<S, E>> + Send,
    S: std::fmt::Debug + Send,
    E: std::error::Error + Send + 'static,
{
    while !cancel.is_cancelled() {
        match tick().await {
            Ok(summary) => tracing::trace!(name, ?summary, "ticked"),
            Err(error) => {
                metrics::counter!("hubshift_reconcile_failed_total", "name" => name).increment(1);
                let error = &error as &dyn std::error::Error;
                tracing::debug!(name, error, "tick failed, the next one tries again");
            }
        }
        tokio::select! {
            () = tokio::time::sleep(jittered(interval)) => {}
            () = cancel.cancelled() => {}
        }
    }
}

/// So that replicas do not tick in step.
pub(crate) fn jittered(interval: Duration) -> Duration {
    interval.mul_f64(rand::rng().random_range(0.9..1.1))
}
