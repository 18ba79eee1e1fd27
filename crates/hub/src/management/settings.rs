//! How to reach the management plane.

use std::time::Duration;

use hubshift_azure::{EntraLogin, ManagementConnection};

/// Which hub, at which management plane, and by whom. `Debug` shows no secret.
#[derive(Clone, Debug)]
pub struct ManagementSettings {
    /// The hub's id as a resource:
    /// `/subscriptions/…/resourceGroups/…/providers/Microsoft.Devices/IotHubs/NAME`.
    pub resource_id: String,
    /// Who asks. It may write the hub's settings and list its keys, which nobody who only moves
    /// devices has to: so it is a login of its own.
    pub login: EntraLogin,
    /// The management plane: `https://HOST`, without path.
    pub endpoint: String,
    /// Certificates to trust, as PEM, *instead of* the public authorities.
    pub ca_pem: Option<String>,
    /// How long a call may take in all: a change of a hub's settings takes minutes.
    pub deadline: Duration,
    /// How often to look whether a change is done, where the answer does not say.
    pub poll_interval: Duration,
}

impl ManagementSettings {
    /// Settings of a connection string: public authorities, a deadline of 10 minutes, a look
    /// every 5 seconds.
    pub fn new(connection: &ManagementConnection) -> Self {
        Self {
            resource_id: connection.resource_id.clone(),
            login: connection.login.clone(),
            endpoint: connection.endpoint.clone(),
            ca_pem: None,
            deadline: Duration::from_secs(600),
            poll_interval: Duration::from_secs(5),
        }
    }
}
