//! Where PostgreSQL's programs are. Debian's and Homebrew's places come first, because what stands
//! on the path there is often a wrapper or a link without the other programs beside it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The oldest major version that our migrations run on.
pub(crate) const MINIMUM: u32 = 15;

/// Names a directory of PostgreSQL's programs to use instead of looking for one.
const OVERRIDE: &str = "HUBSHIFT_POSTGRES_BIN";

/// `{parent}/{prefix}*/{suffix}` is a directory of programs.
const PLACES: &[(&str, &str, &str)] = &[
    ("/usr/lib/postgresql", "", "bin"),
    ("/opt/homebrew/opt", "postgresql@", "bin"),
    ("/usr/local/opt", "postgresql@", "bin"),
    ("/usr", "pgsql-", "bin"),
];

/// A PostgreSQL server installed on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation {
    /// The directory with `postgres` and `initdb`.
    pub bin_dir: PathBuf,
    /// Its major version.
    pub major: u32,
}

impl Installation {
    /// The path of one of its programs.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.bin_dir.join(name)
    }

    fn at(bin_dir: &Path) -> Option<Self> {
        if !bin_dir.join("initdb").is_file() {
            return None;
        }
        let output = Command::new(bin_dir.join("postgres"))
            .arg("--version")
            .output()
            .ok()?;
        let major = major_version(&String::from_utf8_lossy(&output.stdout))?;
        Some(Self {
            bin_dir: bin_dir.to_owned(),
            major,
        })
    }
}

/// The newest installation in the first place that has one which is new enough.
#[must_use]
pub fn find() -> Option<Installation> {
    search(|found| found.major >= MINIMUM)
}

/// An installation of exactly this major version, wherever it is.
pub(crate) fn find_major(major: u32) -> Option<Installation> {
    search(|found| found.major == major)
}

fn search(fits: impl Fn(&Installation) -> bool) -> Option<Installation> {
    if let Some(dir) = std::env::var_os(OVERRIDE) {
        return Installation::at(Path::new(&dir)).filter(fits);
    }
    let known = PLACES
        .iter()
        .map(|(parent, prefix, suffix)| within(parent, prefix, suffix));
    let fetched = downloads().map(|dir| within(&dir, "", "bin"));
    let places = known.chain(fetched).chain(std::iter::once_with(on_path));
    places.into_iter().find_map(|dirs| {
        dirs.iter()
            .filter_map(|dir| Installation::at(dir))
            .filter(&fits)
            .max_by_key(|it| it.major)
    })
}

/// Where servers that we fetched ourselves are kept, a directory for each version.
pub(crate) fn downloads() -> Option<PathBuf> {
    std::env::home_dir().map(|home| home.join(".hubshift/postgresql"))
}

fn within(parent: impl AsRef<Path>, prefix: &str, suffix: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(parent) else {
        return Vec::new();
    };
    entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .map(|entry| entry.path().join(suffix))
        .collect()
}

/// Directories named by `PATH`, links resolved, and what `pg_config` says.
fn on_path() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut dirs = real_dirs(&path);
    if let Ok(output) = Command::new("pg_config").arg("--bindir").output() {
        dirs.push(PathBuf::from(
            String::from_utf8_lossy(&output.stdout).trim(),
        ));
    }
    dirs
}

fn real_dirs(path: &OsStr) -> Vec<PathBuf> {
    std::env::split_paths(path)
        .filter_map(|dir| dir.join("initdb").canonicalize().ok())
        .filter_map(|program| program.parent().map(Path::to_owned))
        .collect()
}

/// `15` of `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`.
fn major_version(text: &str) -> Option<u32> {
    let version = text
        .split_whitespace()
        .find(|word| word.starts_with(|c: char| c.is_numeric()))?;
    let digits = version
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(version.len());
    version[..digits].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_major_version() {
        let debian = "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n";
        assert_eq!(major_version(debian), Some(15));
        assert_eq!(major_version("postgres (PostgreSQL) 18beta1"), Some(18));
        assert_eq!(major_version("command not found"), None);
    }

    #[test]
    fn follows_a_link_on_the_path_to_the_other_programs() {
        let place = tempfile::tempdir().unwrap();
        let (real, linked) = (place.path().join("real"), place.path().join("linked"));
        std::fs::create_dir(&real).unwrap();
        std::fs::create_dir(&linked).unwrap();
        std::fs::write(real.join("initdb"), "").unwrap();
        std::os::unix::fs::symlink(real.join("initdb"), linked.join("initdb")).unwrap();
        assert_eq!(
            real_dirs(linked.as_os_str()),
            [real.canonicalize().unwrap()]
        );
    }

    #[test]
    fn looks_into_every_version_of_a_place() {
        let place = tempfile::tempdir().unwrap();
        for name in ["postgresql@16", "postgresql@17", "redis"] {
            std::fs::create_dir(place.path().join(name)).unwrap();
        }
        let mut found = within(place.path(), "postgresql@", "bin");
        found.sort();
        let expected = ["postgresql@16/bin", "postgresql@17/bin"].map(|dir| place.path().join(dir));
        assert_eq!(found, expected);
    }
}
