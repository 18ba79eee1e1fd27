//! Which core a process runs on, by util-linux' `taskset`: the program that it starts keeps its
//! process id, and so do the figures that we read about it.

use std::path::Path;
use std::process::Command as Blocking;

use anyhow::{Context as _, ensure};
use tokio::process::Command;

use crate::tools;

/// Puts this process, and whatever it starts, on a core.
pub(crate) fn this_process(core: usize) -> anyhow::Result<()> {
    let output = Blocking::new(tools::find("taskset")?)
        .args(["--all-tasks", "--cpu-list", "--pid"])
        .args([core.to_string(), std::process::id().to_string()])
        .output()
        .context("could not run taskset")?;
    ensure!(
        output.status.success(),
        "this machine does not give us core {core}: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}

/// A command that runs a program on a core.
pub(crate) fn on_core(core: usize, program: &Path) -> anyhow::Result<Command> {
    let mut command = Command::new(tools::find("taskset")?);
    command.args(["--cpu-list", &core.to_string()]).arg(program);
    Ok(command)
}
