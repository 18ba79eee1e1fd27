//! East with a management plane, and what is asked of it.

use std::time::Duration;

use hubshift_api::pb::registry as pb;
use hubshift_api::pb::registry::FenceState;
use hubshift_azure::{ManagementConnection, sas};
use hubshift_emulator::{EntraOptions, Options};
use hubshift_hub::Secret;
use hubshift_hub::management::{AzureManagement, ManagementSettings};
use hubshift_testkit::eventually;
use reqwest::{Certificate, Client};
use time::OffsetDateTime;
use tonic::Status;
use uuid::Uuid;

use crate::common::{PATIENCE, World};

const RESOURCE: &str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Devices/IotHubs/east";
/// What every application shows to get a token.
pub(crate) const CLIENT_SECRET: &str = "canary-of-the-plane";

/// A hub with a management plane, and applications of two roles.
pub(crate) fn managed(options: Options) -> Options {
    let client = |name: &str, role: &str| Secret::new(format!("{name}:{CLIENT_SECRET}:{role}"));
    let entra = EntraOptions {
        management: Some("127.0.0.1:0".parse().unwrap()),
        resource_id: Some(RESOURCE.to_owned()),
        clients: vec![
            client("fence", "contributor"),
            client("data", "data-contributor"),
        ],
        ..EntraOptions::default()
    };
    Options { entra, ..options }
}

/// The origin of east's plane, which is also where tokens are given.
pub(crate) fn origin(world: &World) -> String {
    format!("https://{}", world.east.running.management_addr.unwrap())
}

/// The secret of east's plane.
pub(crate) fn secret(world: &World) -> String {
    let origin = origin(world);
    format!(
        "ResourceId={RESOURCE};Authentication=ClientSecret;TenantId=tenant;ClientId=fence;\
         ClientSecret={CLIENT_SECRET};AuthorityHost={origin};ManagementHost={origin}"
    )
}

/// East's connection with this secret for its plane.
pub(crate) fn connection_with(world: &World, secret: &str) -> pb::Connection {
    let file = world.files.path().join("plane.secret");
    std::fs::write(&file, secret).unwrap();
    pb::Connection {
        name: "fleets/acme/hubs/east/connection".into(),
        management_ref: format!("file:{}", file.display()),
        ..world.secrets("east", &world.east.running)
    }
}

pub(crate) fn connection(world: &World) -> pb::Connection {
    connection_with(world, &secret(world))
}

pub(crate) async fn connect(world: &World) {
    world.update_connection(connection(world)).await.unwrap();
}

/// A way to east's plane past the service.
pub(crate) fn direct(world: &World) -> AzureManagement {
    let connection: ManagementConnection = secret(world).parse().unwrap();
    let settings = ManagementSettings {
        ca_pem: Some(world.east.running.ca_pem.clone()),
        poll_interval: Duration::from_millis(20),
        ..ManagementSettings::new(&connection)
    };
    AzureManagement::new(settings).unwrap()
}

/// A request to shut east out.
pub(crate) fn shutting(epoch: i64) -> pb::FenceHubRequest {
    pb::FenceHubRequest {
        fleet: "fleets/acme".into(),
        hub: "east".into(),
        epoch: u64::try_from(epoch).unwrap(),
        request_id: Uuid::new_v4().to_string(),
        ..pb::FenceHubRequest::default()
    }
}

pub(crate) async fn shut(
    world: &World,
    request: &pb::FenceHubRequest,
) -> Result<pb::FenceStatus, Status> {
    let answer = world.fences.clone().fence_hub(request.clone()).await?;
    Ok(answer.into_inner())
}

pub(crate) async fn lift(world: &World) -> pb::FenceStatus {
    let request = pb::UnfenceHubRequest {
        fleet: "fleets/acme".into(),
        hub: "east".into(),
        request_id: Uuid::new_v4().to_string(),
    };
    let answer = world.fences.clone().unfence_hub(request).await.unwrap();
    answer.into_inner()
}

pub(crate) async fn fence(world: &World) -> pb::FenceStatus {
    let request = pb::GetFenceRequest {
        fleet: "fleets/acme".into(),
        hub: "east".into(),
    };
    let answer = world.fences.clone().get_fence(request).await.unwrap();
    answer.into_inner()
}

/// How the fence stands when it stands so.
pub(crate) async fn until(world: &World, state: FenceState) -> pb::FenceStatus {
    let stands = || async { fence(world).await.state() == state };
    let there = eventually(PATIENCE, stands).await;
    let status = fence(world).await;
    assert!(there, "{status:?}");
    status
}

/// How the fence stands when nobody works on it.
pub(crate) async fn until_idle(world: &World) -> pb::FenceStatus {
    let rests = || async { fence(world).await.task.is_empty() };
    let there = eventually(PATIENCE, rests).await;
    let status = fence(world).await;
    assert!(there, "{status:?}");
    status
}

/// How the fence is recorded, and how many orders were given.
pub(crate) async fn orders(world: &World) -> (String, i64) {
    sqlx::query_as("select state, order_number from registry.fence where hub_id = 'east'")
        .fetch_one(&world.admin)
        .await
        .unwrap()
}

/// Whether nobody may take over at east.
pub(crate) async fn is_fenced(world: &World) -> bool {
    sqlx::query_scalar("select authority.is_fenced('acme', 'east')")
        .fetch_one(&world.admin)
        .await
        .unwrap()
}

/// Sends a message to east as a device; the status.
pub(crate) async fn send_event(world: &World, id: &str, key: &Secret) -> u16 {
    let hub = &world.east.running;
    let expiry = OffsetDateTime::now_utc() + Duration::from_secs(60);
    let token = sas::token(&sas::device_resource(&hub.host, id), key, None, expiry).unwrap();
    let http = Client::builder()
        .add_root_certificate(Certificate::from_pem(hub.ca_pem.as_bytes()).unwrap())
        .no_proxy()
        .build()
        .unwrap();
    let url = format!(
        "https://{}/devices/{id}/messages/events?api-version=2021-04-12",
        hub.host
    );
    let request = http.post(url).header("authorization", token.expose());
    let answer = request.body("hello").send().await.unwrap();
    answer.status().as_u16()
}
