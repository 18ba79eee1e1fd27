//! The functions of the query language.
//!
//! Questions about a value's kind always have an answer. Every other function is undefined where
//! one of its arguments is undefined or not of the kind that it takes.

use std::borrow::Cow;

use serde_json::Value;

use super::eval::equals;

/// A function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    IsDefined,
    IsNull,
    IsBool,
    IsNumber,
    IsString,
    IsArray,
    IsObject,
    IsPrimitive,
    StartsWith,
    EndsWith,
    Contains,
    IndexOf,
    Substring,
    Length,
    Lower,
    Upper,
    Concat,
    ArrayContains,
}

/// Names with the least and the most arguments. Where there are two names the first is written.
pub(super) static FUNCTIONS: [(&str, Function, usize, usize); 20] = [
    ("is_defined", Function::IsDefined, 1, 1),
    ("is_null", Function::IsNull, 1, 1),
    ("is_bool", Function::IsBool, 1, 1),
    ("is_number", Function::IsNumber, 1, 1),
    ("is_string", Function::IsString, 1, 1),
    ("is_array", Function::IsArray, 1, 1),
    ("is_object", Function::IsObject, 1, 1),
    ("is_primitive", Function::IsPrimitive, 1, 1),
    ("startswith", Function::StartsWith, 2, 2),
    ("starts_with", Function::StartsWith, 2, 2),
    ("endswith", Function::EndsWith, 2, 2),
    ("ends_with", Function::EndsWith, 2, 2),
    ("contains", Function::Contains, 2, 2),
    ("index_of", Function::IndexOf, 2, 2),
    ("substring", Function::Substring, 2, 3),
    ("length", Function::Length, 1, 1),
    ("lower", Function::Lower, 1, 1),
    ("upper", Function::Upper, 1, 1),
    ("concat", Function::Concat, 2, usize::MAX),
    ("array_contains", Function::ArrayContains, 2, 2),
];

impl Function {
    /// Names go in any case.
    pub(super) fn find(name: &str) -> Option<Self> {
        FUNCTIONS
            .iter()
            .find(|(known, ..)| known.eq_ignore_ascii_case(name))
            .map(|(_, function, ..)| *function)
    }

    pub(super) fn name(self) -> &'static str {
        FUNCTIONS
            .iter()
            .find(|(_, function, ..)| *function == self)
            .map_or("", |(name, ..)| *name)
    }

    /// Whether it takes so many arguments.
    pub(super) fn takes(self, count: usize) -> bool {
        FUNCTIONS
            .iter()
            .filter(|(_, function, ..)| *function == self)
            .any(|(_, _, least, most)| (*least..=*most).contains(&count))
    }

    /// The value for these arguments, of which `None` is undefined.
    pub(super) fn apply(self, arguments: &[Option<Cow<'_, Value>>]) -> Option<Value> {
        let first = arguments.first().and_then(Option::as_deref);
        if let Some(answer) = self.is_kind(first) {
            return Some(answer.into());
        }
        let values: Option<Vec<&Value>> = arguments.iter().map(Option::as_deref).collect();
        match (self, values?.as_slice()) {
            (Self::StartsWith, [Value::String(text), Value::String(part)]) => {
                Some(text.starts_with(part.as_str()).into())
            }
            (Self::EndsWith, [Value::String(text), Value::String(part)]) => {
                Some(text.ends_with(part.as_str()).into())
            }
            (Self::Contains, [Value::String(text), Value::String(part)]) => {
                Some(text.contains(part.as_str()).into())
            }
            (Self::IndexOf, [Value::String(text), Value::String(part)]) => {
                Some(index_of(text, part))
            }
            (Self::Substring, [Value::String(text), start]) => {
                Some(substring(text, whole(start)?, usize::MAX))
            }
            (Self::Substring, [Value::String(text), start, length]) => {
                Some(substring(text, whole(start)?, whole(length)?))
            }
            (Self::Length, [Value::String(text)]) => Some(text.chars().count().into()),
            (Self::Lower, [Value::String(text)]) => Some(text.to_lowercase().into()),
            (Self::Upper, [Value::String(text)]) => Some(text.to_uppercase().into()),
            (Self::Concat, parts) => {
                let text: Option<String> = parts.iter().map(|part| part.as_str()).collect();
                text.map(Value::String)
            }
            (Self::ArrayContains, [Value::Array(items), wanted]) => {
                let is_in = items.iter().any(|item| equals(item, wanted) == Some(true));
                Some(is_in.into())
            }
            _ => None,
        }
    }

    /// The answer to a question about a value's kind; nothing if this function is none.
    fn is_kind(self, value: Option<&Value>) -> Option<bool> {
        match self {
            Self::IsDefined => Some(value.is_some()),
            Self::IsNull => Some(value.is_some_and(Value::is_null)),
            Self::IsBool => Some(value.is_some_and(Value::is_boolean)),
            Self::IsNumber => Some(value.is_some_and(Value::is_number)),
            Self::IsString => Some(value.is_some_and(Value::is_string)),
            Self::IsArray => Some(value.is_some_and(Value::is_array)),
            Self::IsObject => Some(value.is_some_and(Value::is_object)),
            Self::IsPrimitive => {
                Some(value.is_some_and(|value| !value.is_array() && !value.is_object()))
            }
            _ => None,
        }
    }
}

