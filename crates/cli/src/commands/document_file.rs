//! Files that a command reads its input from: TOML or JSON, told apart by their ending.

use std::path::Path;

use serde::de::DeserializeOwned;

use crate::exit::CliError;

/// Reads a file. One that ends in `.json` is JSON, any other one TOML.
///
/// # Errors
/// The file is missing or is not what it should be. Its text is not repeated: it may hold secrets.
pub(super) fn read<T: DeserializeOwned>(path: &Path) -> Result<T, CliError> {
    let refused = |problem: String| CliError::usage(format!("{}: {problem}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| refused(error.to_string()))?;
    if path.extension().is_some_and(|ending| ending == "json") {
        serde_json::from_str(&text).map_err(|error| refused(error.to_string()))
    } else {
        toml::from_str(&text).map_err(|error| refused(place(&text, &error)))
    }
}

/// A TOML error with its line, and without the line's text.
fn place(text: &str, error: &toml::de::Error) -> String {
    let start = error.span().map_or(0, |span| span.start).min(text.len());
    let line = text.as_bytes()[..start]
        .iter()
        .filter(|byte| **byte == b'\n')
        .count()
        + 1;
    format!("line {line}: {}", error.message())
}
