//! A place in a query's words, with what the grammar asks of it at every turn.
//!
//! Keeps true: no text of up to 64 KB overflows the stack, whatever it nests.

use std::borrow::Cow;

use super::error::QueryError;
use super::statement::Collection;
use super::words::{Located, Word, words};

/// The most bytes of a query.
const MAX_TEXT: usize = 64 * 1024;
/// The most levels of brackets, arguments and `not`.
const MAX_DEPTH: usize = 64;

/// What is no field's name unless it stands in double brackets.
const KEYWORDS: [&str; 16] = [
    "select",
    "top",
    "from",
    "where",
    "group",
    "by",
    "as",
    "and",
    "or",
    "not",
    "in",
    "nin",
    "true",
    "false",
    "null",
    "undefined",
];

/// Keywords go in any case.
pub(super) fn is_keyword(name: &str) -> bool {
    KEYWORDS
        .iter()
        .any(|keyword| keyword.eq_ignore_ascii_case(name))
}

fn is_name(word: &Word, keyword: &str) -> bool {
    matches!(word, Word::Name(name) if name.eq_ignore_ascii_case(keyword))
}

/// Reads the words of a query one after the other.
pub(super) struct Reader {
    words: Vec<Located>,
    at: usize,
    /// The text's length in characters: where a mistake is that is found at the end.
    end: usize,
    depth: usize,
    /// What the query runs over, known before its fields are read.
    collection: Collection,
}

impl Reader {
    pub(super) fn new(text: &str) -> Result<Self, QueryError> {
        if text.len() > MAX_TEXT {
            return Err(QueryError::new(0, "a query has at most 64 KB"));
        }
        let mut reader = Self {
            words: words(text)?,
            at: 0,
            end: text.chars().count(),
            depth: 0,
            collection: Collection::default(),
        };
        reader.collection = reader.collection_ahead();
        Ok(reader)
    }

    pub(super) fn collection(&self) -> Collection {
        self.collection
    }

    /// The collection after the first `from`. What is wrong there is found when it is its turn.
    fn collection_ahead(&mut self) -> Collection {
        let mut words = self.words.iter().map(|located| &located.word);
        let from = words.position(|word| is_name(word, "from"));
        self.at = from.map_or(self.words.len(), |from| from + 1);
        let collection = self.take_collection().unwrap_or_default();
        self.at = 0;
        collection
    }

    pub(super) fn take_collection(&mut self) -> Result<Collection, QueryError> {
        let expected = "devices, devices.modules or devices.jobs is expected";
        if !self.take_keyword("devices") {
            return Err(self.mistake(expected));
        }
        if !self.take_symbol(".") {
            return Ok(Collection::Devices);
        }
        if self.take_keyword("modules") {
            return Ok(Collection::Modules);
        }
        if self.take_keyword("jobs") {
            return Ok(Collection::Jobs);
        }
        Err(self.mistake(expected))
    }

    pub(super) fn peek(&self) -> Option<&Word> {
        self.peek_after(0)
    }

    fn peek_after(&self, count: usize) -> Option<&Word> {
        self.words.get(self.at + count).map(|located| &located.word)
    }

    /// Whether a name is next that an opening bracket follows.
    pub(super) fn is_call(&self) -> bool {
        matches!(self.peek(), Some(Word::Name(_))) && self.peek_after(1) == Some(&Word::Symbol("("))
    }

    pub(super) fn skip(&mut self) {
        self.at += 1;
    }

    /// Where the next word begins.
    pub(super) fn place(&self) -> usize {
        let next = self.words.get(self.at);
        next.map_or(self.end, |located| located.at)
    }

    /// A mistake in the next word.
    pub(super) fn mistake(&self, reason: impl Into<Cow<'static, str>>) -> QueryError {
        QueryError::new(self.place(), reason)
    }

    pub(super) fn take_keyword(&mut self, keyword: &str) -> bool {
        let is_it = self.peek().is_some_and(|word| is_name(word, keyword));
        self.at += usize::from(is_it);
        is_it
    }

    pub(super) fn keyword(&mut self, keyword: &str) -> Result<(), QueryError> {
        if self.take_keyword(keyword) {
            Ok(())
        } else {
            Err(self.mistake(format!("{keyword} is expected")))
        }
    }

    pub(super) fn take_symbol(&mut self, symbol: &str) -> bool {
        let is_it = matches!(self.peek(), Some(Word::Symbol(found)) if *found == symbol);
        self.at += usize::from(is_it);
        is_it
    }

    pub(super) fn symbol(&mut self, symbol: &str) -> Result<(), QueryError> {
        if self.take_symbol(symbol) {
            Ok(())
        } else {
            Err(self.mistake(format!("{symbol} is expected")))
        }
    }

    /// A name that is no keyword.
    pub(super) fn name(&mut self, expected: &'static str) -> Result<String, QueryError> {
        match self.peek() {
            Some(Word::Name(name)) if !is_keyword(name) => {
                let name = name.clone();
                self.skip();
                Ok(name)
            }
            _ => Err(self.mistake(expected)),
        }
    }

    /// Nothing more.
    pub(super) fn end(&self) -> Result<(), QueryError> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.mistake("an operator or the end of the query is expected")),
        }
    }

    /// Reads something one level further in.
    pub(super) fn deeper<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, QueryError>,
    ) -> Result<T, QueryError> {
        if self.depth == MAX_DEPTH {
            return Err(self.mistake("the query is nested too deeply"));
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }
}
