//! Repeating a call that the other side did not answer.
//!
//! Only `UNAVAILABLE` is repeated, and always as the same request: with the same `request_id` a
//! repetition of something that did happen gives the first answer again. Anything else is for the
//! caller to read and decide.

use std::future::Future;
use std::time::Duration;

use hubshift_domain::pacing;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use uuid::Uuid;

/// How often and how long to repeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Repetitions at most.
    pub repetitions: u32,
    /// The first wait is drawn from zero to this.
    pub base: Duration,
    /// No wait is longer, unless the server asks for it.
    pub cap: Duration,
}

impl Default for RetryPolicy {
    /// Eight repetitions within about half a minute.
    fn default() -> Self {
        Self {
            repetitions: 8,
            base: Duration::from_millis(100),
            cap: Duration::from_secs(10),
        }
    }
}

/// A new id for a mutation. Make it once, before the first call, and keep it for every repetition.
pub fn request_id() -> String {
    Uuid::now_v7().to_string()
}

/// Calls, and repeats while the answer is `UNAVAILABLE`, waiting with full jitter and at least as
/// long as the server asks. `call` must make the same request each time.
///
/// # Errors
/// The first status that is not `UNAVAILABLE`, or the last one.
pub async fn retry<T, F, Fut>(policy: RetryPolicy, mut call: F) -> Result<T, Status>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Result<T, Status>>,
{
    let mut attempt = 0;
    loop {
        match call().await {
            Err(status) if status.code() == Code::Unavailable && attempt < policy.repetitions => {
                let wait = wait(policy, attempt, &status);
                tracing::debug!(attempt, ?wait, error = status.message(), "repeating a call");
                tokio::time::sleep(wait).await;
                attempt += 1;
            }
            outcome => return outcome,
        }
    }
}

/// How long to wait after this status: with full jitter, and at least as long as the server asks.
pub(super) fn wait(policy: RetryPolicy, attempt: u32, status: &Status) -> Duration {
    let jitter = pacing::full_jitter(policy.base, policy.cap, attempt, rand::random());
    let asked = status
        .get_details_retry_info()
        .and_then(|info| info.retry_delay);
    asked.unwrap_or_default() + jitter
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    const QUICK: RetryPolicy = RetryPolicy {
        repetitions: 3,
        base: Duration::from_millis(1),
        cap: Duration::from_millis(2),
    };

    async fn calls(code: Code, good_at: u32) -> (Result<(), Code>, u32) {
        let count = Cell::new(0);
        let outcome = retry(QUICK, || {
            count.set(count.get() + 1);
            let is_good = count.get() == good_at;
            async move {
                if is_good {
                    Ok(())
                } else {
                    Err(Status::new(code, ""))
                }
            }
        });
        (outcome.await.map_err(|status| status.code()), count.get())
    }

    #[tokio::test]
    async fn a_call_is_repeated_until_it_is_answered() {
        assert_eq!(calls(Code::Unavailable, 3).await, (Ok(()), 3));
    }

    #[tokio::test]
    async fn repetitions_are_bounded() {
        assert_eq!(
            calls(Code::Unavailable, 99).await,
            (Err(Code::Unavailable), 4)
        );
    }

    #[tokio::test]
    async fn a_refusal_is_not_repeated() {
        for code in [
            Code::Aborted,
            Code::InvalidArgument,
            Code::Internal,
            Code::Unknown,
        ] {
            assert_eq!(calls(code, 2).await, (Err(code), 1));
        }
    }

    #[test]
    fn the_server_is_given_the_time_that_it_asks_for() {
        let asked = Duration::from_secs(7);
        let status = hubshift_api::fault::retry(Code::Unavailable, "X", "", asked);
        assert!(wait(QUICK, 0, &status) >= asked);
    }
}
