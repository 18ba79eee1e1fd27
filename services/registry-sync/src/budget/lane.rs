//! For whom calls to a hub are made: who goes first, and whom the day's messages hold back.

/// For whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Somebody waits for the answer. It goes before everything else.
    Person,
    /// A task that somebody ordered, as a failover orders its comparisons. It goes on when the
    /// messages that were allowed for a day are spent: sweeps spent them.
    Task,
    /// What happens by itself, again and again.
    Routine,
}

impl Lane {
    /// Whether its calls stand in line, so that one of them at most holds a slot that has not come
    /// yet. What stands before a person is then one call, and not a pass.
    pub(super) fn stands_in_line(self) -> bool {
        self != Self::Person
    }

    /// Whether its queries wait when the day's messages are spent.
    pub(super) fn is_frugal(self) -> bool {
        self == Self::Routine
    }
}
