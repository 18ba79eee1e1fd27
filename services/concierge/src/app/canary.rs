//! Canaries: a small part of a fleet is attached to a standby for a limited time. Attachment, never
//! authority: nothing of the registry, the epoch or the hubs' states changes.
//!
//! Kept true: one begins only at a hub that is ready, in the epoch that the operator saw, while no
//! failover is under way; all under the fleet's row, which a failover that starts holds too. Ends by
//! itself: the reconciler.

use std::time::Duration;

use hubshift_api::pb::concierge::Fleet;
use hubshift_domain::canary::RevertCause;
use hubshift_domain::epoch::Epoch;
use hubshift_domain::hub_state::HubState;
use hubshift_domain::route::{Cohort, MAX_ROUTE_LEN, RouteError};
use hubshift_store::idem::Request;
use hubshift_store::{StoreError, Tx, in_tx};
use sqlx::PgConnection;
use uuid::Uuid;

use super::once::once;
use super::route::route_claims;
use super::{App, AppError};
use crate::store::authority::{self, Held};
use crate::store::canary::{self, NewCanary};
use crate::store::{clock, failover, fleet, hub};
use crate::workflows::failover::KIND;

/// So much of a route's length stays free, bytes: for what the fleet's hubs add to it later.
const SPARE: usize = 1024;

/// A canary that an operator orders.
#[derive(Debug, Clone)]
pub(crate) struct CanaryOrder {
    pub(crate) fleet_id: String,
    pub(crate) expected_epoch: Epoch,
    pub(crate) hub_id: String,
    pub(crate) cohort: Cohort,
    pub(crate) ttl: Duration,
}

impl App {
    /// Starts a canary.
    pub(crate) async fn start_canary(
        &self,
        request: &Request,
        order: &CanaryOrder,
    ) -> Result<Fleet, AppError> {
        let work = in_tx(&self.pool, "start_canary", |tx| {
            self.begin_canary(tx, request, order)
        });
        once(&self.pool, request, work).await
    }

    async fn begin_canary(
        &self,
        mut tx: Tx,
        request: &Request,
        order: &CanaryOrder,
    ) -> Result<(Tx, Fleet), AppError> {
        let fleet_id = order.fleet_id.as_str();
        let held = authority::hold(&mut tx, fleet_id).await?;
        let held = held.ok_or_else(|| AppError::FleetNotFound(fleet_id.to_owned()))?;
        self.check_canary(&mut tx, order, &held).await?;
        let new = NewCanary {
            canary_id: Uuid::now_v7(),
            fleet_id,
            hub_id: &order.hub_id,
            epoch: held.epoch,
            cohort: &order.cohort,
            start_time: held.now,
            until_time: held.now + order.ttl,
        };
        canary::begin(&mut tx, &new).await?;
        self.check_route(&mut tx, fleet_id).await?;
        let fleet = self.view(&mut tx, fleet_id).await?;
        let detail = format!("canary {} at {}", new.canary_id, order.hub_id);
        self.seal(&mut tx, request, fleet_id, &detail, &fleet)
            .await?;
        Ok((tx, fleet))
    }

    /// Whether a canary may begin now, as the held fleet stands.
    async fn check_canary(
        &self,
        tx: &mut PgConnection,
        order: &CanaryOrder,
        held: &Held,
    ) -> Result<(), AppError> {
        let fleet_id = order.fleet_id.as_str();
        if held.epoch != order.expected_epoch {
            return Err(AppError::EpochChanged {
                epoch: held.epoch,
                expected: order.expected_epoch,
            });
        }
        let known = self.highest_epoch(tx, fleet_id).await?;
        if known > held.epoch {
            return Err(AppError::EpochForgotten(known));
        }
        if let Some(id) = hubshift_flow::find_active(tx, KIND, fleet_id).await? {
            return Err(AppError::OperationRunning(failover::name(fleet_id, id)));
        }
        if let Some(running) = canary::running(tx, fleet_id).await? {
            return Err(AppError::CanaryRunning(running.canary_id));
        }
        let hubs = hub::of_fleet(tx, fleet_id).await?;
        let Some(row) = hubs.iter().find(|row| row.hub_id == order.hub_id) else {
            return Err(AppError::HubNotFound {
                fleet: fleet_id.to_owned(),
                hub: order.hub_id.clone(),
            });
        };
        match row.state()? {
            HubState::Ready => Ok(()),
            state => Err(AppError::HubNotReady {
                hub: order.hub_id.clone(),
                state,
            }),
        }
    }

    /// Refuses what devices can't be told: a route is a short document.
    pub(super) async fn check_route(
        &self,
        connection: &mut PgConnection,
        fleet_id: &str,
    ) -> Result<(), AppError> {
        let Some(row) = fleet::get(connection, fleet_id).await? else {
            return Err(AppError::FleetNotFound(fleet_id.to_owned()));
        };
        let hubs = hub::of_fleet(connection, fleet_id).await?;
        let running = canary::running(connection, fleet_id).await?;
        let running = running.map(|row| row.entry()).transpose()?;
        let now = clock::now(connection).await?;
        let claims = route_claims(&row, &hubs, running.as_ref(), now).map_err(bug)?;
        match self.signer.sign(&claims) {
            Ok(route) if route.len() + SPARE <= MAX_ROUTE_LEN => Ok(()),
            Ok(_) | Err(RouteError::TooLong) => Err(AppError::RouteTooLong),
            Err(error) => Err(bug(error).into()),
        }
    }

    /// Ends the canary that runs, if it is this one.
    pub(crate) async fn stop_canary(
        &self,
        request: &Request,
        fleet_id: &str,
        id: Option<Uuid>,
    ) -> Result<Fleet, AppError> {
        let work = in_tx(&self.pool, "stop_canary", |mut tx| async move {
            if authority::hold(&mut tx, fleet_id).await?.is_none() {
                return Err(AppError::FleetNotFound(fleet_id.to_owned()));
            }
            let running = canary::running(&mut tx, fleet_id).await?;
            let running = running.filter(|row| id.is_none_or(|id| id == row.canary_id));
            let Some(row) = running else {
                return Err(AppError::CanaryNotRunning);
            };
            canary::end(&mut tx, &row, RevertCause::Stopped).await?;
            let fleet = self.view(&mut tx, fleet_id).await?;
            let detail = format!("canary {} at {}", row.canary_id, row.hub_id);
            self.seal(&mut tx, request, fleet_id, &detail, &fleet)
                .await?;
            Ok((tx, fleet))
        });
        once(&self.pool, request, work).await
    }
}

/// What no stored fleet should make: it has an active hub and legal names.
fn bug(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
    StoreError::Bug(sqlx::Error::Decode(error.into()))
}
