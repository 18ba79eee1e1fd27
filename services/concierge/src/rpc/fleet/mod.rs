//! `FleetService`: fleets for operators, and the watch for back ends.

mod canary;
mod convert;
mod waves;

use std::sync::Arc;

use hubshift_api::pb::concierge::fleet_service_server::{FleetService, FleetServiceServer};
use hubshift_api::pb::concierge::{
    AcknowledgeEpochRequest, AcknowledgeEpochResponse, CreateFleetRequest, Fleet, GetFleetRequest,
    ListFleetsRequest, ListFleetsResponse, StartCanaryRequest, StopCanaryRequest,
    UpdateFleetRequest, WatchFleetRequest,
};
use hubshift_api::validate::Checks;
use hubshift_domain::epoch::Epoch;
use hubshift_shell::Caller;
use hubshift_store::{idem, page};
use tonic::{Request, Response, Status};

use super::page::token;
use super::watch::{FleetStream, Watchers};
use crate::app::App;

/// The list's name in its page tokens.
const LIST: &str = "fleets";

/// The service over the application.
pub(crate) struct Fleets {
    app: Arc<App>,
    watchers: Watchers,
}

/// The service. A listener serves its watch by [`super::watch::method`] instead.
pub(crate) fn server(app: Arc<App>, watchers: Watchers) -> FleetServiceServer<Fleets> {
    FleetServiceServer::new(Fleets { app, watchers })
}

#[tonic::async_trait]
impl FleetService for Fleets {
    async fn get_fleet(
        &self,
        request: Request<GetFleetRequest>,
    ) -> Result<Response<Fleet>, Status> {
        self.app.ready()?;
        let mut checks = Checks::new();
        let fleet = checks.fleet("name", &request.get_ref().name);
        let fleet = checks.require(fleet)?;
        Ok(Response::new(self.app.get_fleet(fleet.as_str()).await?))
    }

    async fn list_fleets(
        &self,
        request: Request<ListFleetsRequest>,
    ) -> Result<Response<ListFleetsResponse>, Status> {
        self.app.ready()?;
        let mut checks = Checks::new();
        let limit = checks.page_size(request.get_ref().page_size);
        let after: Option<String> = token(&mut checks, LIST, &request.get_ref().page_token);
        checks.done()?;
        let fleets = self
            .app
            .list_fleets(&after.unwrap_or_default(), limit)
            .await?;
        let is_full = i64::try_from(fleets.len()).is_ok_and(|count| count == limit);
        let last = fleets.last().filter(|_| is_full);
        let next = last.map(|fleet| fleet.name.trim_start_matches("fleets/"));
        let next_page_token = next.map(|id| page::token(LIST, &id)).unwrap_or_default();
        Ok(Response::new(ListFleetsResponse {
            fleets,
            next_page_token,
        }))
    }

    async fn create_fleet(
        &self,
        request: Request<CreateFleetRequest>,
    ) -> Result<Response<Fleet>, Status> {
        self.app.ready()?;
        let caller = Caller::of(&request).name;
        let message = request.into_inner();
        let (request_id, creation) = convert::creation(&message)?;
        let request = idem::Request::new(&caller, "CreateFleet", request_id, &message);
        let fleet = self.app.create_fleet(&request, &creation).await?;
        self.app.table.refresh_soon();
        Ok(Response::new(fleet))
    }

    async fn update_fleet(
        &self,
        request: Request<UpdateFleetRequest>,
    ) -> Result<Response<Fleet>, Status> {
        self.app.ready()?;
        let caller = Caller::of(&request).name;
        let message = request.into_inner();
        let (request_id, update) = convert::update(&message)?;
        let request = idem::Request::new(&caller, "UpdateFleet", request_id, &message);
        let fleet = self.app.update_fleet(&request, &update).await?;
        self.app.table.refresh_soon();
        Ok(Response::new(fleet))
    }

    async fn start_canary(
        &self,
        request: Request<StartCanaryRequest>,
    ) -> Result<Response<Fleet>, Status> {
        self.app.ready()?;
        let caller = Caller::of(&request).name;
        let message = request.into_inner();
        let (request_id, order) = canary::start(&message)?;
        let request = idem::Request::new(&caller, "StartCanary", request_id, &message);
        let fleet = self.app.start_canary(&request, &order).await?;
        self.app.table.refresh_soon();
        Ok(Response::new(fleet))
    }

    async fn stop_canary(
        &self,
        request: Request<StopCanaryRequest>,
    ) -> Result<Response<Fleet>, Status> {
        self.app.ready()?;
        let caller = Caller::of(&request).name;
        let message = request.into_inner();
        let (request_id, fleet, id) = canary::stop(&message)?;
        let request = idem::Request::new(&caller, "StopCanary", request_id, &message);
        let fleet = self.app.stop_canary(&request, fleet.as_str(), id).await?;
        self.app.table.refresh_soon();
        Ok(Response::new(fleet))
    }

    type WatchFleetStream = FleetStream;

    async fn watch_fleet(
        &self,
        request: Request<WatchFleetRequest>,
    ) -> Result<Response<FleetStream>, Status> {
        let opened = self.watchers.open(request.get_ref())?;
        Ok(Response::new(opened.into()))
    }

    async fn acknowledge_epoch(
        &self,
        request: Request<AcknowledgeEpochRequest>,
    ) -> Result<Response<AcknowledgeEpochResponse>, Status> {
        self.app.ready()?;
        let caller = Caller::of(&request).name;
        let message = request.into_inner();
        let mut checks = Checks::new();
        let fleet = checks.fleet("name", &message.name);
        let request_id = checks.request_id(&message.request_id);
        checks.text("back_end", &message.back_end, 63);
        let (fleet, request_id) = checks.require(fleet.zip(request_id))?;
        let request = idem::Request::new(&caller, "AcknowledgeEpoch", request_id, &message);
        let epoch = Epoch(message.epoch);
        let (fleet, back_end) = (fleet.as_str(), message.back_end.as_str());
        let answer = self
            .app
            .acknowledge_epoch(&request, fleet, back_end, epoch)
            .await?;
        Ok(Response::new(answer))
    }
}
