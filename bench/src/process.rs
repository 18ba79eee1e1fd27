//! A server that we started: on the servers' core, its output in a file, and ended with us.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use hubshift_testkit::eventually;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::pin;

/// No server takes longer to open its port.
const PATIENCE: Duration = Duration::from_secs(30);
/// How much of its output is shown when it failed, bytes.
const TAIL: usize = 2_000;

/// A server that runs. It is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Process {
    name: &'static str,
    child: Child,
    pid: u32,
    log: PathBuf,
}

impl Process {
    /// Starts a program on a core; `configure` adds its arguments.
    pub(crate) fn start(
        name: &'static str,
        core: usize,
        dir: &Path,
        program: &Path,
        configure: impl FnOnce(&mut Command),
    ) -> anyhow::Result<Self> {
        let log = dir.join(format!("{name}.log"));
        let output = std::fs::File::create(&log).context("could not make a log")?;
        let mut command = pin::on_core(core, program)?;
        configure(&mut command);
        command
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .kill_on_drop(true);
        let child = command
            .spawn()
            .with_context(|| format!("could not start {name}"))?;
        let pid = child.id().context("a process without an id")?;
        Ok(Self {
            name,
            child,
            pid,
            log,
        })
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.pid
    }

    /// Waits until it listens.
    pub(crate) async fn until_open(&mut self, addr: SocketAddr) -> anyhow::Result<()> {
        let is_open = eventually(PATIENCE, || async {
            TcpStream::connect(addr).await.is_ok() || !self.is_there()
        });
        let opened = is_open.await;
        self.check()?;
        ensure!(
            opened,
            "{} does not listen on {addr}:\n{}",
            self.name,
            self.tail()
        );
        Ok(())
    }

    /// Whether it is still the same process that listens, and not one that failed.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => bail!("{} ended ({status}):\n{}", self.name, self.tail()),
        }
    }

    /// Ends it by force: an end in good order takes a concierge its time, for the sake of devices
    /// that are not here.
    pub(crate) async fn stop(mut self) -> anyhow::Result<()> {
        Ok(self.child.kill().await?)
    }

    /// A process that ended is a zombie until somebody waits for it.
    fn is_there(&self) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid));
        stat.is_ok_and(|stat| !is_zombie(&stat))
    }

    fn tail(&self) -> String {
        let log = std::fs::read(&self.log).unwrap_or_default();
        let start = log.len().saturating_sub(TAIL);
        String::from_utf8_lossy(&log[start..]).into_owned()
    }
}

/// The state is the field behind the name, which may have parentheses in it.
fn is_zombie(stat: &str) -> bool {
    let state = stat.rsplit_once(") ").map(|(_, rest)| rest);
    state.is_some_and(|rest| rest.starts_with(['Z', 'X']))
}
