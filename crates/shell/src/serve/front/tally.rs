//! What a thread counts, and how it gets to the metrics: plain cells, collected once a second.

use std::cell::Cell;

use super::line::Phase;

/// Counts since the last collection.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) accepted: Count,
    /// Connections above what the process holds.
    pub(super) full: Count,
    /// Connections above what one client may have.
    pub(super) crowded: Count,
    pub(super) handshakes_failed: Count,
    /// Closed before the first byte of HTTP.
    pub(super) silent: Count,
    /// Closed with a part of a request's head.
    pub(super) slow: Count,
    /// Closed when nothing came any more.
    pub(super) idle: Count,
    /// Closed because answers were not read.
    pub(super) unread: Count,
    /// Requests refused because the thread lags.
    pub(super) shed: Count,
    /// Requests refused because their client asks too fast.
    pub(super) too_fast: Count,
}

/// A counter of one thread.
#[derive(Default)]
pub(super) struct Count(Cell<u64>);

impl Count {
    pub(super) fn one(&self) {
        self.0.set(self.0.get() + 1);
    }
}

impl Tally {
    /// A sweep closed a connection there.
    pub(super) fn closed(&self, phase: Phase) {
        match phase {
            Phase::Opening => self.silent.one(),
            Phase::Head => self.slow.one(),
            Phase::Idle | Phase::Busy => self.idle.one(),
            Phase::Multiplexed => self.unread.one(),
        }
    }

    /// Adds everything to the process's metrics, and begins at zero.
    pub(super) fn collect(&self, listener: &'static str) {
        let counts = [
            ("hubshift_front_accepted_total", "", &self.accepted),
            ("hubshift_front_turned_away_total", "full", &self.full),
            ("hubshift_front_turned_away_total", "client", &self.crowded),
            (
                "hubshift_front_handshake_failures_total",
                "",
                &self.handshakes_failed,
            ),
            ("hubshift_front_closed_total", "silent", &self.silent),
            ("hubshift_front_closed_total", "slow_head", &self.slow),
            ("hubshift_front_closed_total", "idle", &self.idle),
            ("hubshift_front_closed_total", "unread", &self.unread),
            ("hubshift_front_refused_total", "OVERLOADED", &self.shed),
            (
                "hubshift_front_refused_total",
                "CLIENT_TOO_FAST",
                &self.too_fast,
            ),
        ];
        for (name, reason, count) in counts {
            let counter = if reason.is_empty() {
                metrics::counter!(name, "listener" => listener)
            } else {
                metrics::counter!(name, "listener" => listener, "reason" => reason)
            };
            counter.increment(count.0.take());
        }
    }
}
