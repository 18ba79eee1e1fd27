//! Ways to bend a request, so that it is wrong in a way that some client will be wrong one day.

use rand::Rng as _;
use rand::rngs::StdRng;
use reqwest::Method;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue, IF_MATCH};
use serde_json::{Value, json};

use crate::draft::Draft;
use crate::pools::one_of;

type Bend = fn(&mut Draft, &mut StdRng);

/// All ways, by name. The more frequent ones stand twice.
const BENDS: [(&str, Bend); 19] = [
    ("wrong type", wrong_type),
    ("wrong type", wrong_type),
    ("field left out", left_out),
    ("field left out", left_out),
    ("unknown field", unknown_field),
    ("names in another case", other_case),
    ("huge string", huge_string),
    ("deep body", deep_body),
    ("cut body", cut_body),
    ("no JSON", no_json),
    ("other JSON", other_json),
    ("empty body", empty_body),
    ("content type", content_type),
    ("odd id", odd_id),
    ("odd id", odd_id),
    ("odd header", odd_header),
    ("odd version", odd_version),
    ("odd query", odd_query),
    ("odd method", odd_method),
];

/// Segments of a path, encoded. None is empty or has only dots: clients take those away.
const IDS: [&str; 14] = [
    "a%20b",
    "a%2Fb",
    "a%5Cb",
    "%00",
    "%FF",
    "%E2%82",
    "%F0%9F%98%80",
    "%25",
    "a%0Ab",
    "$system",
    "%24edgeHub",
    "odd-:.+%25_%23*%3F!(),=@;$'",
    "'%20or%20'1'='1",
    "%22quoted%22",
];

/// Bends a request in no way, in one or in two.
pub(crate) fn bend(draft: &mut Draft, rng: &mut StdRng) {
    let times = match rng.random_range(0..100) {
        0..45 => 0,
        45..85 => 1,
        _ => 2,
    };
    for _ in 0..times {
        let (name, bend) = BENDS[rng.random_range(0..BENDS.len())];
        draft.bent.push(name);
        bend(draft, rng);
    }
}

fn wrong_type(draft: &mut Draft, rng: &mut StdRng) {
    let Some(body) = &mut draft.json else { return };
    let values = [
        Value::Null,
        json!(true),
        json!(-1),
        json!(1.5e300),
        json!(u64::MAX),
        json!("text"),
        json!(""),
        json!([]),
        json!([[1]]),
        json!({}),
        json!({"a": {"b": []}}),
    ];
    let value = values[rng.random_range(0..values.len())].clone();
    *node(body, rng) = value;
}

fn left_out(draft: &mut Draft, rng: &mut StdRng) {
    let Some(body) = &mut draft.json else { return };
    match node(body, rng) {
        Value::Object(map) if !map.is_empty() => {
            let chosen = map.keys().nth(rng.random_range(0..map.len())).cloned();
            if let Some(name) = chosen {
                map.remove(&name);
            }
        }
        Value::Array(list) => list.clear(),
        other => *other = Value::Null,
    }
}

fn unknown_field(draft: &mut Draft, rng: &mut StdRng) {
    let Some(body) = &mut draft.json else { return };
    if let Value::Object(map) = node(body, rng) {
        map.insert("policyResourceId".to_owned(), json!({"more": [1, 2]}));
        map.insert(String::new(), json!("no name"));
    }
}

fn other_case(draft: &mut Draft, rng: &mut StdRng) {
    let Some(body) = &mut draft.json else { return };
    if let Value::Object(map) = node(body, rng) {
        let fields = std::mem::take(map).into_iter();
        map.extend(fields.map(|(name, value)| (name.to_uppercase(), value)));
    }
}

/// Mostly a little more than a twin takes: what is taken stays, and lists would grow long.
fn huge_string(draft: &mut Draft, rng: &mut StdRng) {
    let Some(body) = &mut draft.json else { return };
    let length = if rng.random_bool(0.05) {
        300_000
    } else {
        5_000
    };
    *node(body, rng) = json!("h".repeat(length));
}

/// As text: a value of this depth could not be taken apart again without a deep stack.
fn deep_body(draft: &mut Draft, rng: &mut StdRng) {
    let depths = [11, 120, 20_000];
    let depth = depths[rng.random_range(0..depths.len())];
    let text = if rng.random_bool(0.5) {
        format!("{}{}", "[".repeat(depth), "]".repeat(depth))
    } else {
        format!("{}1{}", "{\"tags\":".repeat(depth), "}".repeat(depth))
    };
    draft.raw = Some(text.into_bytes());
}

