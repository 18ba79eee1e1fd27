//! Which texts are device ids.

/// The most characters an id may have.
pub const MAX_LENGTH: usize = 128;

const PUNCTUATION: &str = "-:.+%_#*?!(),=@;$'";

/// The text is no device id. Does not carry the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDeviceId {
    /// No characters.
    #[error("the device id is empty")]
    Empty,
    /// More than [`MAX_LENGTH`] characters.
    #[error("the device id is longer than 128 characters")]
    TooLong,
    /// A character that ids do not have.
    #[error(
        "the device id has a character other than A-Z a-z 0-9 - : . + % _ # * ? ! ( ) , = @ ; $ '"
    )]
    Character,
}

/// Whether the text is a device id: 1 to 128 of `A-Z a-z 0-9 -:.+%_#*?!(),=@;$'`.
pub fn check(text: &str) -> Result<(), InvalidDeviceId> {
    if text.is_empty() {
        return Err(InvalidDeviceId::Empty);
    }
    if !text
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || PUNCTUATION.contains(c))
    {
        return Err(InvalidDeviceId::Character);
    }
    if text.len() > MAX_LENGTH {
        Err(InvalidDeviceId::TooLong)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_allowed_character_is_allowed() {
        assert_eq!(check("Az09-:.+%_#*?!(),=@;$'"), Ok(()));
        assert_eq!(check(&"a".repeat(128)), Ok(()));
    }

    #[test]
    fn others_are_not() {
        assert_eq!(check(""), Err(InvalidDeviceId::Empty));
        assert_eq!(check(&"a".repeat(129)), Err(InvalidDeviceId::TooLong));
        for text in ["a b", "a/b", "a\\b", "ä", "a\n", "a\"", "a&b"] {
            assert_eq!(check(text), Err(InvalidDeviceId::Character), "{text:?}");
        }
    }
}
