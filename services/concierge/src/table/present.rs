//! Evidence of an epoch: the signed route of a device, or of another concierge, that knows more
//! than this one.

use hubshift_api::fault;
use hubshift_domain::epoch::Epoch;
use hubshift_domain::id::FleetId;
use hubshift_domain::route::RouteError;
use tonic::{Code, Status};

use super::{AnswerError, Table};
use crate::signing::Signer;

/// Why a presented route is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PresentError {
    /// The fleet isn't known here, or nothing is.
    #[error(transparent)]
    NoFleet(#[from] AnswerError),
    /// Not a route with our signature.
    #[error("the route is refused: it {0}")]
    Invalid(RouteError),
    /// A route of another fleet.
    #[error("the route is of fleet `{0}`")]
    OtherFleet(FleetId),
}

impl From<PresentError> for Status {
    fn from(error: PresentError) -> Self {
        let text = error.to_string();
        match error {
            PresentError::NoFleet(error) => error.into(),
            PresentError::Invalid(_) | PresentError::OtherFleet(_) => {
                fault::status(Code::InvalidArgument, "ROUTE_INVALID", text)
            }
        }
    }
}

/// Takes a route for evidence if our signature is over it. If it is newer than what is served
/// here, it is served from now on, and witnessed for the next commit; returns the highest epoch
/// that is known here then. A number without a signature never gets this far.
pub(crate) async fn present(
    table: &Table,
    signer: &Signer,
    fleet: &FleetId,
    token: &str,
) -> Result<Epoch, PresentError> {
    let claims = signer.verify(token).map_err(PresentError::Invalid)?;
    if claims.fleet != *fleet {
        return Err(PresentError::OtherFleet(claims.fleet));
    }
    let held = held(table, fleet)?;
    if claims.order() > held {
        tracing::error!(
            %fleet, presented = %claims.epoch, served = %held.0,
            "somebody holds a newer route than this concierge; it is served now"
        );
        table
            .update(|snapshot| match snapshot.fleets.get(fleet) {
                // Once more, in turn with a change of the keys.
                Some(entry) if claims.order() > entry.order() && signer.verify(token).is_ok() => {
                    snapshot.with(vec![entry.under(claims, token)])
                }
                _ => snapshot.clone(),
            })
            .await;
        table.refresh_soon();
    }
    Ok(self::held(table, fleet)?.0)
}

fn held(table: &Table, fleet: &FleetId) -> Result<(Epoch, u64), AnswerError> {
    let held = table.get(fleet).map(|entry| entry.order());
    held.ok_or_else(|| AnswerError::missing(&table.load(), fleet))
}
