//! `FailoverService`: moving a fleet to another hub.

mod watch;

use std::sync::Arc;

use hubshift_api::pb::concierge::failover_service_server::{
    FailoverService, FailoverServiceServer,
};
use hubshift_api::pb::concierge::{
    CancelFailoverRequest, Failover, FailoverKind, GetFailoverRequest, ListFailoversRequest,
    ListFailoversResponse, RetryFailoverRequest, StartFailoverRequest, WatchFailoverRequest,
};
use hubshift_api::validate::Checks;
use hubshift_domain::failover::Kind;
use hubshift_domain::id::FleetId;
use hubshift_shell::Caller;
use hubshift_store::{idem, page};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use super::page::token;
use crate::app::App;
use crate::app::failover::{Cursor, Order};
use watch::FailoverStream;

/// The shape of a failover's name.
const PATTERN: &str = "fleets/{fleet}/failovers/{failover}";

/// The service over the application.
pub(crate) struct Failovers {
    app: Arc<App>,
    closing: CancellationToken,
}

/// The service; its watches end when `closing` is cancelled.
pub(crate) fn server(
    app: Arc<App>,
    closing: CancellationToken,
) -> FailoverServiceServer<Failovers> {
    FailoverServiceServer::new(Failovers { app, closing })
}

#[tonic::async_trait]
impl FailoverService for Failovers {
    async fn start_failover(
        &self,
        request: Request<StartFailoverRequest>,
    ) -> Result<Response<Failover>, Status> {
        self.app.ready()?;
        let caller = Caller::of(&request).name;
        let message = request.into_inner();
        let (request_id, order) = order(&message)?;
        let failover = if message.validate_only {
            self.app.plan_failover(&order).await?
        } else {
            let request = idem::Request::new(&caller, "StartFailover", request_id, &message);
            self.app.start_failover(&request, &order).await?
        };
        Ok(Response::new(failover))
    }

    async fn get_failover(
        &self,
        request: Request<GetFailoverRequest>,
    ) -> Result<Response<Failover>, Status> {
        self.app.ready()?;
        let (fleet, id) = named(Checks::new(), &request.get_ref().name)?;
        Ok(Response::new(
            self.app.get_failover(fleet.as_str(), id).await?,
        ))
    }

    async fn list_failovers(
        &self,
        request: Request<ListFailoversRequest>,
    ) -> Result<Response<ListFailoversResponse>, Status> {
        self.app.ready()?;
        let message = request.into_inner();
        let list = format!("{}/failovers", message.parent);
        let mut checks = Checks::new();
        let fleet = checks.fleet("parent", &message.parent);
        let limit = checks.page_size(message.page_size);
        let before: Option<Cursor> = token(&mut checks, &list, &message.page_token);
        let fleet = checks.require(fleet)?;
        let (failovers, last) = self
            .app
            .list_failovers(fleet.as_str(), before, limit)
            .await?;
        let next_page_token = last
            .map(|last| page::token(&list, &last))
            .unwrap_or_default();
        Ok(Response::new(ListFailoversResponse {
            failovers,
            next_page_token,
        }))
    }

    type WatchFailoverStream = FailoverStream;

    async fn watch_failover(
        &self,
        request: Request<WatchFailoverRequest>,
    ) -> Result<Response<FailoverStream>, Status> {
        self.app.ready()?;
        let (fleet, id) = named(Checks::new(), &request.get_ref().name)?;
        let first = self.app.get_failover(fleet.as_str(), id).await?;
        let closing = self.closing.child_token();
        Ok(Response::new(watch::watch(
            self.app.clone(),
            fleet,
            id,
            first,
            closing,
        )))
    }

    async fn cancel_failover(
        &self,
        request: Request<CancelFailoverRequest>,
    ) -> Result<Response<Failover>, Status> {
        self.app.ready()?;
        let caller = Caller::of(&request).name;
        let message = request.into_inner();
        let mut checks = Checks::new();
        let request_id = checks.request_id(&message.request_id).unwrap_or_default();
        let (fleet, id) = named(checks, &message.name)?;
        let request = idem::Request::new(&caller, "CancelFailover", request_id, &message);
        Ok(Response::new(
            self.app
                .cancel_failover(&request, fleet.as_str(), id)
                .await?,
        ))
    }

