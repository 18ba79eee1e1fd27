//! Contenders of our own: this program again, as a process on the servers' core.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use super::Contender;
use crate::answers::{message_file, page_file, watched_file};
use crate::load::Load;
use crate::ports;
use crate::process::Process;
use crate::world::World;

/// Starts one.
pub(super) async fn start(
    contender: Contender,
    world: &World,
    load: &Load,
) -> anyhow::Result<Process> {
    let (word, answer) = served(contender, world.place.memory.path(), load)?;
    let program = std::env::current_exe().context("could not find this program")?;
    let listen = ports::local(ports::BARE);
    let (core, dir) = (world.place.options.server_core, world.place.disk.path());
    let mut process = Process::start(contender.title(), core, dir, &program, |command| {
        command.args(["serve", word, "--listen", &listen.to_string()]);
        command.arg("--answer").arg(&answer);
        if contender == Contender::RustlsHyper {
            command.arg("--cert").arg(&world.place.tls.cert);
            command.arg("--key").arg(&world.place.tls.key);
        }
    })?;
    process.until_open(listen).await?;
    Ok(process)
}

/// The server's word, and the file that it answers with.
fn served(
    contender: Contender,
    dir: &Path,
    load: &Load,
) -> anyhow::Result<(&'static str, PathBuf)> {
    Ok(match contender {
        Contender::Tonic => ("tonic", message_file(dir, load.who())),
        Contender::Axum => ("axum", page_file(dir, load.who())),
        Contender::RustlsHyper => ("tls", page_file(dir, load.who())),
        Contender::TonicBroadcast => ("fanout", watched_file(dir)),
        Contender::Concierge | Contender::Nginx | Contender::Etcd => {
            bail!("{} is not a server of this program", contender.title())
        }
    })
}
