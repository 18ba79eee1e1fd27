//! What is made of many rows: counts, sums, averages, the least and the greatest.
//!
//! As in Cosmos DB: undefined values are left out, and one value of the wrong kind makes the
//! whole undefined.

use std::cmp::Ordering;

use serde_json::Value;

use super::eval::{number, order};
use super::path::Path;
use super::statement::{Aggregate, Column};

/// A column that is made of many rows, and what it is so far.
pub(super) struct Running<'a> {
    pub(super) name: &'a str,
    path: Option<&'a Path>,
    tally: Tally,
}

enum Tally {
    Rows(u64),
    Numbers {
        sum: f64,
        count: u64,
        is_average: bool,
    },
    Best {
        best: Option<Value>,
        wanted: Ordering,
    },
    /// There was a value of the wrong kind.
    Spoiled,
}

impl<'a> Running<'a> {
    /// Nothing for a column that is a field.
    pub(super) fn new(column: &'a Column) -> Option<Self> {
        match column {
            Column::Field { .. } => None,
            Column::Count { name } => Some(Self {
                name,
                path: None,
                tally: Tally::Rows(0),
            }),
            Column::Aggregate {
                aggregate,
                path,
                name,
            } => Some(Self {
                name,
                path: Some(path),
                tally: Tally::new(*aggregate),
            }),
        }
    }

    pub(super) fn add(&mut self, row: &Value) {
        let found = self.path.and_then(|path| path.find(row));
        self.tally.add(found.map(|(_, value)| value));
    }

    /// What it is after all rows; nothing where it is undefined.
    pub(super) fn result(&self) -> Option<Value> {
        self.tally.result()
    }
}

impl Tally {
    fn new(aggregate: Aggregate) -> Self {
        let best = |wanted| Self::Best { best: None, wanted };
        let numbers = |is_average| Self::Numbers {
            sum: 0.0,
            count: 0,
            is_average,
        };
        match aggregate {
            Aggregate::Average => numbers(true),
            Aggregate::Sum => numbers(false),
            Aggregate::Least => best(Ordering::Less),
            Aggregate::Greatest => best(Ordering::Greater),
        }
    }

    fn add(&mut self, value: Option<&Value>) {
        if let Self::Rows(count) = self {
            *count += 1;
            return;
        }
        let Some(value) = value else { return };
        match self {
            Self::Numbers { sum, count, .. } => match value.as_f64() {
                Some(number) => {
                    *sum += number;
                    *count += 1;
                }
                None => *self = Self::Spoiled,
            },
            Self::Best { best, wanted } => {
                if value.is_array() || value.is_object() {
                    *self = Self::Spoiled;
                } else if best
                    .as_ref()
                    .is_none_or(|best| ranked(value, best) == *wanted)
                {
                    *best = Some(value.clone());
                }
            }
            Self::Rows(_) | Self::Spoiled => {}
        }
    }

    fn result(&self) -> Option<Value> {
        match self {
            Self::Rows(count) => Some((*count).into()),
            Self::Numbers { count: 0, .. } | Self::Spoiled => None,
            Self::Numbers {
                sum,
                count,
                is_average: true,
            } => number(sum / *count as f64),
            Self::Numbers { sum, .. } => number(*sum),
            Self::Best { best, .. } => best.clone(),
        }
    }
}

/// Null comes before booleans, booleans before numbers, numbers before texts.
fn ranked(left: &Value, right: &Value) -> Ordering {
    let rank = |value: &Value| match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        _ => 3,
    };
    let by_value = || order(left, right).unwrap_or(Ordering::Equal);
    rank(left).cmp(&rank(right)).then_with(by_value)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn result(aggregate: Aggregate, values: &[Value]) -> Option<Value> {
        let mut tally = Tally::new(aggregate);
        tally.add(None);
        for value in values {
            tally.add(Some(value));
        }
        tally.result()
    }

    #[test]
    fn numbers_are_added_and_averaged() {
        let values = [json!(1), json!(2.5), json!(4)];
        assert_eq!(result(Aggregate::Sum, &values), Some(json!(7.5)));
        assert_eq!(result(Aggregate::Average, &values), Some(json!(2.5)));
        assert_eq!(
            result(Aggregate::Sum, &[json!(1), json!(2)]),
            Some(json!(3))
        );
        assert_eq!(result(Aggregate::Sum, &[]), None);
        assert_eq!(result(Aggregate::Average, &[json!(1), json!("2")]), None);
        assert_eq!(result(Aggregate::Sum, &[json!("2"), json!(1)]), None);
    }

    #[test]
    fn the_least_and_the_greatest_may_be_of_any_simple_kind() {
        let values = [json!(2), json!(1.5), json!(3)];
        assert_eq!(result(Aggregate::Least, &values), Some(json!(1.5)));
        assert_eq!(result(Aggregate::Greatest, &values), Some(json!(3)));
        let mixed = [json!("a"), json!(true), json!("b"), json!(9)];
        assert_eq!(result(Aggregate::Least, &mixed), Some(json!(true)));
        assert_eq!(result(Aggregate::Greatest, &mixed), Some(json!("b")));
        assert_eq!(result(Aggregate::Least, &[json!(1), json!([])]), None);
        assert_eq!(result(Aggregate::Least, &[]), None);
    }

    #[test]
    fn a_count_counts_rows_whatever_they_hold() {
        let mut tally = Tally::Rows(0);
        tally.add(None);
        tally.add(Some(&json!("x")));
        assert_eq!(tally.result(), Some(json!(2)));
    }
}
