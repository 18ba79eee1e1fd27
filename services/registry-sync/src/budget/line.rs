//! One class of calls at one hub, as this replica knows it.
//!
//! Not durable: what is known of refusals is told to the database, and kept here until it was.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::meter::Meter;
use super::slots::Slots;

/// A refusal that the other replicas do not know of yet.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Refusal {
    /// Its number.
    pub(super) number: u64,
    /// How much of the pause is left.
    pub(super) pause: Duration,
    /// Calls per second that the hub answered before.
    pub(super) answered: f64,
}

/// A class of calls.
#[derive(Debug)]
pub(super) struct Line {
    /// Who reserves more slots keeps this locked meanwhile: the others wait for the same slots.
    pub(super) slots: tokio::sync::Mutex<Slots>,
    /// Held by the one call, of those that stand in line, that may wait for a slot.
    pub(super) turn: tokio::sync::Mutex<()>,
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    meter: Meter,
    /// The rate that stands, as last heard.
    rate: Option<f64>,
    paused_until: Option<Instant>,
    /// What the meter showed when the pause began.
    answered: f64,
    /// How often a pause began.
    pauses: u64,
    /// Whether slots that are held were reserved before it.
    must_clear: bool,
    /// Refusals so far, and how many of them were told.
    refusals: u64,
    told: u64,
}

impl Line {
    pub(super) fn new(now: Instant) -> Self {
        let known = Known {
            meter: Meter::new(now),
            rate: None,
            paused_until: None,
            answered: 0.0,
            pauses: 0,
            must_clear: false,
            refusals: 0,
            told: 0,
        };
        Self {
            slots: tokio::sync::Mutex::default(),
            turn: tokio::sync::Mutex::default(),
            known: Mutex::new(known),
        }
    }

    /// The hub refused a call and asks for a pause until then. Refusals within a pause are of
    /// calls that were under way: they make it longer and mean nothing else. Whether somebody is to
    /// tell of it: the first one that was not told.
    ///
    /// `whole` is the rate where nothing was refused, if it is known, and `smallest` what every hub
    /// allows.
    pub(super) fn refused(
        &self,
        now: Instant,
        until: Instant,
        whole: Option<f64>,
        smallest: f64,
    ) -> bool {
        let mut known = self.known();
        if known.paused_until.is_none_or(|paused| paused <= now) {
            known.answered = known.meter.rate(now);
            let learned = known.answered.max(smallest);
            known.rate = Some(known.rate.or(whole).unwrap_or(learned) / 2.0);
            known.pauses += 1;
            known.must_clear = true;
        }
        known.paused_until = known.paused_until.max(Some(until));
        known.refusals += 1;
        known.refusals == known.told + 1
    }

    /// The hub answered a call.
    pub(super) fn answered(&self, now: Instant) {
        self.known().meter.count(now);
    }

    /// What is to be told, if there is anything.
    pub(super) fn untold(&self, now: Instant) -> Option<Refusal> {
        let known = self.known();
        let until = known.paused_until?;
        (known.refusals > known.told).then(|| Refusal {
            number: known.refusals,
            pause: until.saturating_duration_since(now),
            answered: known.answered,
        })
    }

    /// All refusals up to this one were told.
    pub(super) fn told(&self, number: u64) {
        let mut known = self.known();
        known.told = known.told.max(number);
    }

    /// How often a pause began: who waited for a slot meanwhile needs another one.
    pub(super) fn pauses(&self) -> u64 {
        self.known().pauses
    }

    /// Whether what is held is to be given up; says it once.
    pub(super) fn must_clear(&self) -> bool {
        std::mem::take(&mut self.known().must_clear)
    }

    /// The rate that stands, as last heard, and until when nothing is to be called.
    pub(super) fn stands(&self) -> (Option<f64>, Option<Instant>) {
        let known = self.known();
        (known.rate, known.paused_until)
    }

    /// The rate was heard.
    pub(super) fn heard(&self, rate: Option<f64>) {
        self.known().rate = rate;
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_secs(10);

    #[test]
    fn many_refusals_of_one_moment_are_one_pause_and_halve_the_rate_once() {
        let now = Instant::now();
        let line = Line::new(now);
        line.heard(Some(8.0));
        assert!(line.refused(now, now + PAUSE, Some(8.0), 1.0), "to be told");
        assert!(!line.refused(now, now + PAUSE * 2, Some(8.0), 1.0));
        assert_eq!(line.stands(), (Some(4.0), Some(now + PAUSE * 2)));
        assert_eq!(line.pauses(), 1);
        assert!(line.must_clear() && !line.must_clear());
        let later = now + PAUSE * 2;
        assert!(
            !line.refused(later, later + PAUSE, Some(8.0), 1.0),
            "untold yet"
        );
        assert_eq!((line.stands().0, line.pauses()), (Some(2.0), 2));
    }

    #[test]
    fn a_refusal_that_came_while_one_was_told_is_told_too() {
        let now = Instant::now();
        let line = Line::new(now);
        assert_eq!(line.untold(now), None);
        line.refused(now, now + PAUSE, None, 1.0);
        let first = line.untold(now + PAUSE / 2).unwrap();
        assert_eq!(first.pause, PAUSE / 2);
        line.refused(now, now + PAUSE, None, 1.0);
        line.told(first.number);
        let second = line.untold(now).unwrap();
        line.told(second.number);
        assert_eq!(line.untold(now), None);
        assert!(
            line.refused(now, now + PAUSE, None, 1.0),
            "to be told again"
        );
    }

    #[test]
    fn a_limit_that_nobody_told_is_half_of_what_was_answered() {
        let now = Instant::now();
        let line = Line::new(now);
        (0..40).for_each(|_| line.answered(now));
        line.refused(now, now + PAUSE, None, 1.0);
        assert_eq!(line.stands().0, Some(20.0));
        assert_eq!(line.untold(now).unwrap().answered, 40.0);
    }

    #[test]
    fn a_refusal_of_the_first_call_is_not_taken_for_a_limit_of_nothing() {
        let now = Instant::now();
        let line = Line::new(now);
        line.refused(now, now + PAUSE, None, 3.0);
        assert_eq!(line.stands().0, Some(1.5));
    }
}
