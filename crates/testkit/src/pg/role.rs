//! Who connects.

/// Who connects: each service as its own role, as in production.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// May do everything; for a test's own look behind the scenes.
    Superuser,
    /// Owns every table.
    Migrator,
    /// The concierge.
    Concierge,
    /// registry-sync.
    Registry,
    /// merge.
    Merge,
}

impl Role {
    /// The roles that `roles.sql` makes.
    pub(crate) const MADE: [Self; 4] =
        [Self::Migrator, Self::Concierge, Self::Registry, Self::Merge];

    /// The role's name in the database; `None` for the superuser, whose name the server has.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        match self {
            Self::Superuser => None,
            Self::Migrator => Some("hubshift_migrator"),
            Self::Concierge => Some("hubshift_concierge"),
            Self::Registry => Some("hubshift_registry"),
            Self::Merge => Some("hubshift_merge"),
        }
    }
}
