//! The hard fence: a hub that a forced move left is shut out through its management plane.
//!
//! ```text
//! requested ─▶ unknown (ordered) ─▶ done ─▶ lifting ─▶ lifted
//!     ▲            │ certainly not done
//!     └────────────┘
//! ```
//!
//! Pure: what is recorded and what the plane shows in, what is to be done out. Kept true: no order is
//! given while an earlier one may still take effect; a hub counts as shut from the moment at which it
//! is ordered until it was seen open again.

use std::time::Duration;

use crate::hub_state::{HubState, named};

/// How long to leave the plane in peace between two looks.
const LOOK: Duration = Duration::from_secs(5);

named!(
    /// How a hub's hard fence stands.
    FenceState {
        /// Asked for. Nothing of ours is in effect.
        Requested = "requested",
        /// Ordered. It is not known yet whether it took effect.
        Unknown = "unknown",
        /// The hub was seen shut, with keys that we made.
        Done = "done",
        /// The hub is to be opened again.
        Lifting = "lifting",
        /// A person opened the hub again, or said that it is not to be shut.
        Lifted = "lifted",
    }
);

impl FenceState {
    /// Whether the hub is shut, or may be: nobody reads it, and it can't take over. The database
    /// function `authority.is_fenced` says the same in SQL; a test holds the two together.
    pub fn may_be_shut(self) -> bool {
        matches!(self, Self::Unknown | Self::Done | Self::Lifting)
    }
}

/// Whether a hub in this state may be shut out: a forced move left it. The database function
/// `authority.assert_fence` says the same in SQL; a test holds the two together.
pub fn may_be_fenced(state: HubState) -> bool {
    matches!(state, HubState::Quarantined | HubState::Rewound)
}

/// What is recorded of a fence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    /// How it stands.
    pub state: FenceState,
    /// Whether the hub could be reached when it was ordered to be shut.
    pub was_open: bool,
    /// How long the last order may still take effect; zero when that is past, or known.
    pub time_left: Duration,
}

/// What the management plane shows of a hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Whether it can be reached.
    pub is_open: bool,
    /// Whether no change of it is under way.
    pub is_settled: bool,
    /// Whether the last change of it came to nothing, or to a part of what was ordered.
    pub has_failed: bool,
}

/// What is to be done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Nothing: it is as it should be.
    Rest,
    /// Look again after this long.
    Look(Duration),
    /// An order took effect: this is how the fence stands now.
    Conclude(FenceState),
    /// Order that the hub be shut.
    Shut,
    /// Order that the hub be opened.
    Reopen,
}

/// What is to be done about a fence that stands like this, at a hub that looks like this.
pub fn action(recorded: Recorded, seen: Seen) -> Action {
    use FenceState::{Done, Lifted, Lifting, Requested, Unknown};
    if recorded.state == Lifted {
        return Action::Rest;
    }
    if !seen.is_settled {
        return Action::Look(LOOK);
    }
    let is_quiet = recorded.time_left.is_zero();
    match (recorded.state, seen.is_open) {
        (Done, false) => Action::Rest,
        // Access and keys are changed by one order. Where access was off before it, that it is off
        // says nothing of the keys.
        (Unknown, false) if recorded.was_open && !seen.has_failed => Action::Conclude(Done),
        (Lifting, true) if is_quiet => Action::Conclude(Lifted),
        (Lifting, false) if is_quiet => Action::Reopen,
        (Requested | Unknown | Done, _) if is_quiet => Action::Shut,
        _ => Action::Look(LOOK.min(recorded.time_left)),
    }
}

/// What a request makes of a fence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// Nothing: it stands as it is.
    Keep,
    /// What is recorded is worked on, if nobody does.
    Resume,
    /// It is recorded anew and worked on.
    Begin,
    /// It is given up: nothing of it ever took effect.
    Forgo,
}

/// What a request to shut the hub does. `again`: a person asks, who may have opened it before.
/// `reigned_since`: the hub reigned after the epoch of what is recorded, and was lost anew.
pub fn ask_to_shut(state: Option<FenceState>, again: bool, reigned_since: bool) -> Ask {
    use FenceState::{Done, Lifted, Lifting, Requested, Unknown};
    match state {
        None => Ask::Begin,
        Some(Requested | Unknown) => Ask::Resume,
        // Somebody may have opened it by hand: it is looked at.
        Some(Done) if again => Ask::Resume,
        Some(Lifting) if again => Ask::Begin,
        Some(Lifted) if again || reigned_since => Ask::Begin,
        Some(Done | Lifting | Lifted) => Ask::Keep,
    }
}

