//! Devices through the authority: once per request, at the hub that reigns, keys shown to nobody.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests fail as tests do"
)]

mod common;
mod lossy;

use std::io::Write;
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use common::hubs::{Come, device};
use common::{PATIENCE, WEST_REIGNS, World};
use hubshift_api::fault::reason;
use hubshift_api::json::{from_struct, to_struct};
use hubshift_api::pb::registry as pb;
use hubshift_emulator::OutageMode;
use hubshift_hub::{AzureHub, AzureSettings, Credentials, Hub as _, HubDevice};
use hubshift_testkit::eventually;
use lossy::Lossy;
use serde_json::json;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use tracing_subscriber::fmt::MakeWriter;
use uuid::Uuid;

fn creation(id: &str) -> pb::CreateDeviceRequest {
    pb::CreateDeviceRequest {
        parent: "fleets/acme".into(),
        device_id: id.into(),
        request_id: Uuid::new_v4().to_string(),
        ..Default::default()
    }
}

fn tagged(id: &str) -> pb::CreateDeviceRequest {
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

fn disabling(id: &str, etag: &str) -> pb::UpdateDeviceRequest {
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

fn deletion(id: &str, etag: &str) -> pb::DeleteDeviceRequest {
    pb::DeleteDeviceRequest {
        name: format!("fleets/acme/devices/{id}"),
        etag: etag.into(),
        revoked: false,
        request_id: Uuid::new_v4().to_string(),
    }
}

async fn create(world: &World, request: &pb::CreateDeviceRequest) -> Result<pb::Device, Status> {
    let answer = world.devices.clone().create_device(request.clone()).await?;
    Ok(answer.into_inner())
}

/// Repeats a request as a client does: while it is told that it may.
async fn create_in_the_end(world: &World, request: &pb::CreateDeviceRequest) -> pb::Device {
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

async fn update(world: &World, request: &pb::UpdateDeviceRequest) -> Result<pb::Device, Status> {
    let answer = world.devices.clone().update_device(request.clone()).await?;
    Ok(answer.into_inner())
}

async fn delete(world: &World, request: &pb::DeleteDeviceRequest) -> Result<(), Status> {
    world
        .devices
        .clone()
        .delete_device(request.clone())
        .await
        .map(|_| ())
}

async fn get(world: &World, id: &str) -> Result<pb::Device, Status> {
    let name = format!("fleets/acme/devices/{id}");
    let answer = world
        .devices
        .clone()
        .get_device(pb::GetDeviceRequest { name })
        .await?;
    Ok(answer.into_inner())
}

async fn credentials(world: &World, id: &str) -> pb::DeviceCredentials {
    let name = format!("fleets/acme/devices/{id}");
    let request = pb::GetDeviceCredentialsRequest { name };
    let answer = world.devices.clone().get_device_credentials(request).await;
    answer.unwrap().into_inner()
}

/// Both keys as the hub has them.
fn keys(found: &HubDevice) -> (String, String) {
    match &found.identity.credentials {
        Credentials::Sas { primary, secondary } => {
            (primary.expose().to_owned(), secondary.expose().to_owned())
        }
        other => panic!("not a SAS device: {other:?}"),
    }
}

/// A world whose east hub is behind a line that can lose answers; a call to it takes a second at
/// most.
async fn lossy_world() -> (World, Lossy) {
    let world = World::start().await;
    let lossy = Lossy::start().await;
    set_deadline(&world, 1500).await;
    world.connect("east", &lossy.hub).await.unwrap();
    (world, lossy)
}

async fn set_deadline(world: &World, millis: i64) {
    sqlx::query("update authority.hub set call_deadline_ms = $1 where fleet_id = 'acme'")
        .bind(millis)
        .execute(&world.admin)
        .await
        .unwrap();
}

async fn set_mode(world: &World, mode: &str, frozen_seconds: f64) {
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
async fn held(lossy: &Lossy, id: &str) -> Option<HubDevice> {
    let settings = AzureSettings {
        ca_pem: Some(lossy.hub.ca_pem.clone()),
        call_deadline: Duration::from_secs(10),
        ..AzureSettings::new(&lossy.hub.connection_string())
    };
    let hub = AzureHub::new(settings).unwrap();
    hub.get(id).await.into_result().unwrap()
}

async fn journal_rows(world: &World) -> Vec<(String, i64, String, i64)> {
    sqlx::query_as("select hub_id, epoch, state, sequence from registry.journal order by sequence")
        .fetch_all(&world.admin)
        .await
        .unwrap()
}

#[tokio::test]
async fn a_creation_whose_answer_is_lost_happens_once() {
    let (world, lossy) = lossy_world().await;
    let request = creation("once");
    lossy.lose_answers_from_next("put_device");
    let lost = create(&world, &request).await.unwrap_err();
    assert_eq!(lost.code(), Code::Unavailable);
    assert_eq!(reason(&lost), "OUTCOME_UNKNOWN");
    lossy.heal();
    let first = held(&lossy, "once").await.expect("the hub did it");
    let made = create_in_the_end(&world, &request).await;
    let again = create(&world, &request).await.unwrap();
    let last = held(&lossy, "once").await.unwrap();
    assert_eq!(last.generation_id, first.generation_id);
    assert_eq!(keys(&last), keys(&first));
    assert_eq!(lossy.hub.requests("put_device"), 1);
    assert_eq!(again, made, "a request has one answer");
    assert_eq!(journal_rows(&world).await.len(), 1);
    world.stop().await;
}

#[tokio::test]
async fn a_device_that_was_made_in_part_is_completed_with_its_own_keys() {
    let (world, lossy) = lossy_world().await;
    let request = tagged("half");
    lossy.lose_answers_from_next("put_device");
    let lost = create(&world, &request).await.unwrap_err();
    assert_eq!(reason(&lost), "OUTCOME_UNKNOWN");
    lossy.heal();
    let half = held(&lossy, "half").await.expect("the hub made it");
    assert!(half.tags.is_empty(), "its twin was not written yet");
    let made = create_in_the_end(&world, &request).await;
    let whole = held(&lossy, "half").await.unwrap();
    assert_eq!(whole.generation_id, half.generation_id);
    assert_eq!(keys(&whole), keys(&half));
    assert_eq!(whole.tags, from_struct(&made.tags.unwrap()));
    assert_eq!(whole.tags.len(), 2);
    world.stop().await;
}

#[tokio::test]
async fn a_deletion_whose_answer_is_lost_is_found_out_though_nobody_asks_again() {
    let (world, lossy) = lossy_world().await;
    create(&world, &creation("gone")).await.unwrap();
    lossy.lose_answers_from_next("delete_device");
    let lost = delete(&world, &deletion("gone", "")).await.unwrap_err();
    assert_eq!(reason(&lost), "OUTCOME_UNKNOWN");
    // Whatever becomes of its tombstone meanwhile: what happened is written down again.
    sqlx::query("delete from registry.tombstone where device_id = 'gone'")
        .execute(&world.admin)
        .await
        .unwrap();
    lossy.heal();
    let settled = eventually(PATIENCE, || async {
        journal_rows(&world).await.iter().all(|row| row.2 == "done")
    })
    .await;
    assert!(settled, "{:?}", journal_rows(&world).await);
    let graves = world.tombstones("gone").await;
    assert_eq!(graves.len(), 1, "{graves:?}");
    assert!(graves[0].2.contains(&"east".to_owned()), "{graves:?}");
    world.stop().await;
}

#[tokio::test]
async fn a_deletion_that_happened_outlives_an_older_one_that_never_landed() {
    let world = World::start().await;
    create(&world, &creation("stolen")).await.unwrap();
    world.pass(true).await;
    world.east.running.set_outage(OutageMode::Refuse);
    let older = world.leave_deletion_open("stolen", Duration::ZERO).await;
    world.fail_over().await;
    set_mode(&world, "open", 0.0).await;
    let revoking = pb::DeleteDeviceRequest {
        revoked: true,
        ..deletion("stolen", "")
    };
    delete(&world, &revoking).await.unwrap();
    world.east.running.set_outage(OutageMode::None);
    let settled = eventually(PATIENCE, || async {
        let rows = journal_rows(&world).await;
        let mut settled = rows.iter().filter(|row| row.2 == "rejected");
        settled.any(|row| row.3 == older)
    })
    .await;
    assert!(settled, "{:?}", journal_rows(&world).await);
    assert!(world.east.get("stolen").await.is_some(), "a merge decides");
    let expected = ("revoked", "west", vec!["west"]);
    let graves = world.tombstones("stolen").await;
    let graves: Vec<_> = graves
        .iter()
        .map(|(reason, origin, acked)| {
            let acked: Vec<&str> = acked.iter().map(String::as_str).collect();
            (reason.as_str(), origin.as_str(), acked)
        })
        .collect();
    assert_eq!(graves, [expected]);
    world.stop().await;
}

#[tokio::test]
async fn a_silent_hub_is_said_so_and_the_same_request_goes_through_later() {
    let world = World::start().await;
    set_deadline(&world, 1500).await;
    let request = creation("late");
    world.east.running.set_outage(OutageMode::Hang);
    let refused = create(&world, &request).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    assert_eq!(reason(&refused), "HUB_UNREACHABLE");
    world.east.running.set_outage(OutageMode::None);
    let made = create_in_the_end(&world, &request).await;
    assert_eq!(made.incarnation, 1);
    world.stop().await;
}

#[tokio::test]
async fn a_request_that_the_lost_hub_did_is_done_once_more_at_the_new_one_as_the_same() {
    let (world, lossy) = lossy_world().await;
    let request = creation("moved");
    lossy.lose_answers_from_next("put_device");
    let lost = create(&world, &request).await.unwrap_err();
    assert_eq!(reason(&lost), "OUTCOME_UNKNOWN");
    let before = journal_rows(&world).await;
    world.fail_over().await;
    let settling = create(&world, &request).await.unwrap_err();
    assert_eq!(reason(&settling), "REGISTRY_SETTLING");
    set_mode(&world, "open", 0.0).await;
    let made = create_in_the_end(&world, &request).await;
    assert_eq!(made.epoch, u64::try_from(WEST_REIGNS).unwrap());
    let after = journal_rows(&world).await;
    assert_eq!(after.len(), 1);
    assert_eq!(after[0].3, before[0].3, "the sequence stays");
    assert_eq!(
        (after[0].0.as_str(), after[0].1, after[0].2.as_str()),
        ("west", WEST_REIGNS, "done")
    );
    lossy.heal();
    let (east, west) = (held(&lossy, "moved").await, world.west.get("moved").await);
    assert_eq!(
        keys(&east.unwrap()),
        keys(&west.unwrap()),
        "one device, one pair of keys"
    );
    world.stop().await;
}

#[tokio::test]
async fn what_the_lost_hub_is_found_to_have_done_is_no_answer_at_the_new_one() {
    let (world, lossy) = lossy_world().await;
    let request = creation("moved");
    lossy.lose_answers_from_next("put_device");
    let lost = create(&world, &request).await.unwrap_err();
    assert_eq!(reason(&lost), "OUTCOME_UNKNOWN");
    world.fail_over().await;
    world.open_registry().await;
    lossy.heal();
    let settled = eventually(PATIENCE, || async {
        journal_rows(&world).await[0].2 == "done"
    })
    .await;
    assert!(settled, "{:?}", journal_rows(&world).await);
    assert!(world.west.get("moved").await.is_none());
    let made = create_in_the_end(&world, &request).await;
    assert_eq!(made.epoch, u64::try_from(WEST_REIGNS).unwrap());
    assert_eq!(create(&world, &request).await.unwrap(), made);
    let (east, west) = (held(&lossy, "moved").await, world.west.get("moved").await);
    assert_eq!(keys(&east.unwrap()), keys(&west.unwrap()));
    assert_eq!(journal_rows(&world).await.len(), 1);
    world.stop().await;
}

#[tokio::test]
async fn a_device_that_an_empty_hub_does_not_have_was_not_deleted_there() {
    let mut world = World::start().await;
    world.east.create_many(3).await;
    world.pass(true).await;
    world.fail_over().await;
    world.open_registry().await;
    world.east = world.east.come_back(Come::Empty).await;
    world.leave_deletion_open("d-001", Duration::ZERO).await;
    world.connect("east", &world.east.running).await.unwrap();
    let asked = eventually(PATIENCE, || async {
        world.east.running.requests("get_device") >= 2
    })
    .await;
    assert!(asked);
    let rows = journal_rows(&world).await;
    assert_eq!(rows[0].2, "unknown", "{rows:?}");
    let graves = world.tombstones("d-001").await;
    assert!(graves[0].2.is_empty(), "{graves:?}");
    world.stop().await;
}

#[tokio::test]
async fn what_the_lost_hub_did_is_not_denied_because_the_new_one_refuses() {
    let (world, lossy) = lossy_world().await;
    create(&world, &creation("d-1")).await.unwrap();
    world.pass(true).await;
    let read = get(&world, "d-1").await.unwrap();
    let request = deletion("d-1", &read.etag);
    lossy.lose_answers_from_next("delete_device");
    let lost = delete(&world, &request).await.unwrap_err();
    assert_eq!(reason(&lost), "OUTCOME_UNKNOWN");
    world.fail_over().await;
    set_mode(&world, "open", 0.0).await;
    // An etag of east's is nothing at west.
    let refused = delete(&world, &request).await.unwrap_err();
    assert_eq!(reason(&refused), "ETAG_MISMATCH");
    let state_of_deletion = || async { journal_rows(&world).await.pop().unwrap().2 };
    let open = state_of_deletion().await;
    assert!(open == "intent" || open == "unknown", "{open}");
    let tombstones = || async {
        let sql = "select count(*) from registry.tombstone where device_id = 'd-1'";
        let count: i64 = sqlx::query_scalar(sql)
            .fetch_one(&world.admin)
            .await
            .unwrap();
        count
    };
    assert_eq!(tombstones().await, 1, "it may be dead at east");
    lossy.heal();
    let known = eventually(PATIENCE, || async { state_of_deletion().await == "done" }).await;
    assert!(known, "east says that it is gone");
    assert_eq!(tombstones().await, 1);
    assert!(world.west.get("d-1").await.is_some(), "a merge decides");
    world.stop().await;
}

#[tokio::test]
async fn a_closed_registry_refuses_and_says_why_and_until_when() {
    let world = World::start().await;
    set_mode(&world, "frozen", 3600.0).await;
    let frozen = create(&world, &creation("x")).await.unwrap_err();
    assert_eq!(frozen.code(), Code::FailedPrecondition);
    assert_eq!(reason(&frozen), "REGISTRY_FROZEN");
    assert!(frozen.get_details_retry_info().is_some());
    set_mode(&world, "settling", 0.0).await;
    let settling = delete(&world, &deletion("x", "")).await.unwrap_err();
    assert_eq!(reason(&settling), "REGISTRY_SETTLING");
    // A freeze that ran out thaws by itself.
    set_mode(&world, "frozen", -1.0).await;
    create(&world, &creation("x")).await.unwrap();
    assert_eq!(journal_rows(&world).await.len(), 1, "refusals leave no row");
    world.stop().await;
}

#[tokio::test]
async fn a_change_and_a_deletion_need_the_etag_that_was_read() {
    let world = World::start().await;
    let made = create(&world, &tagged("d-1")).await.unwrap();
    let changed = update(&world, &disabling("d-1", &made.etag)).await.unwrap();
    assert_eq!(
        (changed.enabled, changed.status_reason.as_str()),
        (Some(false), "lost")
    );
    assert_eq!(changed.tags, made.tags, "what is not named stays");
    assert_ne!(changed.etag, made.etag);
    for stale in [
        update(&world, &disabling("d-1", &made.etag))
            .await
            .unwrap_err(),
        delete(&world, &deletion("d-1", &made.etag))
            .await
            .unwrap_err(),
    ] {
        assert_eq!(stale.code(), Code::Aborted);
        assert_eq!(reason(&stale), "ETAG_MISMATCH");
    }
    // Somebody changes it at the hub itself: the etag moves, and a read shows it.
    world
        .east
        .change("d-1", |device| device.identity.enabled = true)
        .await;
    let read = get(&world, "d-1").await.unwrap();
    assert_eq!(read.enabled, Some(true));
    assert_ne!(read.etag, changed.etag);
    let request = deletion("d-1", &read.etag);
    delete(&world, &request).await.unwrap();
    delete(&world, &request).await.unwrap();
    assert!(world.east.get("d-1").await.is_none());
    let missing = get(&world, "d-1").await.unwrap_err();
    assert_eq!(missing.code(), Code::NotFound);
    assert_eq!(reason(&missing), "DEVICE_NOT_FOUND");
    world.stop().await;
}

#[tokio::test]
async fn the_journal_keeps_what_the_hub_shows_and_not_what_was_asked_for() {
    let world = World::start().await;
    let desired = json!({"gone": null, "rate": 1});
    let request = pb::CreateDeviceRequest {
        device: Some(pb::Device {
            desired: Some(to_struct(desired.as_object().unwrap())),
            ..Default::default()
        }),
        ..creation("d-1")
    };
    create(&world, &request).await.unwrap();
    let (journaled, observed, desired): (Vec<u8>, Vec<u8>, serde_json::Value) = sqlx::query_as(
        "select j.fingerprint, o.fingerprint, j.record -> 'desired'
           from registry.journal j
           join registry.observed o using (fleet_id, hub_id, device_id)",
    )
    .fetch_one(&world.admin)
    .await
    .unwrap();
    assert_eq!(journaled, observed);
    assert_eq!(desired.as_object().unwrap().len(), 1, "{desired}");
    world.stop().await;
}

#[tokio::test]
async fn the_next_device_of_the_same_id_is_a_later_life() {
    let world = World::start().await;
    let first = create(&world, &creation("again")).await.unwrap();
    delete(&world, &deletion("again", "")).await.unwrap();
    let second = create(&world, &creation("again")).await.unwrap();
    assert_eq!((first.incarnation, second.incarnation), (1, 2));
    assert!(second.sequence > first.sequence);
    world.stop().await;
}

#[tokio::test]
async fn what_can_not_be_is_refused_by_name() {
    let world = World::start().await;
    let made = creation("taken");
    create(&world, &made).await.unwrap();
    let exists = create(&world, &creation("taken")).await.unwrap_err();
    assert_eq!(reason(&exists), "DEVICE_EXISTS");
    let other_body = pb::CreateDeviceRequest {
        request_id: made.request_id.clone(),
        ..tagged("taken")
    };
    let reused = create(&world, &other_body).await.unwrap_err();
    assert_eq!(reused.code(), Code::AlreadyExists);
    assert_eq!(reason(&reused), "REQUEST_ID_REUSED");
    let other_method = pb::DeleteDeviceRequest {
        request_id: made.request_id.clone(),
        ..deletion("taken", "")
    };
    let reused = delete(&world, &other_method).await.unwrap_err();
    assert_eq!(reason(&reused), "REQUEST_ID_REUSED");
    let missing = update(&world, &disabling("nobody", "")).await.unwrap_err();
    assert_eq!(reason(&missing), "DEVICE_NOT_FOUND");
    let elsewhere = pb::CreateDeviceRequest {
        parent: "fleets/nobody".into(),
        ..creation("x")
    };
    let missing = create(&world, &elsewhere).await.unwrap_err();
    assert_eq!(reason(&missing), "FLEET_NOT_FOUND");
    world.stop().await;
}

#[tokio::test]
async fn keys_are_where_they_belong_and_nowhere_else() {
    let log = capture_logs();
    let world = World::start().await;
    let made = create(&world, &tagged("secret")).await.unwrap();
    let at_hub = keys(&world.east.get("secret").await.unwrap());
    let shown = credentials(&world, "secret").await;
    assert_eq!((shown.primary_key.clone(), shown.secondary_key), at_hub);
    let given = pb::DeviceCredentials {
        primary_key: at_hub.1.clone(),
        secondary_key: at_hub.0.clone(),
        ..Default::default()
    };
    let rotation = pb::UpdateDeviceRequest {
        credentials: Some(given),
        ..disabling("secret", "")
    };
    let rotated = update(&world, &rotation).await.unwrap();
    assert_eq!(credentials(&world, "secret").await.primary_key, at_hub.1);
    let request = pb::ListDevicesRequest {
        parent: "fleets/acme".into(),
        ..Default::default()
    };
    let listed = world.devices.clone().list_devices(request).await.unwrap();
    let read = get(&world, "secret").await.unwrap();
    let said = format!("{made:?}{rotated:?}{listed:?}{read:?}");
    let logged = String::from_utf8_lossy(&log.lock().unwrap()).into_owned();
    for key in [&at_hub.0, &at_hub.1] {
        assert!(!said.contains(key.as_str()), "an answer shows a key");
        assert!(!logged.contains(key.as_str()), "the log shows a key");
    }
    assert!(
        logged.contains("credentials of a device were asked for"),
        "it is audited"
    );
    world.stop().await;
}

#[tokio::test]
async fn devices_are_listed_page_by_page_as_the_hub_was_last_seen() {
    let world = World::start().await;
    for id in ["b", "a", "c"] {
        create(&world, &creation(id)).await.unwrap();
    }
    let mut ids = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = pb::ListDevicesRequest {
            parent: "fleets/acme".into(),
            page_size: 2,
            page_token,
        };
        let page = world
            .devices
            .clone()
            .list_devices(request)
            .await
            .unwrap()
            .into_inner();
        assert!(page.devices.len() <= 2);
        ids.extend(page.devices.into_iter().map(|device| device.name));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    let expected = ["a", "b", "c"].map(|id| format!("fleets/acme/devices/{id}"));
    assert_eq!(ids, expected);
    // A device that nobody told us of is found as soon as it is asked for.
    world
        .east
        .create(&device("direct", common::hubs::sas()))
        .await;
    assert_eq!(get(&world, "direct").await.unwrap().sequence, 0);
    // And is shown as it was last seen while the hub is silent.
    set_deadline(&world, 1500).await;
    world.east.running.set_outage(OutageMode::Hang);
    let last = get(&world, "direct").await.unwrap();
    assert_eq!(last.enabled, Some(true));
    world.east.running.set_outage(OutageMode::None);
    world.stop().await;
}

/// All that this process logs from now on.
fn capture_logs() -> &'static Mutex<Vec<u8>> {
    static LOG: OnceLock<Mutex<Vec<u8>>> = OnceLock::new();
    let log = LOG.get_or_init(Mutex::default);
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_writer(Lines(log))
        .finish();
    // Another test of this process may have been faster; its log is this one.
    let _ = tracing::subscriber::set_global_default(subscriber);
    log
}

#[derive(Clone, Copy)]
struct Lines(&'static Mutex<Vec<u8>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        *self
    }
}
