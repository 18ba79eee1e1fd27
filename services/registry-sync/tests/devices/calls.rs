//! Calls of the device service, and worlds whose answers can be lost.

use std::sync::Mutex;
use std::time::Duration;

use hubshift_api::json::to_struct;
use hubshift_api::pb::registry as pb;
use hubshift_hub::Hub as _;
use hubshift_hub::{AzureHub, AzureSettings, Credentials, HubDevice};
use hubshift_testkit::eventually;
use serde_json::json;
use tonic::{Code, Status};
use uuid::Uuid;

use crate::common::{PATIENCE, World};
use crate::lossy::Lossy;

pub(crate) fn creation(id: &str) -> pb::CreateDeviceRequest {
    pb::CreateDeviceRequest {
        parent: "fleets/acme".into(),
        device_id: id.into(),
        request_id: Uuid::new_v4().to_string(),
        ..Default::default()
    }
}

pub(crate) fn tagged(id: &str) -> pb::CreateDeviceRequest {
    let map = json!({"room": "4", "floor": {"level": 2}});
    let device = pb::Device {
        tags: Some(to_struct(map.as_object().unwrap())),
        desired: Some(to_struct(json!({"rate": 5}).as_object().unwrap())),
        ..Default::default()
    };
    pb::CreateDeviceRequest {
        device: Some(device),
        ..creation(id)
    }
}

pub(crate) fn disabling(id: &str, etag: &str) -> pb::UpdateDeviceRequest {
    pb::UpdateDeviceRequest {
        device: Some(pb::Device {
            name: format!("fleets/acme/devices/{id}"),
            enabled: Some(false),
            status_reason: "lost".into(),
            ..Default::default()
        }),
        etag: etag.into(),
        request_id: Uuid::new_v4().to_string(),
        ..Default::default()
    }
}

pub(crate) fn deletion(id: &str, etag: &str) -> pb::DeleteDeviceRequest {
    pb::DeleteDeviceRequest {
        name: format!("fleets/acme/devices/{id}"),
        etag: etag.into(),
        revoked: false,
        request_id: Uuid::new_v4().to_string(),
    }
}

pub(crate) async fn create(
    world: &World,
    request: &pb::CreateDeviceRequest,
) -> Result<pb::Device, Status> {
    let answer = world.devices.clone().create_device(request.clone()).await?;
    Ok(answer.into_inner())
}

/// Repeats a request as a client does: while it is told that it may.
pub(crate) async fn create_in_the_end(
    world: &World,
    request: &pb::CreateDeviceRequest,
) -> pb::Device {
    let made = Mutex::new(None);
    let seen = &made;
    let done = eventually(PATIENCE, || async move {
        match create(world, request).await {
            Ok(device) => *seen.lock().unwrap() = Some(device),
            Err(error) => assert_eq!(error.code(), Code::Unavailable, "{error:?}"),
        }
        seen.lock().unwrap().is_some()
    })
    .await;
    assert!(done, "never answered");
    made.into_inner().unwrap().unwrap()
}

pub(crate) async fn update(
    world: &World,
    request: &pb::UpdateDeviceRequest,
) -> Result<pb::Device, Status> {
    let answer = world.devices.clone().update_device(request.clone()).await?;
    Ok(answer.into_inner())
}

pub(crate) async fn delete(world: &World, request: &pb::DeleteDeviceRequest) -> Result<(), Status> {
    world
        .devices
        .clone()
        .delete_device(request.clone())
        .await
        .map(|_| ())
}

pub(crate) async fn get(world: &World, id: &str) -> Result<pb::Device, Status> {
    let name = format!("fleets/acme/devices/{id}");
    let answer = world
        .devices
        .clone()
        .get_device(pb::GetDeviceRequest { name })
        .await?;
    Ok(answer.into_inner())
}

pub(crate) async fn credentials(world: &World, id: &str) -> pb::DeviceCredentials {
    let name = format!("fleets/acme/devices/{id}");
    let request = pb::GetDeviceCredentialsRequest { name };
    let answer = world.devices.clone().get_device_credentials(request).await;
    answer.unwrap().into_inner()
}

/// Both keys as the hub has them.
pub(crate) fn keys(found: &HubDevice) -> (String, String) {
    match &found.identity.credentials {
        Credentials::Sas { primary, secondary } => {
            (primary.expose().to_owned(), secondary.expose().to_owned())
        }
        other => panic!("not a SAS device: {other:?}"),
    }
}

/// A world whose east hub is behind a line that can lose answers; a call to it takes a second at
/// most.
pub(crate) async fn lossy_world() -> (World, Lossy) {
    let world = World::start().await;
    let lossy = Lossy::start().await;
    set_deadline(&world, 1500).await;
    world.connect("east", &lossy.hub).await.unwrap();
    (world, lossy)
}

pub(crate) async fn set_deadline(world: &World, millis: i64) {
    sqlx::query("update authority.hub set call_deadline_ms = $1 where fleet_id = 'acme'")
        .bind(millis)
        .execute(&world.admin)
        .await
        .unwrap();
}

pub(crate) async fn set_mode(world: &World, mode: &str, frozen_seconds: f64) {
    sqlx::query(
        "update authority.fleet
            set registry_mode = $1, freeze_id = gen_random_uuid(),
                frozen_until = clock_timestamp() + make_interval(secs => $2)
          where fleet_id = 'acme'",
    )
    .bind(mode)
    .bind(frozen_seconds)
    .execute(&world.admin)
    .await
    .unwrap();
}

/// What the lossy hub holds, asked past the service.
pub(crate) async fn held(lossy: &Lossy, id: &str) -> Option<HubDevice> {
    let settings = AzureSettings {
        ca_pem: Some(lossy.hub.ca_pem.clone()),
        call_deadline: Duration::from_secs(10),
        ..AzureSettings::new(&lossy.hub.connection_string())
    };
    let hub = AzureHub::new(settings).unwrap();
    hub.get(id).await.into_result().unwrap()
}

pub(crate) async fn journal_rows(world: &World) -> Vec<(String, i64, String, i64)> {
    sqlx::query_as("select hub_id, epoch, state, sequence from registry.journal order by sequence")
        .fetch_all(&world.admin)
        .await
        .unwrap()
}