/// Where a part begins, counted in characters, or -1.
fn index_of(text: &str, part: &str) -> Value {
    match text.find(part) {
        Some(at) => text[..at].chars().count().into(),
        None => Value::from(-1),
    }
}

fn substring(text: &str, start: usize, length: usize) -> Value {
    let part: String = text.chars().skip(start).take(length).collect();
    part.into()
}

fn whole(value: &Value) -> Option<usize> {
    usize::try_from(value.as_u64()?).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn apply(name: &str, arguments: &[Value]) -> Option<Value> {
        let arguments: Vec<_> = arguments
            .iter()
            .map(|argument| Some(Cow::Borrowed(argument)))
            .collect();
        let function = Function::find(name).unwrap();
        assert!(function.takes(arguments.len()), "{name}");
        function.apply(&arguments)
    }

    #[test]
    fn every_function_has_a_value_for_what_it_takes() {
        for (name, arguments, expected) in [
            ("IS_DEFINED", vec![json!(null)], json!(true)),
            ("is_null", vec![json!(null)], json!(true)),
            ("is_bool", vec![json!(0)], json!(false)),
            ("is_number", vec![json!(1.5)], json!(true)),
            ("is_string", vec![json!("")], json!(true)),
            ("is_array", vec![json!([])], json!(true)),
            ("is_object", vec![json!([])], json!(false)),
            ("is_primitive", vec![json!(null)], json!(true)),
            ("is_primitive", vec![json!({})], json!(false)),
            ("startsWith", vec![json!("äbc"), json!("äb")], json!(true)),
            ("starts_with", vec![json!("abc"), json!("b")], json!(false)),
            ("endswith", vec![json!("abc"), json!("bc")], json!(true)),
            ("ends_with", vec![json!("abc"), json!("b")], json!(false)),
            ("contains", vec![json!("abc"), json!("b")], json!(true)),
            ("index_of", vec![json!("äbc"), json!("c")], json!(2)),
            ("index_of", vec![json!("abc"), json!("x")], json!(-1)),
            ("substring", vec![json!("äbcd"), json!(1)], json!("bcd")),
            (
                "substring",
                vec![json!("äbcd"), json!(1), json!(2)],
                json!("bc"),
            ),
            ("substring", vec![json!("ab"), json!(5)], json!("")),
            ("length", vec![json!("äb")], json!(2)),
            ("lower", vec![json!("ÄB")], json!("äb")),
            ("upper", vec![json!("äb")], json!("ÄB")),
            (
                "concat",
                vec![json!("a"), json!(""), json!("c")],
                json!("ac"),
            ),
            (
                "array_contains",
                vec![json!(["a", 1]), json!(1.0)],
                json!(true),
            ),
            (
                "array_contains",
                vec![json!(["a"]), json!("b")],
                json!(false),
            ),
        ] {
            assert_eq!(
                apply(name, &arguments),
                Some(expected),
                "{name} {arguments:?}"
            );
        }
    }

    #[test]
    fn what_is_of_another_kind_or_undefined_makes_a_function_undefined() {
        for (name, arguments) in [
            ("startswith", vec![json!("a"), json!(1)]),
            ("length", vec![json!([1])]),
            ("substring", vec![json!("a"), json!(-1)]),
            ("concat", vec![json!("a"), json!(null)]),
            ("array_contains", vec![json!("abc"), json!("a")]),
        ] {
            assert_eq!(apply(name, &arguments), None, "{name}");
        }
        let text = Value::from("a");
        assert_eq!(
            Function::Concat.apply(&[Some(Cow::Borrowed(&text)), None]),
            None
        );
        assert_eq!(Function::IsDefined.apply(&[None]), Some(json!(false)));
        assert_eq!(Function::IsNull.apply(&[None]), Some(json!(false)));
        assert_eq!(Function::Lower.apply(&[None]), None);
    }

    #[test]
    fn names_lead_back_to_their_functions() {
        for (name, function, ..) in FUNCTIONS {
            assert_eq!(Function::find(name), Some(function));
            assert_eq!(Function::find(function.name()), Some(function));
        }
        assert_eq!(Function::find("abs"), None);
    }
}
