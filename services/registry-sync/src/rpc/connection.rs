//! `ConnectionService`: how each hub is reached. Secrets come by reference and are never shown.

mod allowance;

use std::sync::Arc;

use hubshift_api::pb::registry as pb;
use hubshift_api::pb::registry::connection_service_server::{
    ConnectionService, ConnectionServiceServer,
};
use hubshift_api::validate::Checks;
use hubshift_api::{fault, times};
use hubshift_domain::id::{FleetId, HubId, parse_hub};
use hubshift_hub::{Hub, HubError, Outcome, Rejection};
use hubshift_shell::Caller;
use hubshift_store::idem::Request as Idem;
use hubshift_store::{StoreError, commit};
use tonic::{Code, Request, Response, Status};
use uuid::Uuid;

use super::find;
use crate::budget::Lane;
use crate::deps::Deps;
use crate::hubs::{AZURE, HubsError, Management, Proposal};
use crate::store;
use crate::store::connection::{ConnectionRow, NewConnection};

/// The service.
pub(crate) struct Connections {
    deps: Arc<Deps>,
}

/// The service, to be added to a server.
pub(crate) fn server(deps: Arc<Deps>) -> ConnectionServiceServer<Connections> {
    ConnectionServiceServer::new(Connections { deps })
}

#[tonic::async_trait]
impl ConnectionService for Connections {
    async fn get_connection(
        &self,
        request: Request<pb::GetConnectionRequest>,
    ) -> Result<Response<pb::Connection>, Status> {
        let (fleet, hub) = name(&request.get_ref().name)?;
        let row = self.deps.hubs.row(&fleet, &hub).await?;
        Ok(Response::new(to_wire(&fleet, &row)))
    }

    async fn update_connection(
        &self,
        request: Request<pb::UpdateConnectionRequest>,
    ) -> Result<Response<pb::Connection>, Status> {
        let caller = Caller::of(&request).name;
        update(&self.deps, &caller, request.into_inner())
            .await
            .map(Response::new)
    }

    async fn test_connection(
        &self,
        request: Request<pb::TestConnectionRequest>,
    ) -> Result<Response<pb::TestConnectionResponse>, Status> {
        let (fleet, hub) = name(&request.get_ref().name)?;
        let hub = self.deps.hubs.get(&fleet, &hub, Lane::Person).await?;
        let found = answered(hub.statistics().await)?;
        Ok(Response::new(pb::TestConnectionResponse {
            device_count: found.total,
        }))
    }
}

fn name(text: &str) -> Result<(FleetId, HubId), Status> {
    let mut checks = Checks::new();
    let name = parse(&mut checks, "name", text);
    checks.require(name)
}

fn parse(checks: &mut Checks, field: &str, text: &str) -> Option<(FleetId, HubId)> {
    let Some(hub) = text.strip_suffix("/connection") else {
        let problem =
            format!("`{text}` is not of the form `fleets/{{fleet}}/hubs/{{hub}}/connection`");
        checks.violation(field, problem);
        return None;
    };
    checks.take(field, parse_hub(hub))
}

/// A request that was checked.
struct Update {
    fleet: FleetId,
    hub: HubId,
    proposal: Proposal,
    request_id: Uuid,
    skip_test: bool,
}

fn checked(body: &pb::UpdateConnectionRequest) -> Result<Update, Status> {
    let mut checks = Checks::new();
    let connection = body.connection.clone().unwrap_or_default();
    let name = parse(&mut checks, "connection.name", &connection.name);
    let request_id = checks.request_id(&body.request_id);
    checks.text("connection.secret_ref", &connection.secret_ref, 1024);
    let adapter = match connection.adapter.as_str() {
        "" | AZURE => AZURE.to_owned(),
        other => {
            checks.violation(
                "connection.adapter",
                format!("`{other}` is not known; use `azure`"),
            );
            String::new()
        }
    };
    let allowance = allowance::checked(&mut checks, connection.budget.as_ref());
    let ((fleet, hub), request_id) = checks.require(name.zip(request_id))?;
    let proposal = Proposal {
        adapter,
        secret_ref: connection.secret_ref,
        ca_ref: connection.ca_ref,
        allowance,
        job_container_ref: connection.job_container_ref,
        management_ref: connection.management_ref,
        without_modules: connection.without_modules,
        without_configurations: connection.without_configurations,
    };
    Ok(Update {
        fleet,
        hub,
        proposal,
        request_id,
        skip_test: body.skip_test,
    })
}

async fn update(
    deps: &Deps,
    caller: &str,
    body: pb::UpdateConnectionRequest,
) -> Result<pb::Connection, Status> {
    let update = checked(&body)?;
    let idem = Idem::new(caller, "UpdateConnection", update.request_id, &body);
    let mut connection = deps.pool.acquire().await.map_err(StoreError::from)?;
    if let Some(answer) = idem.replay(&mut connection).await? {
        return Ok(answer);
    }
    drop(connection);
    let view = find::fleet(deps, &update.fleet).await?;
    view.hub(&update.hub).ok_or(HubsError::NoHub)?;
    check_fence(deps, &update).await?;
    let proposal = &update.proposal;
    let (hub, host) = deps
        .hubs
        .try_out(&update.fleet, &update.hub, proposal)
        .await?;
    let management = Management::of(proposal, &host)?;
    let tried = if update.skip_test {
        None
    } else {
        Some(answered(hub.statistics().await)?)
    };
    if let Some(management) = management.filter(|_| !update.skip_test) {
        management.look().await?;
    }
    let new = NewConnection {
        adapter: &proposal.adapter,
        secret_ref: &proposal.secret_ref,
        ca_ref: &proposal.ca_ref,
        host: &host,
        allowance: &proposal.allowance,
        job_container_ref: &proposal.job_container_ref,
        management_ref: &proposal.management_ref,
        without_modules: proposal.without_modules,
        without_configurations: proposal.without_configurations,
    };
    let answer = put(deps, &update, &new, tried.is_some(), &idem).await?;
    tracing::info!(caller, fleet = %update.fleet, hub = %update.hub, host, "connection taken");
    Ok(answer)
}

