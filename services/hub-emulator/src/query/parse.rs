//! Reads a whole query, and refuses what the hub has no answer for.

use std::collections::HashSet;

use super::error::QueryError;
use super::path::Path;
use super::reader::Reader;
use super::statement::{Aggregate, Collection, Column, Query, Selection};
use super::words::Word;

impl Query {
    /// Reads a query. What is not understood is refused, never answered wrongly.
    pub(crate) fn parse(text: &str) -> Result<Self, QueryError> {
        let mut reader = Reader::new(text)?;
        reader.keyword("select")?;
        let top = reader.top()?;
        let place = reader.place();
        let selection = reader.selection()?;
        reader.keyword("from")?;
        let collection = reader.take_collection()?;
        let condition = reader
            .take_keyword("where")
            .then(|| reader.expression())
            .transpose()?;
        let group = reader.group()?;
        reader.end()?;
        let query = Self {
            top,
            selection,
            collection,
            condition,
            group,
        };
        match query.contradiction() {
            None => Ok(query),
            Some(reason) => Err(QueryError::new(place, reason)),
        }
    }

    /// Why this query has no answer though each part of it is understood.
    fn contradiction(&self) -> Option<&'static str> {
        let columns = self.columns();
        if self.collection == Collection::Jobs && !columns.is_empty() {
            return Some("devices.jobs has only select *");
        }
        if self.group.is_some() && self.collection != Collection::Devices {
            return Some("only devices can be grouped");
        }
        if self.group.is_some() && columns.is_empty() {
            return Some("groups have no *, name the columns");
        }
        let is_single = |column: &Column| match column {
            Column::Field { path, .. } => self.group.as_ref() != Some(path),
            Column::Count { .. } | Column::Aggregate { .. } => false,
        };
        if self.is_aggregate() && columns.iter().any(is_single) {
            return Some("beside count, avg, sum, min and max stands only the field of group by");
        }
        let mut names = HashSet::new();
        if !columns.iter().all(|column| names.insert(column.name())) {
            return Some("two columns have the same name");
        }
        None
    }
}

impl Reader {
    /// `top 5`, `top(5)`.
    fn top(&mut self) -> Result<Option<usize>, QueryError> {
        if !self.take_keyword("top") {
            return Ok(None);
        }
        let is_bracketed = self.take_symbol("(");
        let count: Option<usize> = match self.peek() {
            Some(Word::Number(digits)) => digits.parse().ok(),
            _ => None,
        };
        if count.is_none() {
            return Err(self.mistake("a whole number is expected"));
        }
        self.skip();
        if is_bracketed {
            self.symbol(")")?;
        }
        Ok(count)
    }

    fn selection(&mut self) -> Result<Selection, QueryError> {
        if self.take_symbol("*") {
            return Ok(Selection::Everything);
        }
        let mut columns = vec![self.column()?];
        while self.take_symbol(",") {
            columns.push(self.column()?);
        }
        Ok(Selection::Columns(columns))
    }

    fn column(&mut self) -> Result<Column, QueryError> {
        if !self.is_call() {
            let path = self.path()?;
            let alias = self.take_keyword("as").then(|| self.alias()).transpose()?;
            return Ok(Column::Field { path, alias });
        }
        if self.take_keyword("count") {
            self.symbol("(")?;
            self.symbol(")")?;
            let name = self.name_after_as()?;
            return Ok(Column::Count { name });
        }
        let mut aggregates = Aggregate::ALL.into_iter();
        let Some(aggregate) = aggregates.find(|next| self.take_keyword(next.keyword())) else {
            return Err(self.mistake("a field, count, avg, sum, min or max is expected"));
        };
        self.symbol("(")?;
        let path = self.path()?;
        self.symbol(")")?;
        let name = self.name_after_as()?;
        Ok(Column::Aggregate {
            aggregate,
            path,
            name,
        })
    }

    fn name_after_as(&mut self) -> Result<String, QueryError> {
        self.keyword("as")?;
        self.alias()
    }

    fn alias(&mut self) -> Result<String, QueryError> {
        self.name("a column's name is expected")
    }

    fn group(&mut self) -> Result<Option<Path>, QueryError> {
        if !self.take_keyword("group") {
            return Ok(None);
        }
        self.keyword("by")?;
        self.path().map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_written_as_they_were_understood() {
        for (text, expected) in [
            ("SELECT * FROM devices", "select * from devices"),
            (
                "Select TOP(5) deviceId,tags.site As site From devices.modules",
                "select top 5 deviceId, tags.site as site from devices.modules",
            ),
            (
                "select count() as total, MAX(tags.n) as most from devices where devices.tags.n>1",
                "select count() as total, max(tags.n) as most from devices where tags.n > 1",
            ),
            (
                "select tags.site, avg(tags.n) as n from devices group by devices.tags.site",
                "select tags.site, avg(tags.n) as n from devices group by tags.site",
            ),
            (
                "select * from devices.jobs where devices.jobs.jobId = 'j'",
                "select * from devices.jobs where jobId = 'j'",
            ),
            ("select count from devices", "select count from devices"),
        ] {
            assert_eq!(Query::parse(text).unwrap().to_string(), expected);
        }
    }

    #[test]
    fn what_is_not_understood_is_refused_with_its_place() {
        for (text, expected) in [
            ("", "character 1: select is expected"),
            ("select", "character 7: a field is expected"),
            ("select nothing", "character 15: from is expected"),
            (
                "select * from nowhere",
                "character 15: devices, devices.modules or devices.jobs",
            ),
            (
                "select * from devices.twins",
                "character 23: devices, devices.modules",
            ),
            (
                "select * from devices;",
                "character 22: this has no meaning",
            ),
            (
                "select * from devices order by deviceId",
                "character 23: an operator or the end",
            ),
            (
                "select * from devices where",
                "character 28: a field, a value",
            ),
            (
                "select *, deviceId from devices",
                "character 9: from is expected",
            ),
            (
                "select deviceId, from devices",
                "character 18: a field is expected",
            ),
            (
                "select top five * from devices",
                "character 12: a whole number",
            ),
            (
                "select top 1.5 * from devices",
                "character 12: a whole number",
            ),
            (
                "select count() from devices",
                "character 16: as is expected",
            ),
            (
                "select count(*) as n from devices",
                "character 14: ) is expected",
            ),
            (
                "select upper(deviceId) as n from devices",
                "character 8: a field, count",
            ),
            (
                "select deviceId as select from devices",
                "character 20: a column's name",
            ),
            (
                "select deviceId, count() as n from devices",
                "character 8: beside count",
            ),
            (
                "select deviceId, count() as n from devices group by tags.site",
                "character 8: beside count",
            ),
            (
                "select * from devices group by tags.site",
                "character 8: groups have no *",
            ),
            (
                "select count() as n from devices.modules group by moduleId",
                "character 8: only devices can be grouped",
            ),
            (
                "select jobId from devices.jobs",
                "character 8: devices.jobs has only select *",
            ),
            (
                "select tags.site, properties.desired.site from devices",
                "character 8: two columns",
            ),
            (
                "select moduleId, devices.jobs.a from devices",
                "character 18: a field of the",
            ),
            (
                "select tags.a from devices group by tags.a, tags.b",
                "character 43: an operator or the end",
            ),
        ] {
            let error = Query::parse(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