    async fn retry_failover(
        &self,
        request: Request<RetryFailoverRequest>,
    ) -> Result<Response<Failover>, Status> {
        self.app.ready()?;
        let caller = Caller::of(&request).name;
        let message = request.into_inner();
        let mut checks = Checks::new();
        let request_id = checks.request_id(&message.request_id).unwrap_or_default();
        let (fleet, id) = named(checks, &message.name)?;
        let request = idem::Request::new(&caller, "RetryFailover", request_id, &message);
        Ok(Response::new(
            self.app
                .retry_failover(&request, fleet.as_str(), id)
                .await?,
        ))
    }
}

/// Reads a failover's name, and refuses whatever was found before.
fn named(mut checks: Checks, name: &str) -> Result<(FleetId, Uuid), Status> {
    let named = checks.child("name", name, "failovers", PATTERN);
    checks.require(named)
}

fn order(message: &StartFailoverRequest) -> Result<(Uuid, Order), Status> {
    let mut checks = Checks::new();
    let fleet = checks.fleet("fleet", &message.fleet);
    let active = checks.hub("expected_active_hub", &message.expected_active_hub);
    let target = checks.hub("target_hub", &message.target_hub);
    let request_id = checks.request_id(&message.request_id);
    let kind = kind(&mut checks, message.kind());
    // A new epoch at the same hub is how a forgotten one is recovered.
    let may_stay = kind == Some(Kind::Forced) && message.override_checks;
    if active.is_some() && active == target && !may_stay {
        checks.violation("target_hub", "is the hub that the fleet is at");
    }
    let supersede = match message.supersede.as_str() {
        "" => None,
        name => checks.child("supersede", name, "failovers", PATTERN),
    };
    let fleets = fleet.as_ref().zip(supersede.as_ref());
    if fleets.is_some_and(|(fleet, (of, _))| fleet != of) {
        checks.violation("supersede", "is of another fleet");
    }
    let forced_only = message.override_checks
        || !message.acknowledge_loss_bound.is_empty()
        || !message.supersede.is_empty();
    if forced_only && kind.is_some_and(|kind| kind != Kind::Forced) {
        let text = "acknowledgement, override and supersede belong to a forced move only";
        checks.violation("kind", text);
    }
    let hubs = active.zip(target);
    let parts = fleet.zip(hubs).zip(kind.zip(request_id));
    let ((fleet, (active, target)), (kind, request_id)) = checks.require(parts)?;
    let order = Order {
        fleet_id: fleet.to_string(),
        kind,
        expected_active_hub: active.to_string(),
        target_hub: target.to_string(),
        acknowledge_loss_bound: message.acknowledge_loss_bound.clone(),
        override_checks: message.override_checks,
        supersede: supersede.map(|(_, id)| id),
    };
    Ok((request_id, order))
}

fn kind(checks: &mut Checks, wire: FailoverKind) -> Option<Kind> {
    match wire {
        FailoverKind::Planned => Some(Kind::Planned),
        FailoverKind::Forced => Some(Kind::Forced),
        FailoverKind::Failback => Some(Kind::Failback),
        FailoverKind::Unspecified => {
            checks.violation("kind", "is required: planned, forced or failback");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: FailoverKind) -> StartFailoverRequest {
        StartFailoverRequest {
            fleet: "fleets/acme".into(),
            kind: kind.into(),
            expected_active_hub: "east".into(),
            target_hub: "west".into(),
            request_id: Uuid::nil().to_string(),
            ..StartFailoverRequest::default()
        }
    }

    #[test]
    fn an_order_is_read() {
        let (_, order) = order(&message(FailoverKind::Failback)).unwrap();
        assert_eq!(
            (order.kind, order.target_hub.as_str()),
            (Kind::Failback, "west")
        );
    }

    #[test]
    fn a_planned_move_acknowledges_no_loss() {
        let mut planned = message(FailoverKind::Planned);
        planned.acknowledge_loss_bound = "any".into();
        assert!(
            order(&planned)
                .unwrap_err()
                .message()
                .contains("forced move only")
        );
    }

    #[test]
    fn a_fleet_does_not_move_to_where_it_is() {
        let mut same = message(FailoverKind::Planned);
        same.target_hub = "east".into();
        assert!(order(&same).unwrap_err().message().contains("target_hub"));
        let unspecified = message(FailoverKind::Unspecified);
        assert!(order(&unspecified).unwrap_err().message().contains("kind"));
    }
}
