//! Small programs that the tests run, and that the smallest machines lack.

use anyhow::bail;

use crate::process::answers;
use crate::setup::debian;

/// A program, what it answers to, and Debian's package that has it.
const TOOLS: [(&str, &str, &str); 3] = [
    ("ps", "--version", "procps"),
    ("kill", "-l", "procps"),
    ("curl", "--version", "curl"),
];

/// Installs those that are missing, or says which they are.
pub(super) fn ready() -> anyhow::Result<()> {
    let is_missing = |(program, argument, _): &&(&str, &str, &str)| !answers(program, &[argument]);
    let mut packages: Vec<&str> = TOOLS.iter().filter(is_missing).map(|tool| tool.2).collect();
    packages.dedup();
    if packages.is_empty() {
        return Ok(());
    }
    if !debian::may_install() {
        bail!(
            "the tests need `ps`, `kill` and `curl`: install {}",
            packages.join(" and ")
        );
    }
    debian::install(&packages)
}
