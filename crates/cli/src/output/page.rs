//! A page of a list: a table, or an object with the list under its own name.

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use super::{View, table};

/// Something that has a line in a list.
pub(crate) trait Row: Serialize {
    /// Name of the list in JSON, `fleets`.
    const LIST: &'static str;
    /// Titles of the columns.
    const HEADER: &'static [&'static str];

    /// The cells, one per title.
    fn cells(&self) -> Vec<String>;
}

/// A page of a list.
#[derive(Debug)]
pub(crate) struct Page<R> {
    rows: Vec<R>,
    next_page_token: String,
}

impl<R: Row> Page<R> {
    /// A page; the token is empty on the last one.
    pub(crate) fn new<T: Into<R>>(items: Vec<T>, next_page_token: String) -> Self {
        Self {
            rows: items.into_iter().map(Into::into).collect(),
            next_page_token,
        }
    }
}

impl<R: Row> Serialize for Page<R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry(R::LIST, &self.rows)?;
        map.serialize_entry("next_page_token", &self.next_page_token)?;
        map.end()
    }
}

impl<R: Row> View for Page<R> {
    fn human(&self) -> String {
        if self.rows.is_empty() {
            return format!("no {}", R::LIST.replace('_', " "));
        }
        let mut text = table(R::HEADER, self.rows.iter().map(Row::cells));
        if !self.next_page_token.is_empty() {
            text.push_str(&format!("\nmore: --page-token {}", self.next_page_token));
        }
        text
    }
}
