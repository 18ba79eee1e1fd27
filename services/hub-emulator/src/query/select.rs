//! Makes a page of an answer out of the rows of a collection.
//!
//! Plain rows are taken one by one, and no more of them than the page needs. Aggregates need all
//! rows on every page, but keep only their groups.

use std::collections::BTreeMap;
use std::ops::Bound;

use serde_json::{Map, Value};

use super::aggregate::Running;
use super::continuation::Continuation;
use super::eval::number;
use super::statement::{Column, Query};

/// A page of an answer.
pub(crate) struct Page {
    pub(crate) rows: Vec<Value>,
    /// Where the next page starts; nothing on the last one.
    pub(crate) next: Option<Continuation>,
}

impl Query {
    /// Whether a row fulfils the condition.
    pub(crate) fn matches(&self, row: &Value) -> bool {
        let condition = self.condition.as_ref();
        condition.is_none_or(|condition| condition.truth(row) == Some(true))
    }

    /// The key after which rows are needed for a page; nothing if they are needed from the first.
    pub(crate) fn rows_after<'a>(&self, start: &'a Continuation) -> Option<&'a str> {
        let after = start.after.as_deref();
        after.filter(|_| !self.is_aggregate())
    }

    /// The page of this size that starts there. Rows come with their keys, after the one that
    /// [`Self::rows_after`] says, and are taken only as far as they are needed.
    pub(crate) fn page<K: AsRef<str>>(
        &self,
        rows: impl Iterator<Item = (K, Value)>,
        start: &Continuation,
        size: usize,
    ) -> Page {
        let found = rows.filter(|(_, row)| self.matches(row));
        if !self.is_aggregate() {
            let rows = found.map(|(key, row)| (key, self.selected(row)));
            return self.cut(rows, start, size);
        }
        let groups = self.groups(found.map(|(_, row)| row));
        let after = start.after.as_deref();
        let after = after.map_or(Bound::Unbounded, Bound::Excluded);
        let rows = groups.range::<str, _>((after, Bound::Unbounded));
        self.cut(rows.map(|(key, group)| (key, group.row())), start, size)
    }

    /// As many rows as the page has and `top` leaves.
    fn cut<K: AsRef<str>>(
        &self,
        rows: impl Iterator<Item = (K, Value)>,
        start: &Continuation,
        size: usize,
    ) -> Page {
        let left = self
            .top
            .map_or(usize::MAX, |top| top.saturating_sub(start.given));
        let mut rows: Vec<(K, Value)> = rows.take(left.min(size.saturating_add(1))).collect();
        let has_more = rows.len() > size;
        rows.truncate(size);
        let last = rows.last().filter(|_| has_more);
        let next = last.map(|(key, _)| Continuation {
            after: Some(key.as_ref().to_owned()),
            given: start.given.saturating_add(size),
        });
        Page {
            rows: rows.into_iter().map(|(_, row)| row).collect(),
            next,
        }
    }

    /// What the answer shows of a row.
    fn selected(&self, row: Value) -> Value {
        match self.columns() {
            [] => row,
            columns => Value::Object(fields(columns, &row)),
        }
    }

    fn groups(&self, rows: impl Iterator<Item = Value>) -> BTreeMap<String, Group<'_>> {
        let columns = self.columns();
        let mut groups = BTreeMap::new();
        if self.group.is_none() {
            // All rows are one group, and it is there without a row.
            groups.insert(String::new(), Group::new(columns, &Value::Null));
        }
        for row in rows {
            let value = self.group.as_ref().and_then(|path| path.find(&row));
            let key = value.map(|(_, value)| group_key(value));
            let group = groups
                .entry(key.unwrap_or_default())
                .or_insert_with(|| Group::new(columns, &row));
            group.add(&row);
        }
        groups
    }
}

/// Rows that have the same value in the field of `group by`, or none.
struct Group<'a> {
    fields: Map<String, Value>,
    running: Vec<Running<'a>>,
}

impl<'a> Group<'a> {
    fn new(columns: &'a [Column], row: &Value) -> Self {
        Self {
            fields: fields(columns, row),
            running: columns.iter().filter_map(Running::new).collect(),
        }
    }

    fn add(&mut self, row: &Value) {
        for running in &mut self.running {
            running.add(row);
        }
    }

    fn row(&self) -> Value {
        let mut row = self.fields.clone();
        for running in &self.running {
            if let Some(result) = running.result() {
                row.insert(running.name.to_owned(), result);
            }
        }
        Value::Object(row)
    }
}

/// The columns that are fields, as far as the row has them.
fn fields(columns: &[Column], row: &Value) -> Map<String, Value> {
    let field = |column: &Column| {
        let Column::Field { path, alias } = column else {
            return None;
        };
        let (name, value) = path.find(row)?;
        let name = alias.as_deref().unwrap_or(name);
        Some((name.to_owned(), value.clone()))
    };
    columns.iter().filter_map(field).collect()
}

