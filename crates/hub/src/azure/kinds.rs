//! Which kinds of records a hub's listing has beside devices.

use crate::key::Key;

/// What is listed. Reading and writing by key works for every kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kinds {
    /// Modules: one more query per listing.
    pub modules: bool,
    /// Configurations: one more call per listing.
    pub configurations: bool,
}

impl Kinds {
    /// Whether the record with this key is of a kind that is listed. What is no key is taken for a
    /// device, which a hub says more about.
    pub fn carries(self, key: &str) -> bool {
        match Key::parse(key) {
            Ok(Key::Module(..)) => self.modules,
            Ok(Key::Configuration(_)) => self.configurations,
            Ok(Key::Device(_)) | Err(_) => true,
        }
    }
}

impl Default for Kinds {
    fn default() -> Self {
        Self {
            modules: true,
            configurations: true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_told_by_the_key() {
        let carried = |modules, configurations| {
            let kinds = Kinds {
                modules,
                configurations,
            };
            ["d", "d/m", "/configurations/n"].map(|key| kinds.carries(key))
        };
        assert_eq!(carried(true, true), [true, true, true]);
        assert_eq!(carried(false, true), [true, false, true]);
        assert_eq!(carried(true, false), [true, true, false]);
    }
}
