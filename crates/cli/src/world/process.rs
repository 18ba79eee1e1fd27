//! A child process that is started again when it dies, and never outlives this command.
//!
//! A child watches its standard input: when the pipe closes, because this command ended in
//! whatever way, it stops.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use anyhow::Context as _;
use tokio::process::{Child, Command};
use tokio::sync::{Mutex, Notify};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// What to run.
#[derive(Debug, Clone)]
pub(crate) struct Recipe {
    pub(crate) name: &'static str,
    pub(crate) args: Vec<String>,
    pub(crate) log: PathBuf,
}

/// A child that is kept running.
#[derive(Debug)]
pub(crate) struct Supervised {
    name: &'static str,
    kill: Arc<Notify>,
    stop: CancellationToken,
    watcher: Mutex<Option<JoinHandle<()>>>,
}

impl Supervised {
    /// Starts this very program with other arguments.
    pub(crate) fn start(recipe: Recipe) -> anyhow::Result<Self> {
        let child = spawn(&recipe)?;
        let (kill, stop) = (Arc::new(Notify::new()), CancellationToken::new());
        let name = recipe.name;
        let watcher = tokio::spawn(supervise(recipe, child, kill.clone(), stop.clone()));
        Ok(Self {
            name,
            kill,
            stop,
            watcher: Mutex::new(Some(watcher)),
        })
    }

    /// The child's name.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Kills it with SIGKILL, at once; the supervisor starts it again.
    pub(crate) fn kill(&self) {
        self.kill.notify_one();
    }

    /// Kills it for good.
    pub(crate) async fn stop(&self) {
        self.stop.cancel();
        if let Some(watcher) = self.watcher.lock().await.take() {
            // A watcher that panicked has dropped, and so killed, its child.
            let _ = watcher.await;
        }
    }
}

fn spawn(recipe: &Recipe) -> anyhow::Result<Child> {
    let program = std::env::current_exe().context("cannot find this program's own file")?;
    let log = open_log(&recipe.log)?;
    Command::new(program)
        .args(&recipe.args)
        .env("HUBSHIFT_STOP_ON_STDIN_EOF", "1")
        // The world has a database of its own, whatever the caller's environment says.
        .env_remove("DATABASE_URL")
        .stdin(Stdio::piped())
        .stdout(log.try_clone()?)
        .stderr(log)
        // A ^C at the terminal goes to this command, which stops its children in order.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot start {}", recipe.name))
}

fn open_log(path: &Path) -> anyhow::Result<std::fs::File> {
    let opened = OpenOptions::new().create(true).append(true).open(path);
    opened.with_context(|| format!("cannot write {}", path.display()))
}

async fn supervise(recipe: Recipe, mut child: Child, kill: Arc<Notify>, stop: CancellationToken) {
    loop {
        // Held: waiting for a child closes its standard input, which tells it to stop.
        let _stdin = child.stdin.take();
        tokio::select! {
            status = child.wait() => {
                tracing::debug!(process = recipe.name, ?status, "process ended; started again");
            }
            // Already gone is as good.
            () = kill.notified() => {
                let _ = child.kill().await;
            }
            () = stop.cancelled() => {
                let _ = child.kill().await;
                return;
            }
        }
        match spawn(&recipe) {
            Ok(next) => child = next,
            Err(error) => {
                tracing::error!(
                    process = recipe.name,
                    error = format!("{error:#}"),
                    "not started"
                );
                return;
            }
        }
        tokio::select! {
            // A process that can't stay up must not be started in a tight circle.
            () = tokio::time::sleep(std::time::Duration::from_millis(200)) => {}
            () = stop.cancelled() => {}
        }
    }
}
