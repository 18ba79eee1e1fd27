//! The context file: where the services are, so that nobody has to type it.
//!
//! TOML, all keys optional, unknown ones refused. Paths are relative to the file's own folder.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::exit::CliError;

/// Where a context file is looked for when none is named.
pub(super) const DEFAULT: &str = ".hubshift/context.toml";

/// What a context file may say.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Context {
    /// Operator listener of a concierge.
    pub(super) concierge: Option<String>,
    /// registry-sync.
    pub(super) registry: Option<String>,
    /// merge.
    pub(super) merge: Option<String>,
    /// Slug of the fleet.
    pub(super) fleet: Option<String>,
    /// Authority of the services' certificates.
    pub(super) ca: Option<PathBuf>,
    /// Certificate to show.
    pub(super) cert: Option<PathBuf>,
    /// Its key.
    pub(super) key: Option<PathBuf>,
}

impl Context {
    /// Reads the named file, or the default one if it is there.
    ///
    /// # Errors
    /// A named file that is missing; a file that is not a context.
    pub(super) fn read(named: Option<&Path>) -> Result<Self, CliError> {
        let fallback = Path::new(DEFAULT);
        let path = match named {
            Some(path) => path,
            None if fallback.exists() => fallback,
            None => return Ok(Self::default()),
        };
        let refused = |problem: String| {
            CliError::usage(format!("context file {}: {problem}", path.display()))
        };
        let text = std::fs::read_to_string(path).map_err(|error| refused(error.to_string()))?;
        let context: Self = toml::from_str(&text).map_err(|error| refused(error.to_string()))?;
        Ok(context.based_at(path.parent().unwrap_or(Path::new(""))))
    }

    fn based_at(mut self, folder: &Path) -> Self {
        for path in [&mut self.ca, &mut self.cert, &mut self.key]
            .into_iter()
            .flatten()
        {
            *path = folder.join(&*path);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("context.toml");
        std::fs::write(&path, text).unwrap();
        (folder, path)
    }

    #[test]
    fn paths_are_relative_to_the_file_and_absolute_ones_stay() {
        let (folder, path) =
            write("concierge = \"https://c:1\"\nca = \"ca.pem\"\nkey = \"/k.pem\"");
        let context = Context::read(Some(&path)).unwrap();
        assert_eq!(context.concierge.as_deref(), Some("https://c:1"));
        assert_eq!(context.ca, Some(folder.path().join("ca.pem")));
        assert_eq!(context.key, Some(PathBuf::from("/k.pem")));
    }

    #[test]
    fn a_missing_file_and_an_unknown_key_are_wrong_usage_and_named() {
        let missing = Context::read(Some(Path::new("/nowhere/context.toml"))).unwrap_err();
        assert_eq!(missing.code(), 64);
        assert!(
            missing.to_string().contains("/nowhere/context.toml"),
            "{missing}"
        );
        let (_folder, path) = write("conzierge = \"http://c:1\"");
        let unknown = Context::read(Some(&path)).unwrap_err();
        assert!(unknown.to_string().contains("conzierge"), "{unknown}");
    }
}
