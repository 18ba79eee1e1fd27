//! Waiting for a condition, with a deadline.

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;

/// How often the condition is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Polls `condition` until it holds; false when it doesn't within `deadline`. It is looked at once
/// at least, and once more when the time is up.
#[must_use = "a condition that never held is what the test is about"]
pub async fn eventually<C, F>(deadline: Duration, mut condition: C) -> bool
where
    C: FnMut() -> F,
    F: Future<Output = bool>,
{
    let end = Instant::now() + deadline;
    loop {
        let last = Instant::now() >= end;
        if condition().await {
            return true;
        }
        if last {
            return false;
        }
        tokio::time::sleep(LOOK).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn returns_as_soon_as_the_condition_holds() {
        let looks = AtomicU32::new(0);
        let third = || async { looks.fetch_add(1, Ordering::Relaxed) == 2 };
        assert!(eventually(Duration::from_secs(60), third).await);
        assert_eq!(looks.into_inner(), 3);
    }

    #[tokio::test]
    async fn gives_up_at_the_deadline() {
        assert!(!eventually(Duration::ZERO, || async { false }).await);
    }
}
