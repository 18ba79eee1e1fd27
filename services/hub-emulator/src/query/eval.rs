//! What an expression is for a row.
//!
//! Three truths, as in Cosmos DB: what a row does not have is undefined, and so is what is made
//! of it. `and` and `or` are decided where one side decides alone. A condition takes a row for
//! true only: a row for which `x = 1` is undefined is found by neither `x = 1` nor `not x = 1`.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::ops::Not as _;

use serde_json::{Number, Value};

use super::expr::{Comparison, Expr, Sign};

/// Whole numbers below this one are exact.
const EXACT: f64 = 9_007_199_254_740_992.0;

impl Expr {
    /// The value for a row, or nothing where it is undefined.
    pub(super) fn value<'a>(&'a self, row: &'a Value) -> Option<Cow<'a, Value>> {
        match self {
            Self::Constant(value) => Some(Cow::Borrowed(value)),
            Self::Undefined => None,
            Self::Field(path) => path.find(row).map(|(_, value)| Cow::Borrowed(value)),
            Self::List(items) => list(items, row).map(Cow::Owned),
            Self::Call(function, arguments) => {
                let arguments: Vec<_> = arguments.iter().map(|part| part.value(row)).collect();
                function.apply(&arguments).map(Cow::Owned)
            }
            Self::Arithmetic(first, rest) => arithmetic(first, rest, row).map(Cow::Owned),
            Self::Compare(..) | Self::In { .. } | Self::Not(_) | Self::All(_) | Self::Any(_) => {
                self.truth(row).map(|truth| Cow::Owned(truth.into()))
            }
        }
    }

    /// Whether it is true for a row; nothing where it is undefined or no boolean.
    pub(super) fn truth(&self, row: &Value) -> Option<bool> {
        match self {
            Self::Compare(left, comparison, right) => {
                let (left, right) = (left.value(row)?, right.value(row)?);
                comparison.holds(left.as_ref(), right.as_ref())
            }
            Self::In {
                value,
                list,
                is_wanted,
            } => {
                let value = value.value(row)?;
                let is_it = |item: &Self| {
                    let item = item.value(row)?;
                    equals(value.as_ref(), item.as_ref())
                };
                let found = any(list.iter().map(is_it))?;
                Some(found == *is_wanted)
            }
            Self::Not(inner) => inner.truth(row).map(bool::not),
            Self::All(parts) => all(parts.iter().map(|part| part.truth(row))),
            Self::Any(parts) => any(parts.iter().map(|part| part.truth(row))),
            Self::Constant(_)
            | Self::Undefined
            | Self::List(_)
            | Self::Field(_)
            | Self::Call(..)
            | Self::Arithmetic(..) => self.value(row)?.as_bool(),
        }
    }
}

impl Comparison {
    fn holds(self, left: &Value, right: &Value) -> Option<bool> {
        match self {
            Self::Equal => equals(left, right),
            Self::NotEqual => equals(left, right).map(bool::not),
            Self::Less => order(left, right).map(Ordering::is_lt),
            Self::AtMost => order(left, right).map(Ordering::is_le),
            Self::Greater => order(left, right).map(Ordering::is_gt),
            Self::AtLeast => order(left, right).map(Ordering::is_ge),
        }
    }
}

/// Whether two values are equal. The hub compares no objects and no lists. Values of two kinds
/// are not equal, so that `x != null` finds what is there.
pub(super) fn equals(left: &Value, right: &Value) -> Option<bool> {
    match (left, right) {
        (Value::Object(_) | Value::Array(_), _) | (_, Value::Object(_) | Value::Array(_)) => None,
        (Value::Number(left), Value::Number(right)) => Some(left.as_f64() == right.as_f64()),
        _ => Some(left == right),
    }
}

/// The order of two values of one kind.
pub(super) fn order(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left.as_f64()?.partial_cmp(&right.as_f64()?),
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(right)),
        _ => None,
    }
}

/// A number as JSON writes it: whole ones without a point. Nothing for what is no number.
pub(super) fn number(number: f64) -> Option<Value> {
    if number.fract() == 0.0 && number.abs() < EXACT {
        return Some(Value::from(number as i64));
    }
    Number::from_f64(number).map(Value::Number)
}

fn list(items: &[Expr], row: &Value) -> Option<Value> {
    let values: Option<Vec<Value>> = items
        .iter()
        .map(|item| item.value(row).map(Cow::into_owned))
        .collect();
    values.map(Value::Array)
}

