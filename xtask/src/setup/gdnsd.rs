//! The name server that `deploy/gdnsd` is for, as Debian has it. Elsewhere the test with it is
//! skipped, unless it is CI.

use std::path::{Path, PathBuf};

use crate::setup::debian;

/// Where Debian's package puts it: no user's path leads there.
const PROGRAM: &str = "/usr/sbin/gdnsd";

/// Installs it if it is missing and can be had; `None`: there is none.
pub(super) fn ready() -> anyhow::Result<Option<PathBuf>> {
    let program = Path::new(PROGRAM);
    if !program.exists() && debian::may_install() {
        debian::install(&["gdnsd"])?;
    }
    if !program.exists() {
        println!("gdnsd is not installed (Debian: apt-get install gdnsd): its test is skipped");
        return Ok(None);
    }
    Ok(Some(program.to_owned()))
}
