//! Cuts a query into words.

/// A piece of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// A keyword, a field's path or a number.
    Name(String),
    /// A quoted text.
    Text(String),
    /// Anything else.
    Symbol(char),
}

/// The words of a query, or nothing if a quote is not closed.
pub(super) fn words(text: &str) -> Option<Vec<Word>> {
    let mut rest = text.trim_start();
    let mut words = Vec::new();
    while let Some(first) = rest.chars().next() {
        let (word, after) = match first {
            '\'' | '"' => quoted(rest, first)?,
            _ => unquoted(rest, first),
        };
        words.push(word);
        rest = after.trim_start();
    }
    Some(words)
}

fn unquoted(rest: &str, first: char) -> (Word, &str) {
    let is_name = |c: char| c.is_alphanumeric() || "._-$".contains(c);
    match rest.find(|c| !is_name(c)).unwrap_or(rest.len()) {
        0 => (Word::Symbol(first), &rest[first.len_utf8()..]),
        end => (Word::Name(rest[..end].to_owned()), &rest[end..]),
    }
}

/// A quote inside is written twice.
fn quoted(rest: &str, quote: char) -> Option<(Word, &str)> {
    let mut text = String::new();
    let mut characters = rest.char_indices().skip(1).peekable();
    while let Some((index, character)) = characters.next() {
        if character != quote {
            text.push(character);
        } else if characters.next_if(|(_, next)| *next == quote).is_some() {
            text.push(quote);
        } else {
            return Some((Word::Text(text), &rest[index + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_need_no_spaces() {
        let name = |text: &str| Word::Name(text.to_owned());
        let expected = vec![
            name("count"),
            Word::Symbol('('),
            Word::Symbol(')'),
            name("tags.a"),
            Word::Symbol('='),
        ];
        assert_eq!(words(" count() tags.a= "), Some(expected));
    }

    #[test]
    fn quotes_double_and_must_close() {
        assert_eq!(words("'a''b'"), Some(vec![Word::Text("a'b".to_owned())]));
        assert_eq!(words("'a''"), None);
        assert_eq!(words("'ä'"), Some(vec![Word::Text("ä".to_owned())]));
    }
}
