//! How two directories of query data differ.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::Context as _;

/// One line for each file that is new, different or no longer needed.
pub(super) fn between(old: &Path, new: &Path) -> anyhow::Result<Vec<String>> {
    let (old, new) = (read(old)?, read(new)?);
    let mut found = Vec::new();
    for (name, text) in &new {
        match old.get(name) {
            None => found.push(format!("missing:  {name}: {}", query(text))),
            Some(before) if before != text => {
                found.push(format!("differs:  {name}: {}", query(text)));
            }
            Some(_) => {}
        }
    }
    let unused = old.iter().filter(|(name, _)| !new.contains_key(*name));
    found.extend(unused.map(|(name, text)| format!("not used: {name}: {}", query(text))));
    Ok(found)
}

/// Names and contents; a directory that isn't there is empty.
fn read(dir: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let entries = match std::fs::read_dir(dir) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(BTreeMap::new()),
        entries => entries.with_context(|| format!("could not read {}", dir.display()))?,
    };
    entries
        .map(|entry| {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            Ok((name, std::fs::read_to_string(entry.path())?))
        })
        .collect()
}

/// The query on one line, cut short.
fn query(text: &str) -> String {
    let data: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    let query = data["query"].as_str().unwrap_or("(not query data)");
    let words: Vec<_> = query.split_whitespace().collect();
    words.join(" ").chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_is_missing_different_and_unused() {
        let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let write = |dir: &tempfile::TempDir, name: &str, query: &str| {
            std::fs::write(dir.path().join(name), format!(r#"{{"query": "{query}"}}"#)).unwrap();
        };
        write(&old, "same", "select 1");
        write(&new, "same", "select 1");
        write(&old, "changed", "select 2");
        write(&new, "changed", "select  3");
        write(&old, "gone", "select 4");
        write(&new, "added", "select 5");
        let expected = [
            "missing:  added: select 5",
            "differs:  changed: select 3",
            "not used: gone: select 4",
        ];
        assert_eq!(between(old.path(), new.path()).unwrap(), expected);
        assert!(between(new.path(), new.path()).unwrap().is_empty());
    }

    #[test]
    fn what_is_not_there_is_empty() {
        let new = tempfile::tempdir().unwrap();
        assert!(
            between(&new.path().join("absent"), new.path())
                .unwrap()
                .is_empty()
        );
    }
}
