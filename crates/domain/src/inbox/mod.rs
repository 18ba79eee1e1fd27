//! The event inbox: every event has exactly one effect, in whatever order and how often it comes.
//!
//! An origin numbers its events without gaps; a low-water mark and the numbers above it tell new
//! from old, so that forgetting old events never lets one in again. A key's own version decides
//! order: states overwrite, deltas wait for their turn, a deletion ends its incarnation. Events
//! of an earlier epoch are evidence for the merge and never applied directly.

mod key;
mod origin;

pub use key::{Decision, Event, EventKind, KeyState, MAX_PARKED, Now, Step};
pub use origin::{Accepted, OriginState, PayloadHash, WINDOW};

/// Takes one event in: tells it from those before it and, if it is new, decides what becomes of
/// it. `None` stands for an event that changes nothing: a duplicate, or one that must come again.
pub fn receive(
    origin: &mut OriginState,
    key: &mut KeyState,
    envelope: &Envelope,
    now: &Now,
) -> (Accepted, Option<Step>) {
    let accepted = origin.accept(envelope.seq, &envelope.event_id, envelope.hash);
    let step = match accepted {
        Accepted::Fresh => Some(key.decide(&envelope.event, now)),
        Accepted::Equivocation => Some(Step::of(Decision::DeadLetter)),
        Accepted::Duplicate | Accepted::OutOfWindow => None,
    };
    (accepted, step)
}

/// An event and how its origin names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// Its number at its origin; the first is 1, and none is left out.
    pub seq: u64,
    /// Its id, unique at its origin.
    pub event_id: String,
    /// SHA-256 of its payload.
    pub hash: PayloadHash,
    /// What it says.
    pub event: Event,
}
