//! Debian's package, without the cluster that it would make and start.

use std::path::Path;

use tokio::process::Command;

/// Makes the package create no cluster: nothing of ours should run on its own.
const NO_CLUSTER: &str = "/etc/postgresql-common/createcluster.d/hubshift.conf";

/// Whether this is Debian or one of its descendants.
pub(super) fn is_debian() -> bool {
    Path::new("/etc/debian_version").exists()
}

/// Installs the package `postgresql`.
pub(super) async fn install() -> Result<(), String> {
    tracing::info!("installing the package postgresql");
    forbid_cluster().map_err(|error| format!("can't write {NO_CLUSTER}: {error}"))?;
    apt_get(&["update"]).await?;
    let installed = apt_get(&["install", "--yes", "--no-install-recommends", "postgresql"]).await;
    // It has done its work; whoever wants a cluster later gets Debian's ordinary behaviour.
    let _absent = std::fs::remove_file(NO_CLUSTER);
    installed
}

fn forbid_cluster() -> std::io::Result<()> {
    if let Some(dir) = Path::new(NO_CLUSTER).parent() {
        std::fs::create_dir_all(dir)?;
    }
    std::fs::write(NO_CLUSTER, "create_main_cluster = false\n")
}

async fn apt_get(arguments: &[&str]) -> Result<(), String> {
    let output = Command::new("apt-get")
        .args(["--quiet", "--option", "DPkg::Lock::Timeout=120"])
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .output()
        .await
        .map_err(|error| format!("apt-get can't be run: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said
        .lines()
        .rfind(|line| !line.trim().is_empty())
        .unwrap_or("no reason given");
    Err(format!("apt-get {} failed: {last}", arguments.join(" ")))
}
