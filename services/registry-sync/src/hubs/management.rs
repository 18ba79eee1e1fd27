//! The way to a hub's management plane, by the connection's `management_ref`.
//!
//! Nothing is kept: the secret is read when the plane is needed, and forgotten with it. Kept true:
//! nobody is told anything of a resource, and no resource is changed, that is not the hub of the
//! connection.

use std::time::Duration;

use hubshift_api::fault;
use hubshift_azure::ManagementConnection;
use hubshift_domain::fence::Seen;
use hubshift_domain::id::{FleetId, HubId};
use hubshift_hub::management::{
    AzureManagement, Fenced, HubResource, ManagementSettings, Unfenced,
};
use hubshift_hub::{Cause, HubError, Outcome, Rejection};
use secrecy::ExposeSecret as _;
use tokio::time::timeout;
use tonic::{Code, Status};

use super::{Hubs, HubsError, Proposal, is_same_host, read};

/// How long a look at the plane may take.
const LOOK: Duration = Duration::from_secs(15);
/// How long an order may take until it is seen to be done. Azure takes minutes.
const ORDER: Duration = Duration::from_secs(600);
/// How often it is looked for.
const POLL: Duration = Duration::from_secs(1);
/// An order is recorded before it is given: what lies between the two counts too.
const MARGIN: Duration = Duration::from_secs(30);

/// A hub at its management plane. `Debug` shows no secret.
#[derive(Debug)]
pub(crate) struct Management {
    plane: AzureManagement,
    /// The hub's host.
    host: String,
}

/// Why the plane did not show, or do, what it was asked for. No text has a secret in it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlaneError {
    /// The resource is not the hub of the connection.
    #[error("the resource of management_ref is {found}, and the connection is of {expected}")]
    OtherHub {
        /// The hub's host as the plane has it.
        found: String,
        /// The host that it must have.
        expected: String,
    },
    /// The plane refused, or did not answer.
    #[error("at the management plane: {0}")]
    Plane(HubError),
}

impl PlaneError {
    /// Its stable name.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::OtherHub { .. } => "HUB_HOST_MISMATCH",
            Self::Plane(HubError::Rejected(rejection)) => match rejection {
                Rejection::Unauthorized(_) => "MANAGEMENT_UNAUTHORIZED",
                Rejection::Untrusted(_) => "MANAGEMENT_UNTRUSTED",
                Rejection::Invalid(_) => "MANAGEMENT_REFUSED",
                _ => UNREACHABLE,
            },
            Self::Plane(HubError::Unknown(_)) => UNREACHABLE,
        }
    }

    /// Whether the same call will be refused again.
    pub(crate) fn is_final(&self) -> bool {
        self.reason() != UNREACHABLE
    }
}

/// The plane may answer another time.
const UNREACHABLE: &str = "MANAGEMENT_UNREACHABLE";

impl From<PlaneError> for Status {
    fn from(error: PlaneError) -> Self {
        let code = if error.is_final() {
            Code::FailedPrecondition
        } else {
            Code::Unavailable
        };
        fault::status(code, error.reason(), error.to_string())
    }
}

impl Hubs {
    /// A hub's management plane, as its row says now.
    pub(crate) async fn management(
        &self,
        fleet: &FleetId,
        hub: &HubId,
    ) -> Result<Management, HubsError> {
        let row = self.row(fleet, hub).await?;
        if row.management_ref.is_empty() {
            return Err(HubsError::NoManagement);
        }
        Management::open(&row.management_ref, &row.ca_ref, row.host)
    }
}

impl Management {
    /// The plane of a connection that is not stored yet, if it names one.
    pub(crate) fn of(new: &Proposal, host: &str) -> Result<Option<Self>, HubsError> {
        if new.management_ref.is_empty() {
            return Ok(None);
        }
        Self::open(&new.management_ref, &new.ca_ref, host.to_owned()).map(Some)
    }

