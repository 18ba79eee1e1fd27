//! A hub that runs: what an embedding process asks of it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hubshift_azure::quota::OperationClass;
use hubshift_azure::{ConnectionString, Secret};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;

use crate::app::App;
use crate::outage::{Fault, Outage, OutageMode, OutageScope};
use crate::request_log::LoggedRequest;

/// How long calls that are under way may take when the hub stops.
const GRACE: Duration = Duration::from_secs(2);

/// A hub that runs. Dropping it stops it without waiting.
pub struct Running {
    /// Where it listens.
    pub addr: SocketAddr,
    /// Where its control interface listens, if it has one.
    pub admin_addr: Option<SocketAddr>,
    /// Where its stand-in for Entra and the resource manager listens, if it has one.
    pub management_addr: Option<SocketAddr>,
    /// The host as connection strings have it: with the port where that is not 443.
    pub host: String,
    /// What clients are to trust.
    pub ca_pem: String,
    pub(crate) app: Arc<App>,
    pub(crate) cancel: CancellationToken,
    pub(crate) tasks: TaskTracker,
}

impl Running {
    /// A connection string with the first policy.
    pub fn connection_string(&self) -> ConnectionString {
        // There is one, unless the resource manager took all policies away.
        let (policy, key) = self
            .app
            .access
            .first()
            .unwrap_or_else(|| (String::new(), Secret::new("")));
        ConnectionString {
            host: self.host.clone(),
            policy,
            key,
        }
    }

    /// Orders an outage of everything, or ends it.
    pub fn set_outage(&self, mode: OutageMode) {
        self.set_outage_of(mode, OutageScope::All);
    }

    /// Orders an outage.
    pub fn set_outage_of(&self, mode: OutageMode, scope: OutageScope) {
        self.order(Outage { mode, scope }.into());
    }

    /// Orders a fault: of some calls, or of one. It replaces the one before it.
    pub fn order(&self, fault: Fault) {
        self.app.outage.set(fault);
    }

    /// How many calls the fault in force has hit.
    pub fn fault_hits(&self) -> u64 {
        self.app.outage.hits()
    }

    /// How many requests of an operation (`get_device`, `put_device`, `query`, ...) arrived.
    pub fn requests(&self, operation: &str) -> u64 {
        let requests = self.app.requests.counts();
        requests
            .iter()
            .filter(|((_, name), _)| *name == operation)
            .map(|(_, count)| count)
            .sum()
    }

    /// How many requests arrived that would change something, carried out or not.
    pub fn writes(&self) -> u64 {
        self.app.requests.writes()
    }

    /// The last ten thousand requests, oldest first.
    pub fn request_log(&self) -> Vec<LoggedRequest> {
        self.app.requests.after(0)
    }

    /// How many calls of a class the hub's quota refused.
    pub fn throttled(&self, class: OperationClass) -> u64 {
        self.app.throttle.refused(class)
    }

    /// Stops: ends the jobs, takes no more connections and lets calls that are under way end, for
    /// two seconds.
    pub async fn stop(self) {
        self.cancel.cancel();
        self.app.jobs.stop();
        self.tasks.close();
        let ended = async {
            self.tasks.wait().await;
            self.app.jobs.stopped().await;
        };
        if tokio::time::timeout(GRACE, ended).await.is_err() {
            warn!("stopped with calls or jobs under way");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.cancel.cancel();
        self.app.jobs.stop();
    }
}
