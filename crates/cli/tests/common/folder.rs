//! A folder for one world, and what its logs say when a test fails.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// How much of a log is shown.
const TAIL: usize = 30;

/// A folder for one world, removed at the end. Everybody may enter it: as root, PostgreSQL runs as
/// another user.
pub(crate) struct Folder {
    root: PathBuf,
    _removed_on_drop: tempfile::TempDir,
}

impl Folder {
    /// A new one below the system's temporary folder.
    pub(crate) fn new() -> Self {
        let temporary = tempfile::Builder::new()
            .prefix("hubshift-e2e-")
            .tempdir()
            .unwrap();
        fs::set_permissions(temporary.path(), Permissions::from_mode(0o755)).unwrap();
        // Links resolved: the world names itself so, and it is found by that name.
        let root = temporary.path().canonicalize().unwrap();
        Self {
            root,
            _removed_on_drop: temporary,
        }
    }

    /// Where a person would stand.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Where the world is kept: the folder that commands look into by themselves.
    pub(crate) fn world(&self) -> PathBuf {
        self.root.join(".hubshift")
    }

    /// A file in the folder with this text.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.root.join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// A value of a TOML file of the world.
    pub(crate) fn setting(&self, file: &str, key: &str) -> String {
        let path = self.world().join(file);
        let text = fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let table: toml::Table = toml::from_str(&text).unwrap();
        let value = table.get(key).and_then(toml::Value::as_str);
        value
            .unwrap_or_else(|| panic!("{}: no {key}", path.display()))
            .to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let logs = fs::read_dir(self.world().join("logs"))
            .into_iter()
            .flatten();
        let logs = logs.filter_map(Result::ok).map(|entry| entry.path());
        for path in logs.chain([self.root.join("up.log")]) {
            let text = fs::read_to_string(&path).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            let tail = &lines[lines.len().saturating_sub(TAIL)..];
            eprintln!("--- end of {}\n{}", path.display(), tail.join("\n"));
        }
    }
}