/// A hub that is shut out can't be tried, and it can be opened again only with its `management_ref`.
async fn check_fence(deps: &Deps, update: &Update) -> Result<(), Status> {
    let (fleet, hub) = (update.fleet.as_str(), update.hub.as_str());
    let row = store::connection::get(&deps.pool, fleet, hub).await?;
    let is_tried = !update.skip_test || update.proposal.management_ref.is_empty();
    if row.is_some_and(|row| row.is_fenced()) && is_tried {
        return Err(HubsError::Fenced(hub.to_owned()).into());
    }
    Ok(())
}

/// Two connections to one hub would compare it with itself, or mix two fleets.
fn taken(error: StoreError, new: &NewConnection<'_>) -> Status {
    if !error.is_constraint("registry_connection_host_unique") {
        return error.into();
    }
    let text = format!(
        "hub {} is connected already, here or in another fleet",
        new.host
    );
    fault::status(tonic::Code::AlreadyExists, "HUB_HOST_TAKEN", text)
}

async fn put(
    deps: &Deps,
    update: &Update,
    new: &NewConnection<'_>,
    answered: bool,
    idem: &Idem,
) -> Result<pb::Connection, Status> {
    let (fleet, hub) = (update.fleet.as_str(), update.hub.as_str());
    let mut tx = deps.pool.begin().await.map_err(StoreError::from)?;
    store::connection::put(&mut *tx, fleet, hub, new)
        .await
        .map_err(|error| taken(error, new))?;
    if answered {
        store::connection::note_answer(&mut *tx, fleet, hub).await?;
    }
    let row = store::connection::get(&mut *tx, fleet, hub).await?;
    let row = row.ok_or_else(fault::internal)?;
    let answer = to_wire(&update.fleet, &row);
    if !idem.record(&mut tx, &answer).await? {
        // An equal request was faster, and its answer counts.
        drop(tx);
        let mut connection = deps.pool.acquire().await.map_err(StoreError::from)?;
        return idem
            .replay(&mut connection)
            .await?
            .ok_or_else(fault::internal);
    }
    commit(tx).await?;
    Ok(answer)
}

/// What the hub said, or why the connection is no good.
pub(super) fn answered<T>(outcome: Outcome<T>) -> Result<T, Status> {
    outcome.into_result().map_err(|error| {
        let text = error.to_string();
        match error {
            HubError::Rejected(Rejection::Unauthorized(_)) => {
                let text = format!("{text}; check the policy's name, key and permissions");
                fault::status(Code::FailedPrecondition, "HUB_UNAUTHORIZED", text)
            }
            HubError::Rejected(Rejection::Untrusted(_)) => {
                let text = format!("{text}; name its authority in ca_ref");
                fault::status(Code::FailedPrecondition, "HUB_UNTRUSTED", text)
            }
            _ => fault::status(Code::Unavailable, "HUB_UNREACHABLE", text),
        }
    })
}

fn to_wire(fleet: &FleetId, row: &ConnectionRow) -> pb::Connection {
    pb::Connection {
        name: format!("{}/hubs/{}/connection", fleet.name(), row.hub_id),
        adapter: row.adapter.clone(),
        secret_ref: row.secret_ref.clone(),
        ca_ref: row.ca_ref.clone(),
        host: row.host.clone(),
        contact_time: row.contact_time.map(times::timestamp),
        last_error: row.last_error.clone(),
        budget: Some(allowance::to_wire(&row.allowance())),
        job_container_ref: row.job_container_ref.clone(),
        management_ref: row.management_ref.clone(),
        without_modules: row.without_modules,
        without_configurations: row.without_configurations,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_connections_name_is_taken() {
        assert!(name("fleets/acme/hubs/east/connection").is_ok());
        for bad in [
            "fleets/acme/hubs/east",
            "fleets/acme/connection",
            "connection",
        ] {
            assert_eq!(
                name(bad).unwrap_err().code(),
                Code::InvalidArgument,
                "{bad}"
            );
        }
    }

    #[test]
    fn each_failure_of_a_hub_has_its_reason() {
        let reason =
            |rejection| fault::reason(&answered(Outcome::<()>::Rejected(rejection)).unwrap_err());
        assert_eq!(
            reason(Rejection::Unauthorized("no".into())),
            "HUB_UNAUTHORIZED"
        );
        assert_eq!(reason(Rejection::Untrusted("who".into())), "HUB_UNTRUSTED");
        assert_eq!(
            reason(Rejection::Unreachable("gone".into())),
            "HUB_UNREACHABLE"
        );
    }
}
