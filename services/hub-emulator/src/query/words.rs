//! Cuts a query into words. Keywords are names here: the reader knows them.

use super::error::QueryError;

/// A piece of a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// A keyword, a function's name or a part of a path.
    Name(String),
    /// A part of a path that stands in double brackets.
    Bracketed(String),
    /// A quoted text.
    Text(String),
    /// A number, as it is written.
    Number(String),
    /// Anything else.
    Symbol(&'static str),
}

/// A word and where it begins, counted in characters from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Located {
    pub(super) at: usize,
    pub(super) word: Word,
}

/// Longer ones first.
static SYMBOLS: [&str; 18] = [
    "!=", "<>", "<=", ">=", "<", ">", "=", "(", ")", "[", "]", ",", ".", "*", "+", "-", "/", "%",
];

/// The words of a query.
pub(super) fn words(text: &str) -> Result<Vec<Located>, QueryError> {
    let mut cutter = Cutter {
        text: text.chars().collect(),
        at: 0,
    };
    let mut words: Vec<Located> = Vec::new();
    loop {
        while cutter.peek(0).is_some_and(char::is_whitespace) {
            cutter.at += 1;
        }
        let at = cutter.at;
        let Some(first) = cutter.peek(0) else {
            return Ok(words);
        };
        let last = words.last().map(|located| &located.word);
        let word = cutter.word(first, last)?;
        words.push(Located { at, word });
    }
}

/// Whether a name needs no brackets (keywords apart).
pub(super) fn is_plain(name: &str) -> bool {
    name.starts_with(is_name_start) && name.chars().all(is_in_name)
}

fn is_name_start(c: char) -> bool {
    c.is_alphabetic() || matches!(c, '_' | '$')
}

fn is_in_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '$')
}

struct Cutter {
    text: Vec<char>,
    at: usize,
}