    fn open(management_ref: &str, ca_ref: &str, host: String) -> Result<Self, HubsError> {
        let secret = read("management_ref", management_ref)?;
        let connection: ManagementConnection = secret
            .expose_secret()
            .parse()
            .map_err(HubsError::ManagementString)?;
        let mut settings = ManagementSettings {
            deadline: ORDER,
            poll_interval: POLL,
            ..ManagementSettings::new(&connection)
        };
        if !ca_ref.is_empty() {
            settings.ca_pem = Some(read("ca_ref", ca_ref)?.expose_secret().to_owned());
        }
        let plane = AzureManagement::new(settings).map_err(HubsError::Setup)?;
        Ok(Self { plane, host })
    }

    /// After this long an order that is given now can't take effect any more.
    pub(crate) fn order_life() -> Duration {
        ORDER + MARGIN
    }

    /// The hub as the plane shows it.
    pub(crate) async fn look(&self) -> Result<Seen, PlaneError> {
        let state = timeout(LOOK, self.plane.state()).await;
        let state = state.unwrap_or(Outcome::Unknown(Cause::Timeout));
        let resource = state.into_result().map_err(PlaneError::Plane)?;
        self.check(&resource)?;
        let has_failed = has_failed(&resource.provisioning_state);
        Ok(Seen {
            is_open: resource.public_network_access,
            is_settled: has_failed || has_succeeded(&resource.provisioning_state),
            has_failed,
        })
    }

    /// Shuts the hub out. To be called for a hub that was looked at, after the order was recorded.
    pub(crate) async fn shut(&self) -> Outcome<Fenced> {
        self.plane.fence().await
    }

    /// Opens the hub again. To be called for a hub that was looked at, after the order was recorded.
    pub(crate) async fn reopen(&self) -> Outcome<Unfenced> {
        self.plane.unfence().await
    }

    /// To shut another hub than the one that is meant would be worse than to shut none.
    fn check(&self, resource: &HubResource) -> Result<(), PlaneError> {
        let found = resource.host.as_deref().unwrap_or("without a host");
        if is_same_host(found, &self.host) {
            return Ok(());
        }
        Err(PlaneError::OtherHub {
            found: found.to_owned(),
            expected: self.host.clone(),
        })
    }
}

/// Whether the last change of the hub is done, or there was none.
fn has_succeeded(provisioning: &str) -> bool {
    matches!(provisioning, "" | "Succeeded")
}

/// Whether it is over without being done. Any other word means that it is under way.
fn has_failed(provisioning: &str) -> bool {
    matches!(provisioning, "Failed" | "Canceled")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plane(rejection: Rejection) -> PlaneError {
        PlaneError::Plane(rejection.into())
    }

    #[test]
    fn each_failure_of_the_plane_has_its_reason() {
        let cases = [
            (
                plane(Rejection::Unauthorized("no".into())),
                "MANAGEMENT_UNAUTHORIZED",
                true,
            ),
            (
                plane(Rejection::Untrusted("who".into())),
                "MANAGEMENT_UNTRUSTED",
                true,
            ),
            (
                plane(Rejection::Invalid("what".into())),
                "MANAGEMENT_REFUSED",
                true,
            ),
            (
                plane(Rejection::Unreachable("gone".into())),
                UNREACHABLE,
                false,
            ),
            (plane(Rejection::PreconditionFailed), UNREACHABLE, false),
            (PlaneError::Plane(Cause::Timeout.into()), UNREACHABLE, false),
        ];
        for (error, reason, is_final) in cases {
            assert_eq!((error.reason(), error.is_final()), (reason, is_final));
            assert_eq!(fault::reason(&Status::from(error)), reason);
        }
    }

    #[test]
    fn a_change_that_is_under_way_is_waited_for() {
        assert!(has_succeeded("Succeeded") && has_succeeded(""));
        assert!(has_failed("Failed") && has_failed("Canceled"));
        assert!(!has_succeeded("Transitioning") && !has_failed("Transitioning"));
    }
}
