//! `EndpointService`: what devices ask, over gRPC. No database on this path.
//!
//! `GetEndpoint` is served by [`crate::front`]. What is unusual about its transport (HTTP/1.1, a
//! compressed request) comes here, and gets the same answer.

use std::time::Instant;

use hubshift_api::pb::concierge::endpoint_service_server::{
    EndpointService, EndpointServiceServer,
};
use hubshift_api::pb::concierge::{
    GetEndpointRequest, GetEndpointResponse, PresentRouteRequest, PresentRouteResponse,
};
use hubshift_domain::id;
use tonic::{Request, Response, Status};

use crate::front;
use crate::http::PublicState;
use crate::table;

/// No request is longer, bytes: a route of 8 KB and its frame.
pub(crate) const MAX_REQUEST: usize = 16 * 1024;

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
        let question = request.into_inner();
        let asked = front::asked(&question);
        let message = self
            .state
            .answer(Instant::now(), &asked, |answer| answer.message())?;
        Ok(Response::new(message))
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
