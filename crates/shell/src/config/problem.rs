//! One thing wrong with a configuration, in words that an operator can act on.
//!
//! Says where (file or variable, key) and what is expected. Values are left out: any of them may
//! be a secret.

use std::fmt;

use figment::error::{Actual, Kind};
use figment::{Error, Source};

/// One problem: where it is, and what is wrong there.
#[derive(Debug)]
pub struct Problem {
    key: Option<String>,
    place: Option<String>,
    what: String,
}

impl Problem {
    /// One with a value that has the right type; which source it is from is not known any more.
    pub(super) fn with(key: &str, what: &str) -> Self {
        Self {
            key: Some(key.to_owned()),
            place: None,
            what: what.to_owned(),
        }
    }

    pub(super) fn of(error: Error, env_prefix: &str) -> Self {
        let what = describe(&error.kind);
        Self {
            key: full_key(&error),
            place: place(&error, env_prefix),
            what,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(key) = &self.key {
            write!(f, "{key}: ")?;
        }
        f.write_str(&self.what)?;
        match &self.place {
            Some(place) => write!(f, " (in {place})"),
            None => Ok(()),
        }
    }
}

/// The problems as indented lines, each on its own.
pub(super) fn lines(problems: &[Problem]) -> String {
    problems
        .iter()
        .map(|problem| format!("\n  - {problem}"))
        .collect()
}

/// Whether the error is about a key outside of every table.
pub(super) fn is_top_level(error: &Error) -> bool {
    full_key(error).is_some_and(|key| !key.contains('.'))
}

/// The dotted key. serde reports an unknown or missing key at its table, sometimes at itself.
fn full_key(error: &Error) -> Option<String> {
    let mut path = error.path.clone();
    let named = match &error.kind {
        Kind::UnknownField(name, _) => Some(name.as_str()),
        Kind::MissingField(name) => Some(name.as_ref()),
        Kind::DuplicateField(name) => Some(*name),
        _ => None,
    };
    if let Some(name) = named
        && path.last().map(String::as_str) != Some(name)
    {
        path.push(name.to_owned());
    }
    (!path.is_empty()).then(|| path.join("."))
}

fn place(error: &Error, env_prefix: &str) -> Option<String> {
    let metadata = error.metadata.as_ref()?;
    if let Some(Source::File(path)) = &metadata.source {
        return Some(format!("file {}", path.display()));
    }
    if !metadata.name.contains("environment") {
        return Some("the built-in defaults".to_owned());
    }
    let key = full_key(error)?;
    if key == "database_url" && !metadata.name.contains(&env_prefix.to_ascii_uppercase()) {
        return Some("environment variable DATABASE_URL".to_owned());
    }
    let name = key.replace('.', "__").to_ascii_uppercase();
    Some(format!("environment variable {env_prefix}{name}"))
}

fn describe(kind: &Kind) -> String {
    match kind {
        Kind::Message(message) => ends(message),
        Kind::InvalidType(actual, expected) => {
            format!("expected {expected}, found {}", shape(actual))
        }
        Kind::InvalidValue(_, expected) => format!("expected {expected}"),
        Kind::UnknownField(_, known) => format!("unknown key, known are: {}", known.join(", ")),
        Kind::UnknownVariant(_, known) => format!("expected one of: {}", known.join(", ")),
        Kind::MissingField(_) => "required, but not set".to_owned(),
        other => other.to_string(),
    }
}

/// A TOML error quotes the offending line, which may hold a secret: keep what stands around it.
fn ends(message: &str) -> String {
    let mut lines = message
        .lines()
        .filter(|line| !line.contains('|') && !line.trim().is_empty());
    let first = lines.next().unwrap_or_default().to_owned();
    lines
        .next_back()
        .map_or(first.clone(), |last| format!("{first}: {last}"))
}

fn shape(actual: &Actual) -> &'static str {
    match actual {
        Actual::Bool(_) => "a boolean",
        Actual::Unsigned(_) | Actual::Signed(_) => "a whole number",
        Actual::Float(_) => "a fraction",
        Actual::Char(_) | Actual::Str(_) => "a string",
        Actual::Seq => "a list",
        Actual::Map => "a table",
        _ => "something else",
    }
}
