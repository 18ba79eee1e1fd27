//! Makes a home's data, whole or not at all: `initdb` works beside the final place, and a rename
//! puts it there.

use std::path::Path;
use std::process::Command;

use crate::error::PgError;
use crate::find::Installation;
use crate::home::Home;

/// The superuser of every cluster of ours.
pub(crate) const SUPERUSER: &str = "postgres";

/// Makes the data unless the home has some. The home's password must be written already.
pub(crate) async fn ensure_data(
    home: &Home,
    installation: &Installation,
    durable: bool,
) -> Result<(), PgError> {
    if home.data().exists() {
        return Ok(());
    }
    let staging = home.dir.join("data.new");
    if staging.exists() {
        std::fs::remove_dir_all(&staging)
            .map_err(PgError::io(format!("remove {}", staging.display())))?;
    }
    let mut initdb = command(home, &installation.program("initdb"));
    initdb
        .args([
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--no-locale",
            "--no-instructions",
        ])
        .arg(format!("--username={SUPERUSER}"))
        .arg("--pwfile")
        .arg(home.password_file())
        .arg("--pgdata")
        .arg(&staging);
    if !durable {
        initdb.arg("--no-sync");
    }
    run(initdb).await?;
    std::fs::rename(&staging, home.data())
        .map_err(PgError::io(format!("rename {}", staging.display())))
}

async fn run(initdb: Command) -> Result<(), PgError> {
    let output = tokio::process::Command::from(initdb)
        .kill_on_drop(true)
        .output()
        .await
        .map_err(PgError::io("run initdb"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(PgError::InitFailed {
        output: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}

/// A command that runs as the server's user, in a plain environment: what the caller's says about
/// languages, time zones or `PG*` is not the server's business.
pub(crate) fn command(home: &Home, program: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir("/")
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
        .env("LC_ALL", "C")
        .env("TZ", "UTC");
    if let Some(account) = &home.account {
        account.run(&mut command);
    }
    command
}
