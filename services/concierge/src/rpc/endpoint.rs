//! `EndpointService`: what devices ask, over gRPC. No database on this path.

use hubshift_api::pb::concierge::endpoint_service_server::{
    EndpointService, EndpointServiceServer,
};
use hubshift_api::pb::concierge::{
    GetEndpointRequest, GetEndpointResponse, PresentRouteRequest, PresentRouteResponse,
};
use hubshift_api::times;
use hubshift_domain::id;
use tonic::{Request, Response, Status};

use crate::http::PublicState;
use crate::table::{self, Asked, Question};

/// No request is longer, bytes: a route of 8 KB and its frame.
const MAX_REQUEST: usize = 16 * 1024;

/// The service over a table.
pub(crate) struct Endpoints {
    state: PublicState,
}

/// The service, with its limits.
pub(crate) fn server(state: PublicState) -> EndpointServiceServer<Endpoints> {
    EndpointServiceServer::new(Endpoints { state }).max_decoding_message_size(MAX_REQUEST)
}

#[tonic::async_trait]
impl EndpointService for Endpoints {
    async fn get_endpoint(
        &self,
        request: Request<GetEndpointRequest>,
    ) -> Result<Response<GetEndpointResponse>, Status> {
        let asked = request.into_inner();
        let question = Question::new(Asked {
            fleet: id::parse_fleet(&asked.fleet),
            device: &asked.device,
            known_epoch: Ok(asked.known_epoch),
            attached_hub: &asked.attached_hub,
            last_connect_error: &asked.last_connect_error,
            names: ("known_epoch", "attached_hub"),
        })?;
        let answer = table::answer(&self.state.table, &self.state.adoption, &question)?;
        Ok(Response::new(GetEndpointResponse {
            route: answer.entry.jws.to_string(),
            connect_after_ms: answer.connect_after_ms(),
            poll_after_ms: answer.poll_after_ms(),
            as_of: Some(times::timestamp(answer.as_of)),
            stale: answer.stale,
        }))
    }

    async fn present_route(
        &self,
        request: Request<PresentRouteRequest>,
    ) -> Result<Response<PresentRouteResponse>, Status> {
        let PresentRouteRequest { fleet, route } = request.into_inner();
        let fleet = table::fleet(id::parse_fleet(&fleet))?;
        let epoch = table::present(&self.state.table, &self.state.signer, &fleet, &route).await?;
        Ok(Response::new(PresentRouteResponse { epoch: epoch.0 }))
    }
}