fn arithmetic(first: &Expr, rest: &[(Sign, Expr)], row: &Value) -> Option<Value> {
    let mut result = first.value(row)?.as_f64()?;
    for (sign, part) in rest {
        let part = part.value(row)?.as_f64()?;
        result = match sign {
            Sign::Plus => result + part,
            Sign::Minus => result - part,
            Sign::Times => result * part,
            Sign::DividedBy => result / part,
            Sign::Modulo => result % part,
        };
    }
    number(result)
}

/// False if one is false, true if all are true.
fn all(mut truths: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let all_or_false = truths.try_fold(Some(true), |so_far, truth| match truth {
        Some(false) => Err(false),
        Some(true) => Ok(so_far),
        None => Ok(None),
    });
    all_or_false.unwrap_or_else(Some)
}

/// True if one is true, false if all are false.
fn any(truths: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    all(truths.map(|truth| truth.map(bool::not))).map(bool::not)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::reader::Reader;
    use super::*;

    fn row() -> Value {
        json!({
            "deviceId": "d", "status": "enabled", "statusReason": null,
            "tags": {"n": 3, "f": 2.5, "t": "text", "yes": true, "o": {"x": 1}, "l": ["a", "b"]},
        })
    }

    fn value(text: &str) -> Option<Value> {
        let expr = Reader::new(text).unwrap().expression().unwrap();
        expr.value(&row()).map(Cow::into_owned)
    }

    #[test]
    fn comparisons_are_between_values_of_one_kind() {
        for (text, expected) in [
            ("tags.n = 3.0", Some(true)),
            ("tags.n != 3", Some(false)),
            ("tags.f > 2 and tags.f < 3", Some(true)),
            ("tags.n >= tags.n", Some(true)),
            ("tags.t > 'sext'", Some(true)),
            ("tags.yes = true", Some(true)),
            ("tags.yes > false", Some(true)),
            ("tags.n = '3'", Some(false)),
            ("tags.n != null", Some(true)),
            ("statusReason = null", Some(true)),
            ("tags.n > '1'", None),
            ("tags.o = tags.o", None),
            ("tags.l != 'a'", None),
            ("null < 1", None),
        ] {
            assert_eq!(value(text), expected.map(Value::from), "{text}");
        }
    }

    #[test]
    fn undefined_is_neither_true_nor_false() {
        for (text, expected) in [
            ("tags.none = 1", None),
            ("tags.none != 1", None),
            ("not tags.none = 1", None),
            ("tags.none = undefined", None),
            ("tags.none in [1]", None),
            ("tags.none nin [1]", None),
            ("not tags.t", None),
            ("tags.none = 1 or true", Some(true)),
            ("tags.none = 1 or false", None),
            ("tags.none = 1 and false", Some(false)),
            ("tags.none = 1 and true", None),
            ("not (tags.none = 1 and false)", Some(true)),
            ("is_defined(tags.none)", Some(false)),
            ("is_defined(statusReason)", Some(true)),
            ("startswith(tags.none, 'a')", None),
            ("[tags.none] = 1", None),
        ] {
            assert_eq!(value(text), expected.map(Value::from), "{text}");
        }
    }

    #[test]
    fn membership_is_equality_with_one_of_the_list() {
        for (text, expected) in [
            ("deviceId in ['c', 'd']", Some(true)),
            ("deviceId nin ['c', 'd']", Some(false)),
            ("deviceId nin ['c']", Some(true)),
            ("tags.n in ['3', 3.0]", Some(true)),
            ("tags.n in []", Some(false)),
            ("tags.n in [tags.none, 3]", Some(true)),
            ("tags.n in [tags.none, 4]", None),
            ("tags.o in [1]", None),
        ] {
            assert_eq!(value(text), expected.map(Value::from), "{text}");
        }
    }

    #[test]
    fn arithmetic_is_of_numbers() {
        for (text, expected) in [
            ("1 + 2 * 3 - 4", Some(json!(3))),
            ("7 % 4 / 2", Some(json!(1.5))),
            ("tags.n * tags.f", Some(json!(7.5))),
            ("10 / 2", Some(json!(5))),
            ("0x10 - -1", Some(json!(17))),
            ("1 / 0", None),
            ("1 % 0", None),
            ("tags.t + 1", None),
            ("tags.none + 1", None),
        ] {
            assert_eq!(value(text), expected, "{text}");
        }
    }

    #[test]
    fn expressions_of_all_kinds_have_values() {
        assert_eq!(value("[tags.n, 'a']"), Some(json!([3, "a"])));
        assert_eq!(value("array_contains(tags.l, 'b')"), Some(json!(true)));
        assert_eq!(value("concat(lower('A'), tags.t)"), Some(json!("atext")));
        assert_eq!(value("tags.o"), Some(json!({"x": 1})));
    }
}
