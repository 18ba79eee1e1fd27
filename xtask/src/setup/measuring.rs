//! What servers are measured with and against, as Debian has it.

use std::path::{Path, PathBuf};

use anyhow::bail;

use crate::setup::debian;

/// A program, and Debian's package that has it.
const TOOLS: [(&str, &str); 5] = [
    ("h2load", "nghttp2-client"),
    ("wrk", "wrk"),
    ("nginx", "nginx"),
    ("etcd", "etcd-server"),
    ("taskset", "util-linux"),
];

/// Debian keeps servers where a person's path does not lead.
const BESIDES: &str = "/usr/sbin";

/// Installs those that are missing, or says which they are.
pub(super) fn ready() -> anyhow::Result<()> {
    let missing = TOOLS.iter().filter(|(program, _)| !is_there(program));
    let packages: Vec<&str> = missing.map(|(_, package)| *package).collect();
    if packages.is_empty() {
        return Ok(());
    }
    if !debian::may_install() {
        bail!(
            "measuring needs more programs: install {}",
            packages.join(" and ")
        );
    }
    debian::install(&packages)
}

/// By its file: `wrk` has nothing to ask that it calls a success.
fn is_there(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([PathBuf::from(BESIDES)])
        .any(|dir| Path::is_file(&dir.join(program)))
}
