//! What a connector needs to know.

use std::sync::Arc;
use std::time::Duration;

use hubshift_azure::{ConnectionString, HubConnection};

pub use crate::setup::HubSetupError;

use crate::auth::Login;
use crate::budget::{Budget, LocalBudget};

/// How to reach a hub. `Debug` shows no key.
#[derive(Clone, Debug)]
pub struct AzureSettings {
    /// The hub's host, with `:port` where it is not 443.
    pub host: String,
    /// How to enter.
    pub login: Login,
    /// Certificates to trust, as PEM, *instead of* the public authorities: those of the hub, and
    /// of who gives the tokens if that is Entra ID.
    pub ca_pem: Option<String>,
    /// How long a call may take in all. Azure queues calls before it throttles: 90 s there.
    pub call_deadline: Duration,
    /// How long a call that was given up may still land where a bearer token authorises it. Such a
    /// token outlives the call, and nobody can say for how long something between us and the hub
    /// keeps a request: this is far beyond what a network or the hub's own queue is known to.
    pub bearer_afterlife: Duration,
    /// How old the hub's listing may be.
    pub read_lag: Duration,
    /// What may be asked of the hub. Connectors to one hub share it.
    pub budget: Arc<dyn Budget>,
    /// Whether HTTP/2 is not to be spoken even with a hub that offers it.
    pub http1_only: bool,
}

impl AzureSettings {
    /// Settings of a policy's connection string, as [`Self::at`].
    pub fn new(connection: &ConnectionString) -> Self {
        Self::at(connection.host.clone(), connection.into())
    }

    /// Settings of a connection string of any kind, as [`Self::at`].
    pub fn of(connection: &HubConnection) -> Self {
        Self::at(connection.host().to_owned(), connection.into())
    }

    /// Settings for a host: public authorities, a deadline of 90 s, an afterlife of 5 minutes and
    /// a read lag of 10, as Azure needs them, and a budget that holds nothing back until the hub
    /// answers 429.
    pub fn at(host: String, login: Login) -> Self {
        Self {
            host,
            login,
            ca_pem: None,
            call_deadline: Duration::from_secs(90),
            bearer_afterlife: Duration::from_secs(300),
            read_lag: Duration::from_secs(600),
            budget: Arc::new(LocalBudget::unlimited()),
            http1_only: false,
        }
    }
}
