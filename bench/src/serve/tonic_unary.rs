//! A minimal tonic server: the generated service, the default transport, an answer that is cloned.

use anyhow::Context as _;
use hubshift_api::pb::concierge::endpoint_service_server::{
    EndpointService, EndpointServiceServer,
};
use hubshift_api::pb::concierge::{
    GetEndpointRequest, GetEndpointResponse, PresentRouteRequest, PresentRouteResponse,
};
use prost::Message as _;
use tonic::{Request, Response, Status};

use super::Served;

struct Minimal {
    answer: GetEndpointResponse,
}

#[tonic::async_trait]
impl EndpointService for Minimal {
    async fn get_endpoint(
        &self,
        _request: Request<GetEndpointRequest>,
    ) -> Result<Response<GetEndpointResponse>, Status> {
        Ok(Response::new(self.answer.clone()))
    }

    async fn present_route(
        &self,
        _request: Request<PresentRouteRequest>,
    ) -> Result<Response<PresentRouteResponse>, Status> {
        Err(Status::unimplemented("nobody presents a route to it"))
    }
}

/// Serves it.
pub(super) async fn serve(served: &Served) -> anyhow::Result<()> {
    let bytes = std::fs::read(&served.answer).context("could not read the answer")?;
    let answer = GetEndpointResponse::decode(bytes.as_slice())?;
    let service = EndpointServiceServer::new(Minimal { answer });
    tonic::transport::Server::builder()
        .add_service(service)
        .serve(served.listen)
        .await?;
    Ok(())
}
