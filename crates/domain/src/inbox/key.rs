//! What was applied of one key of one origin, and what waits.
//!
//! ```text
//! earlier epoch ─▶ Late      later epoch ─▶ Ahead      version 0 ─▶ DeadLetter
//! state:  version > last ─▶ Apply (and what now follows it is released), else Stale
//! delta:  last + 1 ─▶ Apply and release, above ─▶ Park (Pull when too many), else Stale
//! delete: Apply once; everything after it is Stale
//! late, in the merge: the same order without regard to the epoch; a deletion ends nothing
//! ```

use std::collections::BTreeMap;

use time::{Duration, OffsetDateTime};

use crate::epoch::Epoch;
use crate::hub_state::named;
use crate::identity::Incarnation;

/// How many deltas of a key may wait.
pub const MAX_PARKED: usize = 1024;

named!(
    /// What an event carries.
    EventKind {
        /// The whole state of the key.
        State = "state",
        /// A change of the state before it.
        Delta = "delta",
        /// The end of this life of the key.
        Delete = "delete",
    }
);

named!(
    /// What becomes of an event.
    Decision {
        /// It is applied.
        Apply = "apply",
        /// A later one was applied already: counted, nothing else.
        Stale = "stale",
        /// It waits for those before it.
        Park = "park",
        /// It is of an earlier epoch: evidence for the merge.
        Late = "late",
        /// It is of a later epoch than we know: it waits until we know more.
        Ahead = "ahead",
        /// It can't be applied ever: kept for a person to look at.
        DeadLetter = "dead_letter",
        /// Too much is missing: the key's current state must be fetched from its origin.
        Pull = "pull",
    }
);

/// What the inbox needs to know of an event to order it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What it carries.
    pub kind: EventKind,
    /// Its number among the events of its key; the first is 1.
    pub key_version: u64,
    /// The epoch that its producer lived by.
    pub epoch: Epoch,
    /// The life of the device that it is about.
    pub incarnation: Incarnation,
}

/// How things stand when an event is decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Now {
    /// The fleet's epoch.
    pub epoch: Epoch,
    /// The last deleted life of the device; 0 for none.
    pub deleted_up_to: Incarnation,
    /// The time, by the database's clock.
    pub time: OffsetDateTime,
}

/// What becomes of an event, and which waiting ones are now to be applied after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What becomes of it.
    pub decision: Decision,
    /// The key versions of parked deltas to apply now, in this order.
    pub released: Vec<u64>,
}

impl Step {
    /// A decision that releases nothing.
    pub fn of(decision: Decision) -> Self {
        Self {
            decision,
            released: vec![],
        }
    }
}

/// What was applied of one key, in one of its lives, from one origin.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyState {
    last: u64,
    deleted: bool,
    parked: BTreeMap<u64, OffsetDateTime>,
}

impl KeyState {
    /// From what was stored.
    pub fn restore(
        last: u64,
        deleted: bool,
        parked: impl IntoIterator<Item = (u64, OffsetDateTime)>,
    ) -> Self {
        Self {
            last,
            deleted,
            parked: parked.into_iter().collect(),
        }
    }

    /// The last version that was applied; 0 for none.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// Whether a deletion was applied.
    pub fn is_deleted(&self) -> bool {
        self.deleted
    }

    /// The versions that wait, and since when.
    pub fn parked(&self) -> impl Iterator<Item = (u64, OffsetDateTime)> {
        self.parked
            .iter()
            .map(|(version, since)| (*version, *since))
    }

    /// Decides what becomes of a new event.
    pub fn decide(&mut self, event: &Event, now: &Now) -> Step {
        if event.key_version == 0 {
            return Step::of(Decision::DeadLetter);
        }
        if event.epoch < now.epoch {
            return Step::of(Decision::Late);
        }
        if event.epoch > now.epoch {
            return Step::of(Decision::Ahead);
        }
        if self.deleted || event.incarnation <= now.deleted_up_to {
            return Step::of(Decision::Stale);
        }
        match event.kind {
            EventKind::State => self.state(event.key_version),
            EventKind::Delta => self.delta(event.key_version, now.time),
            EventKind::Delete => self.delete(event.key_version),
        }
    }

    /// Decides what becomes of a late event when the merge takes it: it takes its place in the
    /// order of its key. A late deletion ends nothing, as what came after its epoch stands; it is
    /// only not waited for any more.
    pub fn decide_late(&mut self, event: &Event, time: OffsetDateTime) -> Step {
        let version = event.key_version;
        match event.kind {
            EventKind::Delete if self.deleted || version <= self.last => Step::of(Decision::Stale),
            EventKind::Delete => self.applied(version),
            EventKind::State | EventKind::Delta => {
                let now = Now {
                    epoch: event.epoch,
                    deleted_up_to: 0,
                    time,
                };
                self.decide(event, &now)
            }
        }
    }

    fn state(&mut self, version: u64) -> Step {
        if version <= self.last {
            return Step::of(Decision::Stale);
        }
        self.applied(version)
    }

    fn delta(&mut self, version: u64, now: OffsetDateTime) -> Step {
        if version <= self.last || self.parked.contains_key(&version) {
            return Step::of(Decision::Stale);
        }
        if version == self.last + 1 {
            return self.applied(version);
        }
        if self.parked.len() >= MAX_PARKED {
            return Step::of(Decision::Pull);
        }
        self.parked.insert(version, now);
        Step::of(Decision::Park)
    }

