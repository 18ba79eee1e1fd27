//! The concierge: the binary that is shipped, with its defaults; on a database, as it is in
//! service, or without one.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};

use crate::load::Load;
use crate::ports;
use crate::probe::{self, Version};
use crate::process::Process;
use crate::world::{Place, Tls, World, until};

/// What a concierge is started with.
pub(crate) struct Start<'a> {
    /// The database; nobody listens there for one that is to be without.
    pub(crate) database_url: &'a str,
    /// Table and keys.
    pub(crate) data: &'a Path,
    /// The public listener's certificate.
    pub(crate) tls: Option<&'a Tls>,
    /// Further lines.
    pub(crate) settings: &'a [String],
}

/// Starts it as a load needs it.
pub(super) async fn start(world: &World, load: &Load) -> anyhow::Result<Process> {
    let start = Start {
        database_url: &world.database_url,
        data: &world.place.data(),
        tls: load.is_encrypted().then_some(&world.place.tls),
        settings: &world.place.options.settings,
    };
    start_ready(&world.place, &start).await
}

/// Starts it; returns when it has a database and serves everybody.
pub(crate) async fn start_ready(place: &Place, start: &Start<'_>) -> anyhow::Result<Process> {
    let mut process = spawn(place, start)?;
    let admin = ports::local(ports::ADMIN);
    for addr in [ports::local(ports::CONCIERGE), admin] {
        process.until_open(addr).await?;
    }
    until("the concierge is not ready", || async {
        let page = probe::get(admin, "/readyz", Version::Http1, None).await?;
        ensure!(page.status.is_success(), "it answers {}", page.status);
        Ok(())
    })
    .await?;
    Ok(process)
}

/// Starts it, and does not wait.
pub(crate) fn spawn(place: &Place, start: &Start<'_>) -> anyhow::Result<Process> {
    let file = place.disk.path().join("concierge.toml");
    std::fs::write(&file, configuration(start)).context("could not write concierge.toml")?;
    let (core, logs) = (place.options.server_core, place.disk.path());
    Process::start("concierge", core, logs, &place.concierge, |command| {
        command.args(["serve", "--config"]).arg(&file);
        // It would beat the file.
        command.env_remove("DATABASE_URL");
    })
}

/// The binary: the one that was named, or the one beside this program.
pub(crate) fn binary(named: Option<&Path>) -> anyhow::Result<PathBuf> {
    let beside = || {
        let program = std::env::current_exe().context("could not find this program")?;
        anyhow::Ok(program.with_file_name("concierge"))
    };
    let binary = named.map_or_else(beside, |path| Ok(path.to_owned()))?;
    ensure!(
        binary.is_file(),
        "{} is not there: build it with `cargo build --release -p hubshift-concierge`",
        binary.display()
    );
    Ok(binary)
}

fn configuration(start: &Start<'_>) -> String {
    let mut lines = String::new();
    let mut line = |key: &str, value: &str| {
        // A TOML literal string: neither URLs nor our paths have a quote.
        let _written = writeln!(lines, "{key} = '{value}'");
    };
    let closed = format!("http://{}", ports::local(ports::CLOSED));
    line("public_listen", &ports::local(ports::CONCIERGE).to_string());
    line(
        "operator_listen",
        &ports::local(ports::OPERATOR).to_string(),
    );
    line("admin_listen", &ports::local(ports::ADMIN).to_string());
    line("database_url", start.database_url);
    line("data_dir", &start.data.display().to_string());
    line("registry_url", &closed);
    line("merge_url", &closed);
    for setting in start.settings {
        lines.push_str(setting);
        lines.push('\n');
    }
    if let Some(tls) = start.tls {
        let (cert, key) = (tls.cert.display(), tls.key.display());
        // A table, so it comes last.
        let _written = writeln!(lines, "[public_tls]\ncert = '{cert}'\nkey = '{key}'");
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_come_before_the_table_of_the_certificate() {
        let tls = Tls {
            ca: "ca.pem".into(),
            cert: "leaf.pem".into(),
            key: "leaf-key.pem".into(),
        };
        let settings = ["refresh = '2s'".to_owned()];
        let text = configuration(&Start {
            database_url: "postgres://a@b/c",
            data: Path::new("/data"),
            tls: Some(&tls),
            settings: &settings,
        });
        let (before, after) = text.split_once("[public_tls]\n").unwrap();
        assert!(before.contains("refresh = '2s'\n"), "{text}");
        assert!(
            before.contains("database_url = 'postgres://a@b/c'\n"),
            "{text}"
        );
        assert_eq!(after, "cert = 'leaf.pem'\nkey = 'leaf-key.pem'\n");
    }
}
