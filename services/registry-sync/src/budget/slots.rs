//! The slots that this replica holds of a hub's timeline of calls. Pure: time is passed in.
//!
//! Kept true: a slot is given to one call, not before its time, and not much later than that
//! either: who did not come for its slots does not get them all at once.

use std::time::Duration;

use tokio::time::Instant;

/// Calls that may be made at once after a quiet time, so that a person who asks for two things
/// does not wait for the second.
pub(super) const BURST: f64 = 4.0;
/// Slots that passed by unused for this long can still be had: a moment in which a pass looks at
/// its database costs it no time.
pub(super) const CATCH_UP: Duration = Duration::from_millis(500);
/// And a little longer here than where they are reserved, so that a slot which is the oldest to be
/// had does not grow too old on its way.
const SLACK: Duration = Duration::from_millis(100);
/// How long it is believed that nothing is limited.
const LOOK: Duration = Duration::from_secs(1);
/// How much of the timeline is reserved at once, at most.
const STRETCH: f64 = 1.0;
/// And in slots.
const MOST: f64 = 1000.0;
/// How many replicas are assumed to share the rate while nobody can be asked.
const OTHERS: f64 = 4.0;
/// For how long slots are made up while nobody can be asked.
const LAPSE: Duration = Duration::from_secs(2);

/// What the next call has to wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing.
    Free,
    /// This moment, which may have passed.
    At(Instant),
    /// No slot is held: more are to be reserved.
    Empty,
}

/// A stretch of the timeline.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    first: Instant,
    spacing: Duration,
    count: u32,
    /// The next slot.
    next: u32,
    /// Slots that were given to calls.
    used: u32,
    /// How much later than its time a slot can be had.
    late: Duration,
}

/// What this replica holds.
#[derive(Debug, Default)]
pub(super) struct Slots {
    stretch: Option<Stretch>,
    free_until: Option<Instant>,
    held_until: Option<Instant>,
}

impl Slots {
    /// What the next call has to wait for. Slots that are too old are given up.
    pub(super) fn next(&mut self, now: Instant) -> Next {
        if self.free_until.is_some_and(|until| until > now) {
            return Next::Free;
        }
        let Some(stretch) = &mut self.stretch else {
            return Next::Empty;
        };
        stretch.skip(now);
        if stretch.next < stretch.count {
            Next::At(stretch.at(stretch.next))
        } else {
            Next::Empty
        }
    }

    /// Gives the next slot to a call.
    pub(super) fn take(&mut self) {
        if let Some(stretch) = &mut self.stretch {
            stretch.next += 1;
            stretch.used += 1;
        }
    }

    /// How many slots to reserve: twice as many as before while they are all used, else as many as
    /// were; never more than a second's worth. So a quiet replica does not keep busy ones waiting.
    pub(super) fn wanted(&self, rate: Option<f64>) -> u32 {
        let most = rate.map_or(1.0, |rate| (rate * STRETCH).clamp(1.0, MOST)) as u32;
        let wanted = match &self.stretch {
            None => 1,
            Some(last) if last.used == last.count => last.count.saturating_mul(2),
            Some(last) => last.used.max(1),
        };
        wanted.min(most)
    }

    /// Takes what was reserved: so many slots, whose stretch ends `end_in` seconds from now; or,
    /// without a rate, the word that nothing is limited.
    pub(super) fn fill(&mut self, now: Instant, count: u32, end_in: f64, rate: Option<f64>) {
        self.held_until = None;
        let Some(rate) = rate else {
            self.free_until = Some(now + LOOK);
            return;
        };
        let begin_in = end_in - f64::from(count) / rate;
        let first = match begin_in < 0.0 {
            true => before(now, seconds(-begin_in)),
            false => now + seconds(begin_in),
        };
        self.set(Stretch::new(first, rate, count));
    }

    /// Nobody can be asked: makes slots up at a part of the last known rate, after all that were
    /// held and not before `not_before`. Where no limit was known there is none now.
    pub(super) fn lapse(&mut self, now: Instant, rate: Option<f64>, not_before: Option<Instant>) {
        let Some(rate) = rate.map(|rate| rate / OTHERS) else {
            self.free_until = Some(now + LAPSE);
            return;
        };
        let end = self.stretch.map(|held| held.at(held.count));
        let first = [end, not_before]
            .into_iter()
            .flatten()
            .fold(now, Instant::max);
        let count = (rate * LAPSE.as_secs_f64()).clamp(1.0, MOST) as u32;
        self.set(Stretch::new(first, rate, count));
    }

    /// Nothing before this moment for who spares the day's messages.
    pub(super) fn hold(&mut self, until: Instant) {
        self.held_until = Some(until);
    }

    /// How long that still is; nothing when it is over.
    pub(super) fn held(&self, now: Instant) -> Option<Duration> {
        let left = self.held_until?.saturating_duration_since(now);
        (!left.is_zero()).then_some(left)
    }

    /// Gives up what is held.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    fn set(&mut self, stretch: Stretch) {
        self.free_until = None;
        self.stretch = Some(stretch);
    }
}

