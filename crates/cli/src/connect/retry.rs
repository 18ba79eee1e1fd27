//! When a call is repeated: while its service says `UNAVAILABLE` or the connection breaks, with
//! the same request id, and not for ever.

use std::error::Error as _;
use std::time::Duration;

use tokio::time::Instant;
use tonic::{Code, Status, TimeoutExpired};
use tonic_types::StatusExt as _;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// How much patience is left.
#[derive(Debug)]
pub(super) struct Patience {
    span: Duration,
    end: Instant,
    pause: Duration,
}

impl Patience {
    /// Patience for so long, from now.
    pub(super) fn new(span: Duration) -> Self {
        Self {
            span,
            end: Instant::now() + span,
            pause: FIRST_PAUSE,
        }
    }

    /// Starts again: something was heard.
    pub(super) fn renew(&mut self) {
        *self = Self::new(self.span);
    }

    /// How long to wait before the next try; none to give up. A service's own word about when to
    /// come back counts, and one beyond the end is not waited for.
    pub(super) fn next_pause(&mut self, status: &Status) -> Option<Duration> {
        if !is_repeatable(status) {
            return None;
        }
        let asked = status
            .get_details_retry_info()
            .and_then(|info| info.retry_delay);
        let pause = asked.unwrap_or_default().max(self.pause);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        (Instant::now() + pause <= self.end).then_some(pause)
    }
}

/// Whether the call may be repeated with the same id and end otherwise.
fn is_repeatable(status: &Status) -> bool {
    status.code() == Code::Unavailable || (is_local(status) && !is_timeout(status))
}

/// Whether this process made the status itself, because the connection failed or time ran out.
pub(super) fn is_local(status: &Status) -> bool {
    status.source().is_some()
}

/// Whether this process stopped waiting.
pub(super) fn is_timeout(status: &Status) -> bool {
    let mut source = status.source();
    while let Some(error) = source {
        if error.is::<TimeoutExpired>() {
            return true;
        }
        source = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use hubshift_api::fault;

    use super::*;

    fn unavailable(after: Duration) -> Status {
        fault::retry(Code::Unavailable, "HUB_UNREACHABLE", "no answer", after)
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_until_the_time_is_up() {
        let mut patience = Patience::new(Duration::from_secs(1));
        let status = unavailable(Duration::ZERO);
        let mut waited = Duration::ZERO;
        let mut tries = 0;
        while let Some(pause) = patience.next_pause(&status) {
            tokio::time::advance(pause).await;
            waited += pause;
            tries += 1;
        }
        assert_eq!(tries, 3, "100, 200 and 400 ms");
        assert!(waited <= Duration::from_secs(1));
        patience.renew();
        assert_eq!(patience.next_pause(&status), Some(FIRST_PAUSE));
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_says_when_to_come_back() {
        let mut patience = Patience::new(Duration::from_secs(10));
        let pause = patience.next_pause(&unavailable(Duration::from_secs(3)));
        assert_eq!(pause, Some(Duration::from_secs(3)));
        assert_eq!(
            patience.next_pause(&unavailable(Duration::from_secs(60))),
            None
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_broken_connection_is_tried_again_and_an_expired_deadline_is_not() {
        let mut patience = Patience::new(Duration::from_secs(10));
        let broken = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        assert!(
            patience
                .next_pause(&Status::from_error(Box::new(broken)))
                .is_some()
        );
        let expired = Status::from_error(Box::new(TimeoutExpired(())));
        assert!(is_timeout(&expired));
        assert_eq!(patience.next_pause(&expired), None);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_not_asked_for_twice() {
        let mut patience = Patience::new(Duration::from_secs(10));
        for code in [Code::Aborted, Code::NotFound, Code::Internal, Code::Unknown] {
            assert_eq!(
                patience.next_pause(&Status::new(code, "no")),
                None,
                "{code:?}"
            );
        }
    }
}
