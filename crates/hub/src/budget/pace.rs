//! How fast calls of one class may go out, as rules over moments.
//!
//! ```text
//! full rate ──429──▶ pause ──▶ half of the rate, growing ──five minutes──▶ full rate
//!                      ▲                  │
//!                      └──429: twice as long, half again
//! ```
//!
//! Keeps true: in any time `t` at most `rate * t + burst` calls go out, and none in a pause. A
//! pace without a rate lets everything go until the first 429, learns from that, and doubles until
//! the next one.

use std::time::Duration;

use tokio::time::Instant;

/// How long it takes from nothing to the full rate.
const RECOVERY: f64 = 300.0;
/// The rate does not fall below this part of the full one.
const FLOOR: f64 = 1.0 / 16.0;
/// The longest pause that is made of shorter ones.
const MAX_PAUSE: Duration = Duration::from_secs(120);
/// The longest pause that anybody may ask for.
const MAX_ASKED: Duration = Duration::from_secs(3600);
/// The longest time between two calls, even where the rate says never.
const MAX_INTERVAL: Duration = Duration::from_secs(3600);
/// The slowest rate that is learned, in calls per second: one call tells little of a quota.
const MIN_LEARNED: f64 = 0.5;
/// In so many seconds a rate that was learned doubles, until the next 429.
const DOUBLING: f64 = 10.0;
/// The fastest rate that counts as learned.
const MAX_LEARNED: f64 = 1e6;
/// Calls of about so many seconds make the rate that is learned from.
const OBSERVED: f64 = 10.0;

/// The pace of one class of calls at one hub.
#[derive(Clone, Debug)]
pub struct Pace {
    /// The most calls per second; infinite where it is not known.
    ceiling: f64,
    /// The rate that halving and recovering are measured by: the ceiling, or what was learned.
    base: f64,
    /// How far ahead of its time a call may go.
    tolerance: Duration,
    /// How much faster than ours the hub's clock runs.
    speed: f64,
    /// The time of the next call if none went ahead.
    due: Option<Instant>,
    trouble: Option<Trouble>,
    round: u64,
    seen: Seen,
}

/// The last 429.
#[derive(Clone, Copy, Debug)]
struct Trouble {
    /// The rate at the end of the pause.
    rate: f64,
    /// The end of the pause.
    open: Instant,
    /// How many pauses in a row came before this one.
    strikes: u32,
}

/// How many calls went out lately; older ones count less and less.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    last: Option<Instant>,
    calls: f64,
}

impl Pace {
    /// A pace of so many calls per second, and so many at once after a rest.
    pub fn new(rate_per_second: f64, burst: f64) -> Self {
        let rate = if rate_per_second.is_nan() {
            0.0
        } else {
            rate_per_second.max(0.0)
        };
        let tolerance = span((burst - 1.0).max(0.0) / rate).unwrap_or_default();
        Self {
            ceiling: rate,
            base: if rate.is_finite() { rate } else { 0.0 },
            tolerance: tolerance.min(MAX_INTERVAL),
            speed: 1.0,
            due: None,
            trouble: None,
            round: 0,
            seen: Seen::default(),
        }
    }

    /// A pace without a rate.
    pub fn unlimited() -> Self {
        Self::new(f64::INFINITY, 1.0)
    }

    /// The same for a hub whose clock runs faster: it recovers as much sooner.
    pub fn with_speed(self, speed: f64) -> Self {
        Self { speed, ..self }
    }

    /// When the next call may go, reserved for it.
    ///
    /// A reservation is void when [`Self::round`] has changed since: then ask again.
    pub fn next(&mut self, now: Instant) -> Instant {
        let at = self.peek(now);
        let due = self.due.map_or(at, |due| due.max(at));
        self.due = Some(due + self.interval(at));
        self.seen.note(at);
        at
    }

    /// When the next call may go, reserved for nobody.
    pub fn peek(&self, now: Instant) -> Instant {
        let open = self.trouble.map_or(now, |trouble| trouble.open.max(now));
        let ahead = self.due.and_then(|due| due.checked_sub(self.tolerance));
        ahead.map_or(open, |ahead| ahead.max(open))
    }

    /// Changes with every 429, which voids what was reserved before it.
    pub fn round(&self) -> u64 {
        self.round
    }

    /// The hub answered 429 and is to be left alone for `pause` at least.
    ///
    /// Calls that were under way together are refused together: within a pause that counts once.
    pub fn throttled(&mut self, now: Instant, pause: Duration) {
        let pause = pause.min(MAX_ASKED);
        let trouble = match self.trouble {
            Some(trouble) if now < trouble.open => Trouble {
                open: trouble.open.max(now + pause),
                ..trouble
            },
            _ => self.new_trouble(now, pause),
        };
        self.trouble = Some(trouble);
        self.round += 1;
        // Nothing is left of the burst, and the first call waits its turn like the others.
        self.due = Some(trouble.open + self.tolerance + self.interval(trouble.open));
    }

    /// The hub answered something else than 429: after the pause that ends the row of pauses.
    pub fn answered(&mut self, now: Instant) {
        if let Some(trouble) = &mut self.trouble
            && now >= trouble.open
        {
            trouble.strikes = 0;
        }
    }

    /// Calls per second at this moment, or at the end of the pause.
    pub fn rate(&self, now: Instant) -> f64 {
        let Some(trouble) = self.trouble else {
            return self.ceiling;
        };
        let seconds = now.duration_since(trouble.open).as_secs_f64() * self.speed;
        if self.ceiling.is_infinite() {
            // What one refusal left tells little of a quota that nobody named.
            return (trouble.rate * (seconds / DOUBLING).exp2()).min(MAX_LEARNED);
        }
        (trouble.rate + self.base * seconds / RECOVERY).min(self.ceiling)
    }

    fn new_trouble(&mut self, now: Instant, pause: Duration) -> Trouble {
        let mut rate = self.rate(now);
        if self.ceiling.is_infinite() {
            let seen = self.seen.rate(now).max(MIN_LEARNED);
            self.base = self.base.max(seen);
            rate = rate.min(seen);
        }
        // One that comes in the first moments after a pause follows on it.
        let strikes = self.trouble.map_or(0, |trouble| trouble.strikes);
        let longest = span(MAX_PAUSE.as_secs_f64() / self.speed).unwrap_or(MAX_PAUSE);
        let grown = pause.saturating_mul(1 << strikes.min(10));
        Trouble {
            rate: (rate / 2.0).max(self.base * FLOOR),
            open: now + grown.min(longest.max(pause)),
            strikes: strikes + 1,
        }
    }

    fn interval(&self, at: Instant) -> Duration {
        span(1.0 / self.rate(at)).map_or(MAX_INTERVAL, |interval| interval.min(MAX_INTERVAL))
    }
}

impl Seen {
    fn note(&mut self, now: Instant) {
        self.calls = self.faded(now) + 1.0;
        self.last = Some(self.last.map_or(now, |last| last.max(now)));
    }

    fn rate(&self, now: Instant) -> f64 {
        self.faded(now) / OBSERVED
    }

    fn faded(&self, now: Instant) -> f64 {
        let Some(last) = self.last else { return 0.0 };
        let seconds = now.duration_since(last).as_secs_f64();
        self.calls * (-seconds / OBSERVED).exp()
    }
}

/// A time of so many seconds; nothing if there is no end to it.
fn span(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok()
}

#[cfg(test)]
mod tests;