/// A value's text, the same for the same number however it is written.
fn group_key(value: &Value) -> String {
    let plain = value.as_f64().and_then(number);
    plain.as_ref().unwrap_or(value).to_string()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use serde_json::json;

    use super::*;

    fn devices() -> Vec<(String, Value)> {
        [
            json!({"deviceId": "a", "tags": {"site": "east", "n": 1}}),
            json!({"deviceId": "b", "tags": {"site": "west", "n": 2}}),
            json!({"deviceId": "c", "tags": {"n": 1.0}}),
            json!({"deviceId": "d", "tags": {"site": "east", "n": 4}}),
        ]
        .into_iter()
        .map(|row| (row["deviceId"].as_str().unwrap().to_owned(), row))
        .collect()
    }

    /// All pages of a query.
    fn pages(text: &str, size: usize) -> Vec<Value> {
        let query = Query::parse(text).unwrap();
        let mut pages = Vec::new();
        let mut start = Continuation::default();
        loop {
            let after = query.rows_after(&start);
            let is_due = |key: &str| after.is_none_or(|after| key > after);
            let rows = devices().into_iter().filter(|(key, _)| is_due(key));
            let page = query.page(rows, &start, size);
            pages.push(Value::Array(page.rows));
            match page.next {
                Some(next) => start = next,
                None => return pages,
            }
        }
    }

    /// The ids of each page, one after the other.
    fn ids(text: &str, size: usize) -> Vec<String> {
        let id = |row: &Value| row["deviceId"].as_str().unwrap().to_owned();
        let ids = |page: Value| page.as_array().unwrap().iter().map(id).collect();
        pages(text, size).into_iter().map(ids).collect()
    }

    #[test]
    fn a_projection_leaves_out_what_a_row_does_not_have() {
        assert_eq!(
            pages("select DEVICEID, tags.site as place from devices", 3),
            [
                json!([
                    {"deviceId": "a", "place": "east"},
                    {"deviceId": "b", "place": "west"},
                    {"deviceId": "c"},
                ]),
                json!([{"deviceId": "d", "place": "east"}]),
            ]
        );
    }

    #[test]
    fn top_counts_over_all_pages() {
        assert_eq!(ids("select top 3 * from devices", 2), ["ab", "c"]);
        assert_eq!(ids("select top 2 * from devices", 2), ["ab"]);
        assert_eq!(ids("select top 9 * from devices", 2), ["ab", "cd"]);
        assert_eq!(ids("select top 0 * from devices", 2), [""]);
        assert_eq!(ids("select * from devices", 4), ["abcd"]);
        assert_eq!(
            ids("select top 1 * from devices where tags.n = 1", 4),
            ["a"]
        );
    }

    #[test]
    fn a_forged_continuation_breaks_nothing() {
        let query = Query::parse("select * from devices").unwrap();
        let start = Continuation {
            after: None,
            given: usize::MAX,
        };
        let page = query.page(devices().into_iter(), &start, 2);
        assert_eq!(page.next.unwrap().given, usize::MAX);
    }

    #[test]
    fn aggregates_without_groups_are_one_row_even_of_nothing() {
        assert_eq!(
            pages(
                "select count() as n, sum(tags.n) as s, min(tags.site) as m from devices",
                9
            ),
            [json!([{"n": 4, "s": 8, "m": "east"}])]
        );
        assert_eq!(
            pages(
                "select count() as n, avg(tags.n) as a from devices where false",
                9
            ),
            [json!([{"n": 0}])]
        );
    }

    #[test]
    fn groups_come_page_by_page_and_may_lack_the_field() {
        let text = "select tags.site as site, count() as n from devices group by tags.site";
        assert_eq!(
            pages(text, 2),
            [
                json!([{"n": 1}, {"site": "east", "n": 2}]),
                json!([{"site": "west", "n": 1}]),
            ]
        );
        assert_eq!(
            pages("select tags.n from devices group by tags.n", 9),
            [json!([{"n": 1}, {"n": 2}, {"n": 4}])]
        );
        assert_eq!(
            pages(
                "select count() as n from devices where false group by tags.n",
                9
            ),
            [json!([])]
        );
    }

    #[test]
    fn no_more_rows_are_made_than_a_page_needs() {
        let made = Cell::new(0);
        let rows = (0..1000).map(|n| {
            made.set(made.get() + 1);
            (n.to_string(), json!({"n": n}))
        });
        let query = Query::parse("select * from devices").unwrap();
        let page = query.page(rows, &Continuation::default(), 10);
        assert_eq!((page.rows.len(), made.get()), (10, 11));
    }
}
