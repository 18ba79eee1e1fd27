//! The concierges that a device may ask.
//!
//! Kept true: the one that answered last is asked first; none is asked before the time that it
//! named in `Retry-After`; none is asked for its keys twice within a minute.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use hubshift_domain::pacing;
use reqwest::Url;

/// No concierge puts a device off for longer, jitter aside: its word is not signed.
const MAX_HOLD: Duration = Duration::from_secs(3600);
/// A key that nobody vouches for costs a concierge one look at its key set per device and minute.
const KEYS_PAUSE: Duration = Duration::from_secs(60);

/// All of them, in the order of preference.
pub(super) struct Concierges {
    all: Vec<Concierge>,
    /// The one that answered last.
    current: usize,
}

struct Concierge {
    url: Url,
    not_before: Option<Instant>,
    keys_asked: Option<Instant>,
}

impl Concierges {
    pub(super) fn new(urls: Vec<Url>) -> Self {
        let fresh = |url| Concierge {
            url,
            not_before: None,
            keys_asked: None,
        };
        Self {
            all: urls.into_iter().map(fresh).collect(),
            current: 0,
        }
    }

    /// Those that may be asked now, the one that answered last first.
    pub(super) fn order(&self, now: Instant) -> VecDeque<usize> {
        let count = self.all.len();
        (0..count)
            .map(|turn| (self.current + turn) % count)
            .filter(|place| self.all[*place].not_before.is_none_or(|at| at <= now))
            .collect()
    }

    /// When one of them may be asked; `None`: at any time.
    pub(super) fn free_at(&self) -> Option<Instant> {
        self.all.iter().map(|one| one.not_before).min().flatten()
    }

    pub(super) fn url(&self, place: usize) -> &Url {
        &self.all[place].url
    }

    pub(super) fn current(&self) -> usize {
        self.current
    }

    /// This one answered.
    pub(super) fn answered(&mut self, place: usize) {
        self.current = place;
        self.all[place].not_before = None;
    }

    /// This one asked for time.
    pub(super) fn hold_off(&mut self, place: usize, asked: Duration, now: Instant, random: u64) {
        self.all[place].not_before = Some(now + hold(asked, random));
    }

    /// Whether this one may be asked for its key set because of an unknown key; notes that it is.
    pub(super) fn take_keys_turn(&mut self, place: usize, now: Instant) -> bool {
        let asked = &mut self.all[place].keys_asked;
        let is_free = asked.is_none_or(|at| now.saturating_duration_since(at) >= KEYS_PAUSE);
        if is_free {
            *asked = Some(now);
        }
        is_free
    }
}

/// Never sooner than asked, and spread over as long again: those that were refused together must
/// not come back together.
pub(super) fn hold(asked: Duration, random: u64) -> Duration {
    let asked = asked.min(MAX_HOLD);
    asked + pacing::share(asked, random)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three() -> Concierges {
        let url = |host: &str| -> Url { format!("https://{host}.example").parse().unwrap() };
        Concierges::new(["a", "b", "c"].map(url).to_vec())
    }

    #[test]
    fn the_one_that_answered_last_is_asked_first() {
        let now = Instant::now();
        let mut concierges = three();
        assert_eq!(concierges.order(now), [0, 1, 2]);
        concierges.answered(1);
        assert_eq!(concierges.order(now), [1, 2, 0]);
    }

    #[test]
    fn one_that_asked_for_time_gets_it_and_the_others_are_asked() {
        let now = Instant::now();
        let mut concierges = three();
        concierges.hold_off(0, Duration::from_secs(30), now, 0);
        assert_eq!(concierges.order(now + Duration::from_secs(29)), [1, 2]);
        assert_eq!(concierges.order(now + Duration::from_secs(30)), [0, 1, 2]);
        assert_eq!(concierges.free_at(), None);
        concierges.hold_off(1, Duration::from_secs(10), now, 0);
        concierges.hold_off(2, Duration::from_secs(20), now, u64::MAX);
        assert!(concierges.order(now).is_empty());
        assert_eq!(concierges.free_at(), Some(now + Duration::from_secs(10)));
    }

    #[test]
    fn a_wait_is_never_shortened_and_bounded_by_an_hour_and_its_jitter() {
        let minute = Duration::from_secs(60);
        assert_eq!(hold(minute, 0), minute);
        assert_eq!(hold(minute, u64::MAX), minute * 2);
        assert_eq!(hold(minute * 10_000, 0), MAX_HOLD);
    }

    #[test]
    fn keys_are_asked_for_once_a_minute_and_concierge() {
        let now = Instant::now();
        let mut concierges = three();
        assert!(concierges.take_keys_turn(0, now));
        assert!(!concierges.take_keys_turn(0, now + Duration::from_secs(59)));
        assert!(concierges.take_keys_turn(1, now));
        assert!(concierges.take_keys_turn(0, now + KEYS_PAUSE));
    }
}
