//! The parts of a connection string: `Name=value` between semicolons, in any order and case.

use super::ConnectionStringError;

/// The parts that were found, under the names as they should be written.
pub(super) struct Parts<'a>(Vec<(&'static str, &'a str)>);

impl<'a> Parts<'a> {
    /// Reads a text that may have the parts `known`, each of them once.
    pub(super) fn read(
        text: &'a str,
        known: &[&'static str],
    ) -> Result<Self, ConnectionStringError> {
        let mut parts = Self(Vec::new());
        let pieces = text
            .trim()
            .split(';')
            .enumerate()
            .filter(|(_, piece)| !piece.is_empty());
        for (index, piece) in pieces {
            let unknown = ConnectionStringError::UnknownPart(index + 1);
            let (name, value) = split(piece).ok_or(unknown.clone())?;
            if name.eq_ignore_ascii_case("DeviceId") {
                return Err(ConnectionStringError::OfADevice);
            }
            let is_it = |known: &&'static str| known.eq_ignore_ascii_case(name);
            let name = known.iter().copied().find(is_it).ok_or(unknown)?;
            parts.add(name, value)?;
        }
        Ok(parts)
    }

    fn add(&mut self, name: &'static str, value: &'a str) -> Result<(), ConnectionStringError> {
        if value.is_empty() {
            return Err(ConnectionStringError::Missing(name));
        }
        if self.get(name).is_some() {
            return Err(ConnectionStringError::Twice(name));
        }
        self.0.push((name, value));
        Ok(())
    }

    /// The value of a part, if it is there.
    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        let found = self.0.iter().find(|(there, _)| *there == name);
        found.map(|(_, value)| *value)
    }

    /// The value of a part that must be there.
    pub(super) fn need(&self, name: &'static str) -> Result<&'a str, ConnectionStringError> {
        self.get(name).ok_or(ConnectionStringError::Missing(name))
    }
}

/// The value that a text gives to a name, whatever else it holds.
pub(super) fn peek<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let parts = text.trim().split(';').filter_map(split);
    let mut found = parts.filter(|(there, _)| there.eq_ignore_ascii_case(name));
    found.next().map(|(_, value)| value)
}

fn split(piece: &str) -> Option<(&str, &str)> {
    let (name, value) = piece.split_once('=')?;
    Some((name.trim(), value.trim()))
}
