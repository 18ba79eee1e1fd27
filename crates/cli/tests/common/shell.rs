//! Shell blocks of the documentation, run as a reader would: in the folder that holds `.hubshift`,
//! with `hubshift` and `grpcurl` on the path.

use std::ffi::OsString;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::run::clean;
use super::{Folder, Ran, run};

/// A block of a Markdown file that begins with ```` ```sh ````.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Block {
    /// What its first line calls it: `east-is-down` of `# runbook: east-is-down`.
    pub(crate) name: Option<String>,
    pub(crate) text: String,
}

/// The shell blocks of a file of the repository, in their order.
pub(crate) fn blocks(file: &str) -> Vec<Block> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(file);
    let text = std::fs::read_to_string(path).unwrap();
    parts(&text)
}

fn parts(text: &str) -> Vec<Block> {
    let fenced = text.split("```sh\n").skip(1);
    fenced
        .map(|rest| {
            let text = rest.split_once("\n```").map_or(rest, |(block, _)| block);
            let first = text.lines().next().unwrap_or_default();
            let name = first.strip_prefix("# runbook: ").map(str::to_owned);
            Block {
                name,
                text: text.to_owned(),
            }
        })
        .collect()
}

/// Runs a script: any line that fails ends it.
#[track_caller]
pub(crate) fn sh(folder: &Folder, script: &str, deadline: Duration) -> Ran {
    let mut bash = Command::new("bash");
    bash.args(["-euo", "pipefail", "-c", script]);
    clean(&mut bash, folder.root());
    bash.env("PATH", path_with_programs(folder));
    run(&mut bash, deadline)
}

fn path_with_programs(folder: &Folder) -> OsString {
    let bin = folder.root().join("bin");
    if !bin.exists() {
        std::fs::create_dir(&bin).unwrap();
        symlink(env!("CARGO_BIN_EXE_hubshift"), bin.join("hubshift")).unwrap();
        // A bare name is on the path already.
        let grpcurl = std::env::var_os("HUBSHIFT_GRPCURL").map(PathBuf::from);
        if let Some(program) = grpcurl.filter(|program| program.is_absolute()) {
            symlink(program, bin.join("grpcurl")).unwrap();
        }
    }
    let before = std::env::var_os("PATH").unwrap_or_default();
    let all = [bin].into_iter().chain(std::env::split_paths(&before));
    std::env::join_paths(all).unwrap()
}
