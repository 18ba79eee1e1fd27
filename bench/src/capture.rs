//! Asks a concierge, once at the start of a run, for everything that contenders will answer.

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use hubshift_api::pb::concierge::fleet_service_client::FleetServiceClient;
use hubshift_api::pb::concierge::{GetEndpointRequest, GetEndpointResponse, WatchFleetRequest};
use prost::Message as _;
use tonic::transport::Channel;

use crate::answers::{Answers, Asked, DEVICE, FLEET, HUB, Who};
use crate::contender::ours;
use crate::probe::{self, Page, Version};
use crate::world::{Place, until};
use crate::{fleets, grpc, marker, ports};

/// Makes the fleet, and asks.
pub(crate) async fn capture(place: &Place, database_url: &str) -> anyhow::Result<Answers> {
    let start = ours::Start {
        database_url,
        data: &place.data(),
        tls: None,
        settings: &place.options.settings,
    };
    let process = ours::start_ready(place, &start).await?;
    let mut operator = FleetServiceClient::new(grpc::channel(ports::local(ports::OPERATOR))?);
    let created = operator.create_fleet(fleets::new(FLEET)).await;
    let epoch = created
        .context("could not make a fleet")?
        .into_inner()
        .epoch;
    let public = grpc::channel(ports::local(ports::CONCIERGE))?;
    let answers = Answers {
        epoch,
        device: asked(&public, Who::Device, epoch).await?,
        anyone: asked(&public, Who::Anyone, epoch).await?,
        watched: watched(&mut operator).await?,
    };
    drop((operator, public));
    process.stop().await?;
    Ok(answers)
}

async fn asked(public: &Channel, who: Who, epoch: u64) -> anyhow::Result<Asked> {
    let request = Bytes::from(request(who, epoch).encode_to_vec());
    let message = until("there is no fresh answer", || fresh(public, &request)).await?;
    let path = who.path(epoch);
    let page = until("there is no page", || page(&path)).await?;
    Ok(Asked {
        request,
        message,
        page,
    })
}

fn request(who: Who, epoch: u64) -> GetEndpointRequest {
    let anyone = GetEndpointRequest {
        fleet: format!("fleets/{FLEET}"),
        ..GetEndpointRequest::default()
    };
    match who {
        Who::Anyone => anyone,
        Who::Device => GetEndpointRequest {
            device: DEVICE.to_owned(),
            known_epoch: epoch,
            attached_hub: HUB.to_owned(),
            ..anyone
        },
    }
}

/// The answer over gRPC, once it is one of a concierge that has its database.
async fn fresh(public: &Channel, request: &Bytes) -> anyhow::Result<Bytes> {
    let message = grpc::unary(public, grpc::GET_ENDPOINT, request.clone()).await?;
    let answer = GetEndpointResponse::decode(message.clone())?;
    ensure!(!answer.stale, "it is stale");
    Ok(message)
}

async fn page(path: &str) -> anyhow::Result<Page> {
    let addr = ports::local(ports::CONCIERGE);
    let page = probe::get(addr, path, Version::Http1, None).await?;
    ensure!(page.status.is_success(), "it answers {}", page.status);
    Ok(page)
}

/// The first message to a watcher, encoded again: the same bytes, or as many.
async fn watched(operator: &mut FleetServiceClient<Channel>) -> anyhow::Result<Bytes> {
    let request = WatchFleetRequest {
        name: format!("fleets/{FLEET}"),
        ..WatchFleetRequest::default()
    };
    let mut messages = operator.watch_fleet(request).await?.into_inner();
    let first = messages.message().await?.context("the watch ended")?;
    let message = Bytes::from(first.encode_to_vec());
    ensure!(
        marker::find(&message).is_some(),
        "a watcher does not see the display name"
    );
    Ok(message)
}
