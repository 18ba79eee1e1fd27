//! Which kinds of records a hub's listing has beside devices.

/// What is listed. Reading and writing by key works for every kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kinds {
    /// Modules: one more query per listing.
    pub modules: bool,
    /// Configurations: one more call per listing.
    pub configurations: bool,
}

impl Default for Kinds {
    fn default() -> Self {
        Self {
            modules: true,
            configurations: true,
        }
    }
}
