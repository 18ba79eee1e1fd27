//! Numbers out of the lines that a tool prints for people. Pure.

use std::str::FromStr;

/// The number before a word: 33488 of `33488 done, …` before `done`.
pub(super) fn before<T: FromStr>(line: &str, word: &str) -> Option<T> {
    let words = words(line);
    let at = words.iter().position(|given| *given == word)?;
    words.get(at.checked_sub(1)?)?.parse().ok()
}

/// The number after a word.
pub(super) fn after<T: FromStr>(line: &str, word: &str) -> Option<T> {
    let words = words(line);
    let at = words.iter().position(|given| *given == word)?;
    words.get(at + 1)?.parse().ok()
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace()
        .map(|word| word.trim_matches([',', '(', ')']))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_by_the_word_beside_it() {
        let line = "requests: 20 total, 19 done, 27.11MB (28431312) data";
        assert_eq!(before(line, "done"), Some(19));
        assert_eq!(before(line, "data"), Some(28_431_312));
        assert_eq!(before::<u64>(line, "requests:"), None);
        assert_eq!(after(line, "requests:"), Some(20));
        assert_eq!(after::<u64>(line, "data"), None);
    }
}
