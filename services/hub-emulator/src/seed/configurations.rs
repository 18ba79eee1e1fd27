//! Filling a hub that has no configurations from a file of them, as export jobs write it: all of
//! it or nothing.

use std::path::Path;

use hubshift_azure::Configuration;
use hubshift_azure::export_line::LineError;

use super::{refused, text, words};
use crate::journal::{Configurations, Records};
use crate::registry::{Marks, Registry};
use crate::start_error::StartError;

/// The configurations that a file makes, no more than `most`.
pub(crate) fn load(
    path: &Path,
    marks: Marks,
    most: usize,
) -> Result<(Configurations, Marks), StartError> {
    let text = text(path)?;
    let mut registry = Registry::new(Records::new(), None, marks);
    let mut errors = Vec::new();
    for (line, text) in (1..).zip(text.lines()) {
        if let Err(reason) = add(&mut registry, text, most) {
            errors.push(LineError { line, reason });
        }
    }
    if errors.is_empty() {
        Ok(registry.into_configurations())
    } else {
        Err(refused(path, errors))
    }
}

fn add(registry: &mut Registry, text: &str, most: usize) -> Result<(), String> {
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() {
        return Ok(());
    }
    let value = serde_json::from_str(text)
        .map_err(|error| format!("not a JSON object (column {})", error.column()))?;
    let configuration = Configuration::from_value(value).map_err(|found| found.to_string())?;
    let id = configuration.id.clone();
    registry
        .put_configuration(&id, configuration, None, most)
        .map(|_| ())
        .map_err(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<Configurations, StartError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let marks = Marks::new().unwrap();
        super::load(file.path(), marks, 2).map(|(configurations, _)| configurations)
    }

    fn line(id: &str) -> String {
        let content = r#"{"deviceContent":{"properties.desired.rate":1}}"#;
        format!("{{\"id\":\"{id}\",\"priority\":7,\"etag\":\"MA==\",\"content\":{content}}}\n")
    }

    #[test]
    fn lines_become_configurations() {
        let found = load(&format!("{}\n{}", line("a"), line("b"))).unwrap();
        assert_eq!(found.keys().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(found["a"].priority, Some(7));
        assert_ne!(found["a"].etag.as_deref(), Some("MA=="));
    }

    #[test]
    fn bad_lines_are_named_and_keep_everything_out() {
        let text = format!("{}nonsense\n{}{}", line("a"), line("a"), line("B"));
        let error = load(&text).err().unwrap().to_string();
        for expected in [
            "line 2: not a JSON",
            "line 3: A configuration",
            "line 4: a configuration id",
        ] {
            assert!(error.contains(expected), "{error}");
        }
        let many = ["a", "b", "c"].map(line).concat();
        let error = load(&many).err().unwrap().to_string();
        assert!(error.contains("line 3: this hub has at most 2"), "{error}");
    }
}