impl Stretch {
    fn new(first: Instant, rate: f64, count: u32) -> Self {
        Self {
            first,
            spacing: seconds(1.0 / rate).max(Duration::from_nanos(1)),
            count,
            next: 0,
            used: 0,
            late: seconds(BURST / rate).max(CATCH_UP) + SLACK,
        }
    }

    fn at(&self, slot: u32) -> Instant {
        self.first + self.spacing.saturating_mul(slot)
    }

    /// Gives up slots that can't be had any more.
    fn skip(&mut self, now: Instant) {
        let passed = before(now, self.late).saturating_duration_since(self.first);
        let gone = passed.as_nanos().div_ceil(self.spacing.as_nanos());
        let gone = u32::try_from(gone).unwrap_or(self.count).min(self.count);
        self.next = self.next.max(gone);
    }
}

/// So long before; now itself, if the clock does not go back that far.
fn before(now: Instant, span: Duration) -> Instant {
    now.checked_sub(span).unwrap_or(now)
}

/// A span of so many seconds; nothing for what is none, a year at most.
pub(super) fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds.clamp(0.0, 3e7)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Takes all that can be had: how long each call has to wait.
    fn drain(slots: &mut Slots, now: Instant) -> Vec<Duration> {
        let mut all = Vec::new();
        while let Next::At(at) = slots.next(now) {
            all.push(at.saturating_duration_since(now));
            slots.take();
        }
        all
    }

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn slots_are_given_one_by_one_at_their_times() {
        let (mut slots, now) = (Slots::default(), Instant::now());
        assert_eq!(slots.next(now), Next::Empty);
        slots.fill(now, 4, 2.5, Some(2.0));
        assert_eq!(
            drain(&mut slots, now),
            [ms(500), ms(1000), ms(1500), ms(2000)]
        );
        assert_eq!(slots.next(now), Next::Empty);
    }

    #[test]
    fn a_slot_that_passed_by_can_be_had_for_a_moment_and_not_much_later() {
        let (mut slots, now) = (Slots::default(), Instant::now());
        slots.fill(now, 100, 1.0, Some(100.0));
        let soon = now + ms(400);
        assert_eq!(slots.next(soon), Next::At(now));
        let later = now + ms(800);
        assert_eq!(slots.next(later), Next::At(now + ms(200)));
        assert_eq!(slots.next(now + 2 * SECOND), Next::Empty);
    }

    #[test]
    fn what_was_reserved_in_the_past_is_a_burst_of_a_few() {
        let (mut slots, now) = (Slots::default(), Instant::now());
        // A slow class: four calls at once at most, though ten are overdue.
        slots.fill(now, 10, 0.0, Some(1.0));
        assert_eq!(drain(&mut slots, now), [Duration::ZERO; 4]);
    }

    #[test]
    fn a_busy_replica_reserves_more_and_a_quiet_one_less() {
        let (mut slots, now) = (Slots::default(), Instant::now());
        let mut reserved = Vec::new();
        for _ in 0..8 {
            let count = slots.wanted(Some(80.0));
            reserved.push(count);
            slots.fill(now, count, f64::from(count) / 80.0, Some(80.0));
            drain(&mut slots, now);
        }
        assert_eq!(reserved, [1, 2, 4, 8, 16, 32, 64, 80]);
        slots.fill(now, 80, 1.0, Some(80.0));
        (0..3).for_each(|_| slots.take());
        assert_eq!(slots.wanted(Some(80.0)), 3);
        assert_eq!(slots.wanted(Some(0.8)), 1);
    }

    #[test]
    fn without_a_limit_calls_are_free_for_a_while() {
        let (mut slots, now) = (Slots::default(), Instant::now());
        slots.fill(now, 1, 0.0, None);
        assert_eq!(slots.next(now + ms(900)), Next::Free);
        assert_eq!(slots.next(now + SECOND), Next::Empty);
    }

    #[test]
    fn when_nobody_can_be_asked_a_quarter_of_the_rate_is_used() {
        let (mut slots, now) = (Slots::default(), Instant::now());
        slots.fill(now, 10, 1.0, Some(10.0));
        drain(&mut slots, now);
        slots.lapse(now, Some(10.0), None);
        let made_up = drain(&mut slots, now);
        assert_eq!(made_up.len(), 5);
        assert_eq!((made_up[0], made_up[1]), (SECOND, ms(1400)));
        slots.lapse(now, Some(0.1), Some(now + 600 * SECOND));
        assert_eq!(drain(&mut slots, now), [600 * SECOND]);
        let mut unlimited = Slots::default();
        unlimited.lapse(now, None, None);
        assert_eq!(unlimited.next(now), Next::Free);
    }

    #[test]
    fn a_hold_takes_no_slot_away_and_a_refusal_gives_all_up() {
        let (mut slots, now) = (Slots::default(), Instant::now());
        slots.fill(now, 10, 1.0, Some(10.0));
        slots.hold(now + SECOND);
        assert_eq!(slots.held(now), Some(SECOND));
        assert_eq!(slots.held(now + SECOND), None);
        assert_eq!(slots.next(now), Next::At(now));
        slots.clear();
        assert_eq!(slots.held(now), None);
        assert_eq!(slots.next(now), Next::Empty);
        assert_eq!(slots.wanted(Some(10.0)), 1);
    }
}