    /// A deletion ends the key whatever came before it: nothing of this life follows.
    fn delete(&mut self, version: u64) -> Step {
        self.deleted = true;
        self.last = self.last.max(version);
        self.parked.clear();
        Step::of(Decision::Apply)
    }

    fn applied(&mut self, version: u64) -> Step {
        Step {
            decision: Decision::Apply,
            released: self.advance(version),
        }
    }

    /// Moves to `version`, drops what it supersedes and takes out what directly follows.
    fn advance(&mut self, version: u64) -> Vec<u64> {
        self.last = version;
        self.parked = self.parked.split_off(&(version + 1));
        let mut released = vec![];
        while self.parked.remove(&(self.last + 1)).is_some() {
            self.last += 1;
            released.push(self.last);
        }
        released
    }

    /// Whether a delta has waited longer than `patience`: then the key's current state must be
    /// fetched.
    pub fn is_overdue(&self, now: OffsetDateTime, patience: Duration) -> bool {
        self.parked.values().any(|since| now - *since > patience)
    }

    /// The key's current state was fetched and applied; it includes all up to `version`. Returns
    /// the versions of parked deltas to apply after it.
    pub fn pulled(&mut self, version: u64) -> Vec<u64> {
        match self.deleted || version <= self.last {
            true => vec![],
            false => self.advance(version),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: EventKind, key_version: u64, epoch: u64) -> Event {
        Event {
            kind,
            key_version,
            epoch: Epoch(epoch),
            incarnation: 1,
        }
    }

    fn now() -> Now {
        Now {
            epoch: Epoch(5),
            deleted_up_to: 0,
            time: OffsetDateTime::UNIX_EPOCH,
        }
    }

    fn decide(key: &mut KeyState, kind: EventKind, version: u64) -> (Decision, Vec<u64>) {
        let step = key.decide(&event(kind, version, 5), &now());
        (step.decision, step.released)
    }

    #[test]
    fn deltas_wait_for_their_turn_and_a_state_takes_the_place_of_many() {
        let mut key = KeyState::default();
        assert_eq!(
            decide(&mut key, EventKind::Delta, 2),
            (Decision::Park, vec![])
        );
        assert_eq!(
            decide(&mut key, EventKind::Delta, 3),
            (Decision::Park, vec![])
        );
        assert_eq!(
            decide(&mut key, EventKind::Delta, 1),
            (Decision::Apply, vec![2, 3])
        );
        assert_eq!(
            decide(&mut key, EventKind::Delta, 7),
            (Decision::Park, vec![])
        );
        assert_eq!(
            decide(&mut key, EventKind::State, 6),
            (Decision::Apply, vec![7])
        );
        assert_eq!(
            decide(&mut key, EventKind::State, 5),
            (Decision::Stale, vec![])
        );
        assert_eq!(
            decide(&mut key, EventKind::Delta, 4),
            (Decision::Stale, vec![])
        );
        assert_eq!(key.last(), 7);
    }

    #[test]
    fn other_epochs_and_deleted_lives_are_never_applied() {
        let mut key = KeyState::default();
        let kind = EventKind::State;
        assert_eq!(
            key.decide(&event(kind, 1, 4), &now()).decision,
            Decision::Late
        );
        assert_eq!(
            key.decide(&event(kind, 1, 6), &now()).decision,
            Decision::Ahead
        );
        assert_eq!(
            key.decide(&event(kind, 0, 5), &now()).decision,
            Decision::DeadLetter
        );
        let gone = Now {
            deleted_up_to: 1,
            ..now()
        };
        assert_eq!(
            key.decide(&event(kind, 1, 5), &gone).decision,
            Decision::Stale
        );
        assert_eq!(key, KeyState::default());
    }

    #[test]
    fn a_late_event_takes_its_place_in_the_order_of_its_key() {
        let mut key = KeyState::default();
        let start = OffsetDateTime::UNIX_EPOCH;
        let late = |key: &mut KeyState, kind, version| {
            let step = key.decide_late(&event(kind, version, 4), start);
            (step.decision, step.released)
        };
        decide(&mut key, EventKind::Delta, 1);
        decide(&mut key, EventKind::Delta, 3);
        let delta = EventKind::Delta;
        assert_eq!(late(&mut key, delta, 1), (Decision::Stale, vec![]));
        assert_eq!(late(&mut key, delta, 5), (Decision::Park, vec![]));
        assert_eq!(late(&mut key, delta, 2), (Decision::Apply, vec![3]));
        let deletion = late(&mut key, EventKind::Delete, 4);
        assert_eq!(deletion, (Decision::Apply, vec![5]));
        assert!(!key.is_deleted());
        decide(&mut key, EventKind::Delete, 6);
        assert_eq!(
            late(&mut key, EventKind::State, 7),
            (Decision::Stale, vec![])
        );
    }

    #[test]
    fn what_waits_too_long_or_too_much_is_fetched() {
        let mut key = KeyState::default();
        for version in 0..MAX_PARKED as u64 {
            assert_eq!(
                decide(&mut key, EventKind::Delta, version + 2).0,
                Decision::Park
            );
        }
        assert_eq!(decide(&mut key, EventKind::Delta, 9999).0, Decision::Pull);
        let patience = Duration::seconds(30);
        let start = OffsetDateTime::UNIX_EPOCH;
        assert!(!key.is_overdue(start + patience, patience));
        assert!(key.is_overdue(start + patience * 2, patience));
        assert_eq!(key.pulled(MAX_PARKED as u64), vec![MAX_PARKED as u64 + 1]);
        assert!(!key.is_overdue(start + patience * 2, patience));
        assert_eq!(key.pulled(3), Vec::<u64>::new());
    }
}
