//! What a concierge makes of its looks at a hub: dead after three failures in a row, alive again after
//! two successes in a row. One look alone says nothing, in either direction.

use time::OffsetDateTime;

/// So many failures in a row make a hub dead.
pub const DEAD_AFTER: u32 = 3;
/// So many successes in a row make a dead one alive.
pub const ALIVE_AFTER: u32 = 2;

/// A hub, as seen from one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sight {
    /// Looked at too seldom to say.
    Unknown,
    /// It answers.
    Alive,
    /// It does not.
    Dead,
}

/// The looks of one observer at one hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watch {
    sight: Sight,
    /// When it began to look like that: the first look of those that decided it.
    since: OffsetDateTime,
    /// Looks in a row that were the other way than `sight`, and when the first of them was.
    against: u32,
    against_since: OffsetDateTime,
}

impl Watch {
    /// Nobody has looked yet.
    pub fn new(now: OffsetDateTime) -> Self {
        Self {
            sight: Sight::Unknown,
            since: now,
            against: 0,
            against_since: now,
        }
    }

    /// How it looks.
    pub fn sight(&self) -> Sight {
        self.sight
    }

    /// Since when.
    pub fn since(&self) -> OffsetDateTime {
        self.since
    }

    /// Takes a look in. Returns whether that is news: a hub that died, or one that came back. One
    /// that is alive when it is looked at for the first time is none.
    pub fn look(&mut self, answered: bool, now: OffsetDateTime) -> bool {
        let (seen, needed) = match answered {
            true => (Sight::Alive, ALIVE_AFTER),
            false => (Sight::Dead, DEAD_AFTER),
        };
        if seen == self.sight {
            self.against = 0;
            return false;
        }
        if self.sight == Sight::Unknown && answered {
            self.turn(Sight::Alive, now);
            return false;
        }
        if self.against == 0 {
            self.against_since = now;
        }
        self.against += 1;
        if self.against < needed {
            return false;
        }
        self.turn(seen, self.against_since);
        true
    }

    fn turn(&mut self, sight: Sight, since: OffsetDateTime) {
        (self.sight, self.since, self.against) = (sight, since, 0);
    }
}

/// What several observers make of one hub.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Who sees it alive.
    pub alive: u64,
    /// Who sees it dead.
    pub dead: u64,
}

impl Tally {
    /// Whether more see it dead than alive. Nobody is no majority.
    pub fn is_dead(self) -> bool {
        self.dead > self.alive
    }

    /// How many looked.
    pub fn observers(self) -> u64 {
        self.alive + self.dead
    }
}

#[cfg(test)]
mod tests {
    use time::Duration;

    use super::*;

    const START: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

    /// Looks once a second; returns the seconds of its news.
    fn news(watch: &mut Watch, looks: &[bool]) -> Vec<usize> {
        let mut look = |(second, answered): (usize, &bool)| {
            let now = START + Duration::seconds(second as i64);
            watch.look(*answered, now).then_some(second)
        };
        looks.iter().enumerate().filter_map(&mut look).collect()
    }

    #[test]
    fn three_failures_kill_and_two_successes_revive_each_since_the_first_of_them() {
        let mut watch = Watch::new(START);
        assert_eq!(news(&mut watch, &[true, false, false, false]), [3]);
        assert_eq!(watch.sight(), Sight::Dead);
        assert_eq!(watch.since(), START + Duration::seconds(1));
        assert_eq!(news(&mut watch, &[false, true, true, true]), [2]);
        assert_eq!(watch.sight(), Sight::Alive);
        assert_eq!(watch.since(), START + Duration::seconds(1));
    }

    #[test]
    fn looks_that_are_not_in_a_row_change_nothing() {
        let mut watch = Watch::new(START);
        let flaky = [true, false, false, true, false, false, true];
        assert!(news(&mut watch, &flaky).is_empty());
        assert_eq!(watch.sight(), Sight::Alive);
        assert_eq!(news(&mut watch, &[false, false, false]), [2]);
        assert!(news(&mut watch, &[true, false, true, false]).is_empty());
        assert_eq!(watch.sight(), Sight::Dead);
    }

    #[test]
    fn a_hub_that_was_never_seen_alive_is_dead_after_three_looks_and_that_is_news() {
        let mut watch = Watch::new(START);
        assert_eq!(news(&mut watch, &[false, false]), [0usize; 0]);
        assert_eq!(watch.sight(), Sight::Unknown);
        assert_eq!(news(&mut watch, &[false]), [0]);
        assert_eq!(watch.since(), START);
        let mut alive = Watch::new(START);
        assert!(news(&mut alive, &[true]).is_empty());
        assert_eq!(alive.sight(), Sight::Alive);
    }

    #[test]
    fn a_majority_kills_and_half_does_not() {
        let tally = |alive, dead| Tally { alive, dead };
        assert!(tally(1, 2).is_dead());
        assert!(!tally(1, 1).is_dead());
        assert!(!tally(0, 0).is_dead());
        assert!(tally(0, 1).is_dead());
        assert_eq!(tally(1, 2).observers(), 3);
    }
}
