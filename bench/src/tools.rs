//! Where the programs are that we measure with and against.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// Debian keeps servers where a person's path does not lead.
const BESIDES: [&str; 3] = ["/usr/sbin", "/usr/local/sbin", "/usr/bin"];

/// The path of a program.
pub(crate) fn find(name: &str) -> anyhow::Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(BESIDES.map(PathBuf::from))
        .map(|dir| dir.join(name))
        .find(|program| Path::is_file(program))
        .with_context(|| format!("{name} is not installed"))
}
