//! The part of the hub's query language that is understood here:
//!
//! ```text
//! select * from devices [where FIELD = VALUE [and FIELD = VALUE]...]
//! select count() as NAME from devices [where ...]
//! ```
//!
//! A field is a path into the twin: `deviceId`, `tags.site.room`, `properties.desired.rate`.
//! What is not understood is refused, never answered wrongly.

mod continuation;
mod words;

use serde_json::Value;

pub(crate) use continuation::Continuation;
use words::{Word, words};

/// What a query gives.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Selection {
    /// Whole twins.
    Everything,
    /// How many there are, under this name.
    Count(String),
}

/// `FIELD = VALUE`.
#[derive(Clone, Debug, PartialEq)]
struct Condition {
    path: Vec<String>,
    value: Value,
}

/// A query over all devices.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Query {
    pub(crate) selection: Selection,
    conditions: Vec<Condition>,
}

/// A query that is not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the query is not understood: {0} is expected")]
pub(crate) struct QueryError(&'static str);

impl Query {
    pub(crate) fn parse(text: &str) -> Result<Self, QueryError> {
        let mut reader = Reader {
            words: words(text).ok_or(QueryError("a closing quote"))?,
            at: 0,
        };
        reader.keyword("select", "select")?;
        let selection = reader.selection()?;
        reader.keyword("from", "from")?;
        reader.keyword("devices", "devices")?;
        let mut conditions = Vec::new();
        if reader.take_keyword("where") {
            conditions.push(reader.condition()?);
            while reader.take_keyword("and") {
                conditions.push(reader.condition()?);
            }
        }
        match reader.next() {
            None => Ok(Self {
                selection,
                conditions,
            }),
            Some(_) => Err(QueryError("the end, or another FIELD = VALUE after and")),
        }
    }

    /// Whether a twin fulfils every condition. A field that is not there fulfils none.
    pub(crate) fn matches(&self, twin: &Value) -> bool {
        self.conditions.iter().all(|condition| {
            let found = condition
                .path
                .iter()
                .try_fold(twin, |value, name| value.get(name));
            found.is_some_and(|found| is_equal(found, &condition.value))
        })
    }
}

fn is_equal(found: &Value, wanted: &Value) -> bool {
    match (found.as_f64(), wanted.as_f64()) {
        (Some(found), Some(wanted)) => found == wanted,
        _ => found == wanted,
    }
}

struct Reader {
    words: Vec<Word>,
    at: usize,
}

impl Reader {
    fn next(&mut self) -> Option<Word> {
        let word = self.words.get(self.at).cloned();
        self.at += 1;
        word
    }

    fn take_keyword(&mut self, keyword: &str) -> bool {
        let is_it = matches!(self.words.get(self.at),
            Some(Word::Name(name)) if name.eq_ignore_ascii_case(keyword));
        self.at += usize::from(is_it);
        is_it
    }

    fn keyword(&mut self, keyword: &str, expected: &'static str) -> Result<(), QueryError> {
        if self.take_keyword(keyword) {
            Ok(())
        } else {
            Err(QueryError(expected))
        }
    }

    fn symbol(&mut self, symbol: char, expected: &'static str) -> Result<(), QueryError> {
        match self.next() {
            Some(Word::Symbol(found)) if found == symbol => Ok(()),
            _ => Err(QueryError(expected)),
        }
    }

    fn name(&mut self, expected: &'static str) -> Result<String, QueryError> {
        match self.next() {
            Some(Word::Name(name)) => Ok(name),
            _ => Err(QueryError(expected)),
        }
    }

    fn selection(&mut self) -> Result<Selection, QueryError> {
        if !self.take_keyword("count") {
            return self
                .symbol('*', "* or count()")
                .map(|()| Selection::Everything);
        }
        self.symbol('(', "count()")?;
        self.symbol(')', "count()")?;
        self.keyword("as", "as NAME after count()")?;
        self.name("as NAME after count()").map(Selection::Count)
    }

    fn condition(&mut self) -> Result<Condition, QueryError> {
        let path = self
            .name("FIELD = VALUE")?
            .split('.')
            .map(str::to_owned)
            .collect();
        self.symbol('=', "= after a field")?;
        let value = match self.next() {
            Some(Word::Text(text)) => Value::String(text),
            Some(Word::Name(name)) => {
                // Numbers and the names true and false, as JSON writes them.
                serde_json::from_str(&name.to_ascii_lowercase())
                    .ok()
                    .filter(|value: &Value| value.is_number() || value.is_boolean())
                    .ok_or(QueryError("a 'text', a number, true or false"))?
            }
            _ => return Err(QueryError("a 'text', a number, true or false")),
        };
        Ok(Condition { path, value })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn matches(text: &str) -> bool {
        let twin = json!({
            "deviceId": "o'neil", "status": "enabled", "capabilities": {"iotEdge": false},
            "tags": {"site": {"floor": 3}}, "properties": {"desired": {"on": true}},
        });
        Query::parse(text).unwrap().matches(&twin)
    }

    #[test]
    fn conditions_are_paths_into_the_twin() {
        assert!(matches("select * from devices"));
        assert!(matches(
            "SELECT * FROM devices WHERE status = 'enabled' AND tags.site.floor=3"
        ));
        assert!(matches("select * from devices where deviceId = 'o''neil'"));
        assert!(matches("select * from devices where deviceId = \"o'neil\""));
        assert!(matches(
            "select * from devices where properties.desired.on = true"
        ));
        assert!(!matches(
            "select * from devices where capabilities.iotEdge=true"
        ));
        assert!(!matches("select * from devices where tags.none = 'x'"));
        assert!(!matches(
            "select * from devices where tags.site.floor = '3'"
        ));
    }

    #[test]
    fn a_count_has_a_name() {
        let query = Query::parse("select count() as total from devices").unwrap();
        assert_eq!(query.selection, Selection::Count("total".to_owned()));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for text in [
            "",
            "select deviceId from devices",
            "select * from devices.modules",
            "select * from devices where status != 'enabled'",
            "select * from devices where status = 'enabled' or 1 = 1",
            "select * from devices where status = 'enabled",
            "select * from devices where status = enabled",
            "select * from devices;",
        ] {
            assert!(Query::parse(text).is_err(), "{text}");
        }
    }
}
