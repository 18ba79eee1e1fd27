//! Debian's packages, as root.

use std::path::Path;
use std::process::Command;

use crate::process::run;

/// Whether we may install packages here.
pub(super) fn may_install() -> bool {
    let root = Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|id| id.stdout.trim_ascii() == b"0");
    root && Path::new("/etc/debian_version").exists()
}

/// Installs packages.
pub(super) fn install(packages: &[&str]) -> anyhow::Result<()> {
    println!("installing {}", packages.join(" "));
    let apt_get = || {
        let mut command = Command::new("apt-get");
        command
            .arg("--quiet=2")
            .env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    run(apt_get().arg("update"))?;
    run(apt_get()
        .args(["install", "--yes", "--no-install-recommends"])
        .args(packages))
}
