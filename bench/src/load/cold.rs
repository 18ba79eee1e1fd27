//! A cold start: a table of many fleets on disk, no database, and how long until the first answer.
//!
//! The table is made once in a run, by the concierge's example `make_table`; every start gets a
//! copy. The kernel has read the file before: what is measured is the process, not the disk.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use tokio::process::Command;

use crate::contender::ours;
use crate::judge::{Figure, Figures};
use crate::ports;
use crate::world::{Place, World};

/// No start takes longer.
const PATIENCE: Duration = Duration::from_secs(30);
/// No answer takes longer once the port is open.
const ANSWER: Duration = Duration::from_secs(5);

/// Measures the concierge.
pub(super) async fn measure(world: &World, fleets: usize) -> anyhow::Result<Figures> {
    let template = template(&world.place, fleets).await?;
    let data = world.place.disk.path().join("cold-start");
    copy(&template, &data).context("could not copy the table")?;
    let start = ours::Start {
        database_url: &format!("postgres://nobody@{}/none", ports::local(ports::CLOSED)),
        data: &data,
        tls: None,
        settings: &world.place.options.settings,
    };
    // The example calls them so.
    let path = format!("/v1/fleets/fleet-{}/endpoint", fleets / 2);
    let begin = Instant::now();
    let mut process = ours::spawn(&world.place, &start)?;
    let addr = ports::local(ports::CONCIERGE);
    let answered = tokio::task::spawn_blocking(move || first_answer(addr, &path)).await?;
    process.check()?;
    let took = answered?.duration_since(begin);
    process.stop().await?;
    Ok(Figures::from([(
        Figure::FirstAnswerMs,
        took.as_secs_f64() * 1e3,
    )]))
}

/// Asks without a pause, from a core of its own, until there is an answer; says when it came.
fn first_answer(addr: SocketAddr, path: &str) -> anyhow::Result<Instant> {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline {
        // Refused, or not served yet.
        if ask(addr, path).unwrap_or(false) {
            return Ok(Instant::now());
        }
    }
    bail!("there was no answer within {PATIENCE:?}")
}

fn ask(addr: SocketAddr, path: &str) -> std::io::Result<bool> {
    const SUCCESS: &[u8] = b"HTTP/1.1 200 ";
    let mut stream = TcpStream::connect(addr)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(ANSWER))?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut start = [0; SUCCESS.len()];
    stream.read_exact(&mut start)?;
    Ok(start == SUCCESS)
}

/// A data directory with the table and its key, made at the first call.
async fn template(place: &Place, fleets: usize) -> anyhow::Result<PathBuf> {
    let template = place.disk.path().join(format!("cold-{fleets}"));
    if template.is_dir() {
        return Ok(template);
    }
    let program = place
        .concierge
        .with_file_name("examples")
        .join("make_table");
    let mut make = Command::new(&program);
    make.arg(&template).arg(fleets.to_string());
    let made = make.kill_on_drop(true).status().await;
    let made = made.with_context(|| {
        let how = "cargo build --release -p hubshift-concierge --examples";
        format!("could not run {}: build it with `{how}`", program.display())
    })?;
    ensure!(made.success(), "make_table failed ({made})");
    Ok(template)
}

/// Copies a folder, in place of whatever is there.
fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    if to.is_dir() {
        std::fs::remove_dir_all(to)?;
    }
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
