//! Canonical JSON (RFC 8785): the bytes over which fingerprints are taken.
//!
//! Keys are sorted by their UTF-16 code units, strings are escaped minimally, and numbers are
//! printed as ECMAScript prints them. Hubs allow integers up to 2^53 only, so nothing is lost.

use serde_json::Value;

/// Version of the canonical form; stands beside every stored fingerprint.
pub const CANON_VERSION: i16 = 1;

/// The canonical text of a JSON value.
pub fn canonical_json(value: &Value) -> String {
    let mut out = String::new();
    write_value(value, &mut out);
    out
}

fn write_value(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => write_number(number, out),
        Value::String(text) => write_string(text, out),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_value(item, out);
            }
            out.push(']');
        }
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort_by(|a, b| a.encode_utf16().cmp(b.encode_utf16()));
            out.push('{');
            for (i, key) in keys.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_string(key, out);
                out.push(':');
                write_value(&map[key], out);
            }
            out.push('}');
        }
    }
}

fn write_string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Numbers as ECMAScript's `Number::toString` (RFC 8785, section 3.2.2.3).
fn write_number(number: &serde_json::Number, out: &mut String) {
    let value = number.as_f64().unwrap_or(0.0);
    if value == 0.0 {
        return out.push('0');
    }
    if value < 0.0 {
        out.push('-');
    }
    // Rust's `{:e}` prints the shortest digits that read back, as ECMAScript wants them.
    let shortest = format!("{:e}", value.abs());
    let (mantissa, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
    let digits: String = mantissa.chars().filter(|c| *c != '.').collect();
    let point = exponent.parse::<i32>().unwrap_or(0) + 1;
    out.push_str(&place_point(&digits, point));
}

fn place_point(digits: &str, point: i32) -> String {
    let len = digits.len() as i32;
    if (1..=21).contains(&point) {
        if len <= point {
            return format!("{digits}{}", "0".repeat((point - len) as usize));
        }
        let (whole, part) = digits.split_at(point as usize);
        return format!("{whole}.{part}");
    }
    if (-5..=0).contains(&point) {
        return format!("0.{}{digits}", "0".repeat((-point) as usize));
    }
    let exponent = point - 1;
    let (first, rest) = digits.split_at(1);
    let dot = if rest.is_empty() { "" } else { "." };
    format!("{first}{dot}{rest}e{exponent:+}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn numbers_print_as_ecmascript_prints_them() {
        let cases: &[(f64, &str)] = &[
            (0.0, "0"),
            (-0.0, "0"),
            (1.0, "1"),
            (-5.5, "-5.5"),
            (9007199254740992.0, "9007199254740992"),
            (1e21, "1e+21"),
            (1e20, "100000000000000000000"),
            (0.000001, "0.000001"),
            (1e-7, "1e-7"),
            (1.5e-9, "1.5e-9"),
            (333333333.3333333, "333333333.3333333"),
        ];
        for (value, text) in cases {
            assert_eq!(canonical_json(&json!(value)), *text);
        }
    }

    #[test]
    fn keys_sort_by_utf16_and_integers_equal_floats() {
        let value = json!({"\u{10000}": 1, "\u{e000}": 2.0, "a": [true, null, "x\n\u{1}"]});
        let text = canonical_json(&value);
        assert_eq!(
            text,
            "{\"a\":[true,null,\"x\\n\\u0001\"],\"\u{10000}\":1,\"\u{e000}\":2}"
        );
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-(1i64 << 52)..(1i64 << 52)).prop_map(Value::from),
            any::<f64>()
                .prop_filter("finite", |f| f.is_finite())
                .prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..5)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// L12: what is printed parses, and prints the same again.
        #[test]
        fn canonical_text_is_a_fixed_point(value in any_json()) {
            let once = canonical_json(&value);
            let parsed: Value = serde_json::from_str(&once).unwrap();
            prop_assert_eq!(canonical_json(&parsed), once);
        }
    }
}
