//! `AttachmentService`: who is connected to a hub, by the hub's own list. Nothing is stored, and
//! nothing is done about it.

use std::sync::Arc;

use hubshift_api::pb::registry as pb;
use hubshift_api::pb::registry::attachment_service_server::{
    AttachmentService, AttachmentServiceServer,
};
use hubshift_api::validate::Checks;
use hubshift_api::{fault, times};
use hubshift_hub::{Outcome, Page, Rejection, Summary};
use hubshift_store::page;
use time::OffsetDateTime;
use tonic::{Code, Request, Response, Status};

use super::connection::answered;
use super::find;
use crate::budget::Lane;
use crate::deps::Deps;

/// The service.
pub(crate) struct Attachments {
    deps: Arc<Deps>,
}

/// The service, to be added to a server.
pub(crate) fn server(deps: Arc<Deps>) -> AttachmentServiceServer<Attachments> {
    AttachmentServiceServer::new(Attachments { deps })
}

#[tonic::async_trait]
impl AttachmentService for Attachments {
    async fn list_connected_devices(
        &self,
        request: Request<pb::ListConnectedDevicesRequest>,
    ) -> Result<Response<pb::ListConnectedDevicesResponse>, Status> {
        let body = request.into_inner();
        let list = format!("{}/hubs/{}/connected", body.fleet, body.hub);
        let mut checks = Checks::new();
        let fleet = checks.fleet("fleet", &body.fleet);
        let hub = checks.hub("hub", &body.hub);
        let limit = checks.page_size(body.page_size);
        let after = page::parse::<String>(&list, &body.page_token);
        if let Err(error) = &after {
            checks.violation("page_token", error.to_string());
        }
        let (fleet, hub) = checks.require(fleet.zip(hub))?;
        let view = find::fleet(&self.deps, &fleet).await?;
        find::connected(&self.deps, &view, &hub).await?;
        let hub = self.deps.hubs.get(&fleet, &hub, Lane::Person).await?;
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        let asked = OffsetDateTime::now_utc();
        let found = listed(hub.connected(after.ok().flatten(), limit).await)?;
        let next = found.next.map(|cursor| page::token(&list, &cursor));
        Ok(Response::new(pb::ListConnectedDevicesResponse {
            devices: found.rows.into_iter().map(device).collect(),
            next_page_token: next.unwrap_or_default(),
            read_time: Some(times::timestamp(asked)),
        }))
    }
}

/// What the hub said, or why nobody can say who is connected to it.
fn listed(outcome: Outcome<Page>) -> Result<Page, Status> {
    if let Outcome::Rejected(refused @ Rejection::Invalid(_)) = outcome {
        let text = format!("{refused}: it does not list by connection state");
        return Err(fault::status(Code::FailedPrecondition, "HUB_REFUSED", text));
    }
    answered(outcome)
}

fn device(row: Summary) -> pb::ConnectedDevice {
    pb::ConnectedDevice {
        device_id: row.device_id,
        last_activity_time: row.last_activity.map(times::timestamp),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hub_that_does_not_answer_is_told_apart_from_one_that_has_no_such_list() {
        let reason = |rejection| fault::reason(&listed(Outcome::Rejected(rejection)).unwrap_err());
        assert_eq!(reason(Rejection::Invalid("400".into())), "HUB_REFUSED");
        assert_eq!(
            reason(Rejection::Unreachable("gone".into())),
            "HUB_UNREACHABLE"
        );
        let silent = Outcome::Unknown(hubshift_hub::Cause::Timeout);
        assert_eq!(
            fault::reason(&listed(silent).unwrap_err()),
            "HUB_UNREACHABLE"
        );
    }
}
