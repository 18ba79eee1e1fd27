//! Which events of one origin were received.
//!
//! Durable are the low-water mark and the numbers above it; event ids and payload hashes are
//! remembered for a while, to tell a repeated event from another one under the same name. Who
//! stores ids for longer recalls those that come again.

use std::collections::{BTreeMap, BTreeSet};

/// How far above the low-water mark an event may be, and how long below it ids are remembered.
pub const WINDOW: u64 = 4096;

/// SHA-256 of an event's payload.
pub type PayloadHash = [u8; 32];

/// Whether an event is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// It is.
    Fresh,
    /// It was received before.
    Duplicate,
    /// Another event was received under the same id or number: never applied.
    Equivocation,
    /// Its number is 0, or too far ahead: too much before it is missing. Not received; it must
    /// come again.
    OutOfWindow,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    event_id: String,
    hash: PayloadHash,
}

/// What was received of one origin.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OriginState {
    low_water: u64,
    above: BTreeSet<u64>,
    seen: BTreeMap<u64, Seen>,
    by_id: BTreeMap<String, u64>,
    recalled: BTreeMap<String, PayloadHash>,
}

impl OriginState {
    /// From what was stored: all numbers up to `low_water`, and those in `above`.
    pub fn restore(low_water: u64, above: impl IntoIterator<Item = u64>) -> Self {
        let mut state = Self {
            low_water,
            ..Self::default()
        };
        for seq in above {
            state.mark(seq);
        }
        state
    }

    /// Every number up to this one was received.
    pub fn low_water(&self) -> u64 {
        self.low_water
    }

    /// The numbers above the low-water mark that were received, ascending; at most [`WINDOW`].
    pub fn above(&self) -> impl Iterator<Item = u64> {
        self.above.iter().copied()
    }

    /// Tells the state of an event that was received before, with its id and payload hash.
    pub fn remember(&mut self, seq: u64, event_id: &str, hash: PayloadHash) {
        let event_id = event_id.to_owned();
        self.by_id.entry(event_id.clone()).or_insert(seq);
        self.seen.insert(seq, Seen { event_id, hash });
    }

    /// Tells the state that an id was used, by an event that it may have forgotten.
    pub fn recall(&mut self, event_id: &str, hash: PayloadHash) {
        self.recalled.insert(event_id.to_owned(), hash);
    }

    /// Takes an event in, and says whether it is new.
    pub fn accept(&mut self, seq: u64, event_id: &str, hash: PayloadHash) -> Accepted {
        if let Some(seen) = self.seen.get(&seq) {
            return match seen.event_id == event_id && seen.hash == hash {
                true => Accepted::Duplicate,
                false => Accepted::Equivocation,
            };
        }
        let verdict = self.verdict_by_id(event_id, hash);
        if seq > 0 && self.is_received(seq) {
            return match verdict {
                Accepted::Fresh => Accepted::Duplicate,
                other => other,
            };
        }
        if seq == 0 || seq - self.low_water > WINDOW {
            return Accepted::OutOfWindow;
        }
        // The number is used up whatever the verdict is: a gap would hold back all that follows.
        self.mark(seq);
        self.remember(seq, event_id, hash);
        self.forget_old();
        verdict
    }

    fn verdict_by_id(&self, event_id: &str, hash: PayloadHash) -> Accepted {
        let remembered = self.by_id.get(event_id).and_then(|seq| self.seen.get(seq));
        let recalled = self.recalled.get(event_id);
        match remembered.map(|seen| &seen.hash).or(recalled) {
            None => Accepted::Fresh,
            Some(before) if *before == hash => Accepted::Duplicate,
            Some(_) => Accepted::Equivocation,
        }
    }

    fn is_received(&self, seq: u64) -> bool {
        seq <= self.low_water || self.above.contains(&seq)
    }

    fn mark(&mut self, seq: u64) {
        if seq > self.low_water {
            self.above.insert(seq);
        }
        while self.above.remove(&(self.low_water + 1)) {
            self.low_water += 1;
        }
    }

    fn forget_old(&mut self) {
        let oldest = self.low_water.saturating_sub(WINDOW);
        while let Some(entry) = self.seen.first_entry()
            && *entry.key() < oldest
        {
            let (seq, seen) = entry.remove_entry();
            if self.by_id.get(&seen.event_id) == Some(&seq) {
                self.by_id.remove(&seen.event_id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_received_stays_received_after_it_was_forgotten() {
        let mut state = OriginState::default();
        for seq in 1..=2 * WINDOW + 10 {
            assert_eq!(
                state.accept(seq, &format!("e{seq}"), [0; 32]),
                Accepted::Fresh
            );
        }
        assert!(state.seen.len() as u64 <= WINDOW + 2);
        assert_eq!(state.seen.len(), state.by_id.len());
        assert_eq!(state.accept(1, "e1", [0; 32]), Accepted::Duplicate);
        let restored = OriginState::restore(state.low_water(), state.above());
        assert_eq!(restored.low_water(), 2 * WINDOW + 10);
    }

    #[test]
    fn gaps_hold_the_mark_and_filling_them_moves_it() {
        let mut state = OriginState::default();
        assert_eq!(state.accept(3, "c", [0; 32]), Accepted::Fresh);
        assert_eq!(state.accept(2, "b", [0; 32]), Accepted::Fresh);
        assert_eq!((state.low_water(), state.above().count()), (0, 2));
        let mut restored = OriginState::restore(0, state.above());
        assert_eq!(restored.accept(1, "a", [0; 32]), Accepted::Fresh);
        assert_eq!((restored.low_water(), restored.above().count()), (3, 0));
        assert_eq!(restored.accept(2, "b", [0; 32]), Accepted::Duplicate);
    }

    #[test]
    fn another_event_under_the_same_name_is_never_taken() {
        let mut state = OriginState::default();
        assert_eq!(state.accept(1, "a", [1; 32]), Accepted::Fresh);
        assert_eq!(state.accept(1, "a", [2; 32]), Accepted::Equivocation);
        assert_eq!(state.accept(1, "b", [1; 32]), Accepted::Equivocation);
        assert_eq!(state.accept(2, "a", [2; 32]), Accepted::Equivocation);
        assert_eq!(state.accept(3, "a", [1; 32]), Accepted::Duplicate);
        assert_eq!(state.low_water(), 3);
    }

    #[test]
    fn a_recalled_id_is_known_however_much_came_since() {
        let mut state = OriginState::restore(2 * WINDOW, []);
        state.recall("a", [1; 32]);
        let next = 2 * WINDOW + 1;
        assert_eq!(state.accept(next, "b", [1; 32]), Accepted::Fresh);
        assert_eq!(state.accept(next + 1, "a", [1; 32]), Accepted::Duplicate);
        assert_eq!(state.accept(next + 2, "a", [2; 32]), Accepted::Equivocation);
        assert_eq!(state.low_water(), next + 2);
    }

    #[test]
    fn numbers_that_cannot_be_tracked_are_refused_and_not_used_up() {
        let mut state = OriginState::default();
        assert_eq!(state.accept(0, "z", [0; 32]), Accepted::OutOfWindow);
        assert_eq!(
            state.accept(WINDOW + 1, "f", [0; 32]),
            Accepted::OutOfWindow
        );
        assert_eq!(state.accept(1, "a", [0; 32]), Accepted::Fresh);
        assert_eq!(state.accept(WINDOW + 1, "f", [0; 32]), Accepted::Fresh);
    }
}