/// What a request to open the hub does.
pub fn ask_to_lift(recorded: Option<Recorded>) -> Ask {
    use FenceState::{Done, Lifted, Lifting, Requested, Unknown};
    let Some(recorded) = recorded else {
        return Ask::Keep;
    };
    match recorded.state {
        Lifted => Ask::Keep,
        Requested if recorded.time_left.is_zero() => Ask::Forgo,
        Lifting => Ask::Resume,
        Requested | Unknown | Done => Ask::Begin,
    }
}

#[cfg(test)]
mod tests {
    use super::FenceState::{Done, Lifted, Lifting, Requested, Unknown};
    use super::*;

    const OPEN: Seen = Seen {
        is_open: true,
        is_settled: true,
        has_failed: false,
    };
    const SHUT: Seen = Seen {
        is_open: false,
        is_settled: true,
        has_failed: false,
    };

    fn quiet(state: FenceState) -> Recorded {
        Recorded {
            state,
            was_open: true,
            time_left: Duration::ZERO,
        }
    }

    /// An order may still take effect for a minute.
    fn loud(state: FenceState) -> Recorded {
        Recorded {
            time_left: Duration::from_secs(60),
            ..quiet(state)
        }
    }

    #[test]
    fn a_hub_is_shut_once_and_then_left_alone() {
        assert_eq!(action(quiet(Requested), OPEN), Action::Shut);
        assert_eq!(action(quiet(Done), SHUT), Action::Rest);
        assert_eq!(action(quiet(Lifted), OPEN), Action::Rest);
        // Somebody opened it by hand.
        assert_eq!(action(quiet(Done), OPEN), Action::Shut);
    }

    #[test]
    fn an_order_of_unknown_outcome_is_believed_by_what_is_seen() {
        for recorded in [loud(Unknown), quiet(Unknown)] {
            assert_eq!(action(recorded, SHUT), Action::Conclude(Done));
        }
        assert_eq!(action(loud(Unknown), OPEN), Action::Look(LOOK));
        assert_eq!(action(quiet(Unknown), OPEN), Action::Shut);
        let was_shut = |recorded| Recorded {
            was_open: false,
            ..recorded
        };
        assert_eq!(action(was_shut(quiet(Unknown)), SHUT), Action::Shut);
        assert_eq!(action(was_shut(loud(Unknown)), SHUT), Action::Look(LOOK));
        let in_part = Seen {
            has_failed: true,
            ..SHUT
        };
        assert_eq!(action(quiet(Unknown), in_part), Action::Shut);
    }

    #[test]
    fn no_order_is_given_while_another_one_may_land() {
        for state in FenceState::ALL {
            for seen in [OPEN, SHUT] {
                let next = action(loud(*state), seen);
                assert!(!matches!(next, Action::Shut | Action::Reopen), "{state}");
            }
            let changing = Seen {
                is_settled: false,
                ..OPEN
            };
            let next = action(quiet(*state), changing);
            assert!(matches!(next, Action::Look(_) | Action::Rest), "{state}");
        }
    }

    #[test]
    fn a_hub_is_open_again_only_when_nothing_can_shut_it_any_more() {
        assert_eq!(action(quiet(Lifting), SHUT), Action::Reopen);
        assert_eq!(action(quiet(Lifting), OPEN), Action::Conclude(Lifted));
        assert_eq!(action(loud(Lifting), OPEN), Action::Look(LOOK));
    }

    #[test]
    fn what_a_person_opened_only_a_person_shuts_again_in_the_same_reign() {
        for state in [Lifting, Lifted] {
            assert_eq!(ask_to_shut(Some(state), false, false), Ask::Keep, "{state}");
            assert_eq!(ask_to_shut(Some(state), true, false), Ask::Begin, "{state}");
        }
        assert_eq!(ask_to_shut(Some(Lifted), false, true), Ask::Begin);
        assert_eq!(ask_to_shut(Some(Done), false, true), Ask::Keep);
        assert_eq!(ask_to_shut(Some(Unknown), false, false), Ask::Resume);
        assert_eq!(ask_to_shut(None, false, false), Ask::Begin);
    }

    #[test]
    fn what_never_took_effect_is_given_up_without_asking_the_plane() {
        assert_eq!(ask_to_lift(Some(quiet(Requested))), Ask::Forgo);
        assert_eq!(ask_to_lift(Some(loud(Requested))), Ask::Begin);
        assert_eq!(ask_to_lift(Some(quiet(Unknown))), Ask::Begin);
        assert_eq!(ask_to_lift(None), Ask::Keep);
    }
}
