//! Puts the parts together and runs them.
//!
//! Nothing here waits for the database: listeners are open at once, the table comes from disk,
//! and what needs the database begins when it is there.

mod listeners;
mod parts;

use std::net::SocketAddr;
use std::time::Duration;

use hubshift_shell::Tasks;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::table::Table;
use listeners::Listeners;
use parts::Parts;

/// How long an orderly stop may take.
const GRACE: Duration = Duration::from_secs(10);

/// A configuration that can't be run. Exit with [`hubshift_shell::exit::USAGE`].
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Everybody could command failovers.
    #[error(
        "operator_listen {0} can be reached from other machines: listen on loopback, or set \
         operator_tls with client_ca"
    )]
    OperatorUnguarded(SocketAddr),
    /// A part of it can't be used.
    #[error("{0}")]
    Unusable(&'static str, #[source] anyhow::Error),
}

/// A concierge that runs.
#[derive(Debug)]
pub struct Running {
    /// Where devices ask.
    pub public_addr: SocketAddr,
    /// Where operators call.
    pub operator_addr: SocketAddr,
    /// Where metrics are, if they are served.
    pub admin_addr: Option<SocketAddr>,
    /// Ends when the concierge has stopped.
    pub task: JoinHandle<anyhow::Result<()>>,
}

/// Runs until cancelled.
///
/// # Errors
/// Those of [`start`], and a listener that broke.
pub async fn run(config: Config, cancel: CancellationToken) -> anyhow::Result<()> {
    start(config, cancel).await?.task.await?
}

/// Starts, and returns as soon as the listeners are open.
///
/// # Errors
/// [`StartError`] for a configuration that can't be run, [`hubshift_shell::BindError`] for an
/// address that can't be had. Never for a database that is down.
pub async fn start(config: Config, cancel: CancellationToken) -> anyhow::Result<Running> {
    if !config.operator_is_guarded() {
        return Err(StartError::OperatorUnguarded(config.operator_listen).into());
    }
    let parts = Parts::make(&config)?;
    let listeners = Listeners::open(&config)?;
    let tasks = Tasks::new(CancellationToken::new());
    let table = parts.table();
    let (public_addr, operator_addr, admin_addr) = listeners.addresses()?;
    listeners.serve(&config, &parts, &tasks);
    parts.work(&config, &tasks);
    Ok(Running {
        public_addr,
        operator_addr,
        admin_addr,
        task: tokio::spawn(stop(tasks, table, cancel, config.drain)),
    })
}

/// Waits until somebody wants the process to stop, tells probes, answers devices for as long as
/// they take to go elsewhere, and stops. A listener that broke stops it at once.
async fn stop(
    tasks: Tasks,
    table: Table,
    asked: CancellationToken,
    drain: Duration,
) -> anyhow::Result<()> {
    let stop = tasks.token();
    tokio::select! {
        () = asked.cancelled() => {}
        () = stop.cancelled() => {}
    }
    table.leave();
    if !drain.is_zero() && !stop.is_cancelled() {
        tracing::info!(
            ?drain,
            "devices are sent elsewhere, and answered until then"
        );
        tokio::select! {
            () = tokio::time::sleep(drain) => {}
            () = stop.cancelled() => {}
        }
    }
    stop.cancel();
    tasks.finish(asked, GRACE).await
}

fn unusable<E: Into<anyhow::Error>>(what: &'static str) -> impl Fn(E) -> StartError {
    move |error| StartError::Unusable(what, error.into())
}