fn cut_body(draft: &mut Draft, rng: &mut StdRng) {
    let mut body = draft.body().unwrap_or_default();
    body.truncate(rng.random_range(0..=body.len()));
    draft.raw = Some(body);
}

fn no_json(draft: &mut Draft, rng: &mut StdRng) {
    let texts: [&[u8]; 6] = [
        b"<xml/>",
        b"\xff\xfe\x00",
        b"\xef\xbb\xbf{}",
        b"{\"deviceId\":\"a\",\"deviceId\":\"b\"}",
        b"NaN",
        b"{'single': 1}",
    ];
    draft.raw = Some(one_of(&texts, rng).to_vec());
}

fn other_json(draft: &mut Draft, rng: &mut StdRng) {
    let texts = [
        "null", "1", "\"text\"", "true", "[]", "[{}]", "[null]", "{}",
    ];
    draft.raw = Some(one_of(&texts, rng).as_bytes().to_vec());
}

fn empty_body(draft: &mut Draft, _rng: &mut StdRng) {
    draft.raw = Some(Vec::new());
}

fn content_type(draft: &mut Draft, rng: &mut StdRng) {
    draft.headers.retain(|(name, _)| *name != CONTENT_TYPE);
    let kinds = [
        "text/plain",
        "multipart/form-data",
        "application/json; charset=utf-16",
        "x",
    ];
    let kind = HeaderValue::from_static(one_of(&kinds, rng));
    draft.headers.push((CONTENT_TYPE, kind));
}

fn odd_id(draft: &mut Draft, rng: &mut StdRng) {
    let mut segments: Vec<String> = draft.path.split('/').map(str::to_owned).collect();
    if segments.len() < 3 {
        return;
    }
    let odd = match rng.random_range(0..10) {
        0 => "x".repeat(129),
        1 => "x".repeat(5_000),
        _ => one_of(&IDS, rng).to_owned(),
    };
    // The first segment is the area; what follows is an id or a word of the path's own.
    let place = rng.random_range(2..segments.len());
    let is_id = !matches!(
        segments[place].as_str(),
        "v2" | "modules" | "create" | "query"
    );
    if is_id {
        segments[place] = odd;
    }
    draft.path = segments.join("/");
}

fn odd_header(draft: &mut Draft, rng: &mut StdRng) {
    let tags = [
        "",
        "\"",
        "\"\"",
        "W/\"MA==\"",
        "MA==, MQ==",
        "\"*",
        "*, *",
        "ä",
    ];
    let counts = ["0", "-1", "many", "5000", "99999999999999999999", "1.5", ""];
    let tokens = ["bm9uZQ==", "", "x", "\u{fffd}", "{\"token\":1}"];
    let named = HeaderName::from_static;
    let (name, text) = match rng.random_range(0..4) {
        0 => (IF_MATCH, one_of(&tags, rng)),
        1 => (named("x-ms-max-item-count"), one_of(&counts, rng)),
        2 => (named("x-ms-continuation"), one_of(&tokens, rng)),
        _ => (ACCEPT, "image/png"),
    };
    let value = HeaderValue::from_bytes(text.as_bytes()).expect("a header may have any text");
    draft.headers.push((name, value));
}

fn odd_version(draft: &mut Draft, rng: &mut StdRng) {
    let versions = [
        "",
        "2001-01-01",
        "latest",
        "2021-04-12-preview",
        "2021-04-12 ",
    ];
    draft.queries.retain(|(name, _)| *name != "api-version");
    if rng.random_bool(0.8) {
        let version = one_of(&versions, rng).to_owned();
        draft.queries.push(("api-version", version));
    }
}

fn odd_query(draft: &mut Draft, rng: &mut StdRng) {
    let names = ["top", "jobType", "jobStatus", "api-version", "unknown"];
    let values = [
        "0",
        "-1",
        "1001",
        "many",
        "99999999999999999999",
        "",
        "ä&=%",
    ];
    let pair = (one_of(&names, rng), one_of(&values, rng).to_owned());
    draft.queries.push(pair);
}

/// One that no path has: anything else might be another operation.
fn odd_method(draft: &mut Draft, _rng: &mut StdRng) {
    draft.method = Method::OPTIONS;
}

/// A place somewhere in the value.
fn node<'a>(value: &'a mut Value, rng: &mut StdRng) -> &'a mut Value {
    let count = match value {
        Value::Object(map) => map.len(),
        Value::Array(list) => list.len(),
        _ => 0,
    };
    if count == 0 || rng.random_bool(0.2) {
        return value;
    }
    let chosen = rng.random_range(0..count);
    match value {
        Value::Object(map) => node(map.values_mut().nth(chosen).expect("it is there"), rng),
        Value::Array(list) => node(&mut list[chosen], rng),
        other => other,
    }
}