impl Cutter {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.text.get(self.at + ahead).copied()
    }

    fn take(&mut self) -> Option<char> {
        let found = self.peek(0)?;
        self.at += 1;
        Some(found)
    }

    fn word(&mut self, first: char, last: Option<&Word>) -> Result<Word, QueryError> {
        let is_after_dot = last == Some(&Word::Symbol("."));
        match first {
            '\'' | '"' => self.quoted(first).map(Word::Text),
            '[' if is_after_dot && self.peek(1) == Some('[') => self.bracketed(),
            _ if first.is_ascii_digit() => Ok(Word::Number(self.number())),
            _ if is_name_start(first) => Ok(Word::Name(self.name())),
            _ => self.symbol(last),
        }
    }

    fn name(&mut self) -> String {
        let start = self.at;
        while self.peek(0).is_some_and(is_in_name) {
            self.at += 1;
        }
        self.text[start..self.at].iter().collect()
    }

    /// Everything that hangs together with a first digit; whether it is a number is seen later.
    fn number(&mut self) -> String {
        let start = self.at;
        let is_hexadecimal = matches!(self.peek(1), Some('x' | 'X'));
        while let Some(next) = self.peek(0) {
            let is_exponents_sign = matches!(next, '+' | '-')
                && !is_hexadecimal
                && self.at > start
                && matches!(self.text[self.at - 1], 'e' | 'E');
            if !is_in_name(next) && next != '.' && !is_exponents_sign {
                break;
            }
            self.at += 1;
        }
        self.text[start..self.at].iter().collect()
    }

    /// A quote inside is written twice, or after a backslash.
    fn quoted(&mut self, quote: char) -> Result<String, QueryError> {
        let start = self.at;
        let mut text = String::new();
        self.at += 1;
        loop {
            let at = self.at;
            match self.take() {
                None => return Err(QueryError::new(start, "the quote is not closed")),
                Some('\\') => text.push(self.escaped(at)?),
                Some(found) if found != quote => text.push(found),
                Some(_) if self.peek(0) == Some(quote) => {
                    self.at += 1;
                    text.push(quote);
                }
                Some(_) => return Ok(text),
            }
        }
    }

    /// What a backslash makes of the characters after it.
    fn escaped(&mut self, at: usize) -> Result<char, QueryError> {
        let found = match self.take() {
            Some(found @ ('\'' | '"' | '\\')) => Some(found),
            Some('u') => self.code_point(),
            _ => None,
        };
        found.ok_or_else(|| {
            QueryError::new(
                at,
                "after a backslash, a quote, another backslash or u and four digits are expected",
            )
        })
    }

    /// Four hexadecimal digits, and four more where UTF-16 needs a pair.
    fn code_point(&mut self) -> Option<char> {
        let first = self.unit()?;
        if !(0xD800..0xDC00).contains(&first) {
            return char::from_u32(u32::from(first));
        }
        if (self.take()?, self.take()?) != ('\\', 'u') {
            return None;
        }
        char::decode_utf16([first, self.unit()?]).next()?.ok()
    }

    fn unit(&mut self) -> Option<u16> {
        let digits = (0..4).map(|_| self.take()).collect::<Option<String>>()?;
        let is_number = digits.chars().all(|digit| digit.is_ascii_hexdigit());
        u16::from_str_radix(&digits, 16).ok().filter(|_| is_number)
    }

    /// `[[name]]`: nothing inside has a meaning.
    fn bracketed(&mut self) -> Result<Word, QueryError> {
        let start = self.at + 2;
        let rest = &self.text[start..];
        let Some(length) = rest.windows(2).position(|pair| pair == [']', ']']) else {
            return Err(QueryError::new(self.at, "the brackets are not closed"));
        };
        let name = rest[..length].iter().collect();
        self.at = start + length + 2;
        Ok(Word::Bracketed(name))
    }

    fn symbol(&mut self, last: Option<&Word>) -> Result<Word, QueryError> {
        let rest = &self.text[self.at..];
        let is_next = |symbol: &&str| symbol.chars().eq(rest.iter().copied().take(symbol.len()));
        let Some(symbol) = SYMBOLS.iter().copied().find(is_next) else {
            return Err(QueryError::new(self.at, "this has no meaning in a query"));
        };
        if symbol == "-" && self.is_hyphen(last) {
            let words =
                "a minus stands between spaces, a name with a hyphen in brackets like [[a-b]]";
            return Err(QueryError::new(self.at, words));
        }
        self.at += symbol.len();
        Ok(Word::Symbol(if symbol == "<>" { "!=" } else { symbol }))
    }

    /// Whether a minus looks like a part of a name. Taken for a minus it would make nearly every
    /// condition undefined, and the answer empty.
    fn is_hyphen(&self, last: Option<&Word>) -> bool {
        let is_after_name = matches!(last, Some(Word::Name(_)))
            && self.at > 0
            && is_in_name(self.text[self.at - 1]);
        is_after_name && self.peek(1).is_some_and(is_in_name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Vec<Word> {
        let words = words(text).unwrap();
        words.into_iter().map(|located| located.word).collect()
    }

    fn refused(text: &str) -> String {
        words(text).unwrap_err().to_string()
    }

    fn name(text: &str) -> Word {
        Word::Name(text.to_owned())
    }

    #[test]
    fn words_need_no_spaces() {
        let expected = vec![
            name("count"),
            Word::Symbol("("),
            Word::Symbol(")"),
            name("tags"),
            Word::Symbol("."),
            name("$a"),
            Word::Symbol("!="),
            Word::Number("2.5e-3".to_owned()),
            Word::Symbol("-"),
            Word::Number("0x1F".to_owned()),
        ];
        assert_eq!(cut(" count() tags.$a<>2.5e-3-0x1F "), expected);
    }

    #[test]
    fn words_know_where_they_begin_in_characters() {
        let places: Vec<_> = words("'äö' a")
            .unwrap()
            .iter()
            .map(|word| word.at)
            .collect();
        assert_eq!(places, [0, 5]);
    }

    #[test]
    fn quotes_double_or_follow_a_backslash_and_must_close() {
        let text = |text: &str| vec![Word::Text(text.to_owned())];
        assert_eq!(cut("'a''b'"), text("a'b"));
        assert_eq!(cut(r#"'a\'b\\ "c"'"#), text(r#"a'b\ "c""#));
        assert_eq!(cut(r#""\u00e4\ud83d\ude00""#), text("ä😀"));
        assert!(refused("'a''").contains("character 1: the quote"));
        for wrong in [
            r"'\n'",
            r"'\u12'",
            r"'\ud83d'",
            r"'\ud83dx'",
            r"'\u+123'",
            r"'\",
        ] {
            assert!(words(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn double_brackets_take_everything_after_a_dot() {
        let expected = vec![
            name("tags"),
            Word::Symbol("."),
            Word::Bracketed("my-'tag".to_owned()),
        ];
        assert_eq!(cut("tags.[[my-'tag]]"), expected);
        assert!(refused("tags.[[a]").contains("character 6: the brackets"));
        let list = [
            Word::Symbol("["),
            Word::Symbol("["),
            Word::Number("1".to_owned()),
        ];
        assert_eq!(cut("[[1"), list);
    }

    #[test]
    fn a_hyphen_in_a_name_is_not_taken_for_a_minus() {
        assert!(refused("tags.my-tag").contains("character 8: a minus stands between spaces"));
        assert_eq!(cut("a - b").len(), 3);
        assert_eq!(cut("2-b").len(), 3);
    }

    #[test]
    fn what_has_no_meaning_is_refused() {
        assert!(refused("a;").contains("character 2"));
        for wrong in ["!", "a ~ b", "`a`", "{}", "a\u{0}"] {
            assert!(words(wrong).is_err(), "{wrong}");
        }
    }
}
