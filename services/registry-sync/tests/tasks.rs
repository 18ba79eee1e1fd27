//! Tasks and connections as callers see them: repeated, refused, listed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests fail as tests do"
)]

mod common;

use common::hubs::Hub;
use common::{PATIENCE, World, step};
use hubshift_api::fault::reason;
use hubshift_api::pb::registry as pb;
use hubshift_testkit::eventually;
use tonic::Code;
use uuid::Uuid;

fn start_pass(request_id: Uuid, full: bool) -> pb::StartPassRequest {
    pb::StartPassRequest {
        fleet: "fleets/acme".into(),
        target_hub: "west".into(),
        full,
        request_id: request_id.to_string(),
        ..pb::StartPassRequest::default()
    }
}

#[tokio::test]
async fn a_repeated_start_is_the_same_task_and_another_body_is_refused() {
    let world = World::start().await;
    let id = Uuid::new_v4();
    let mut client = world.replication.clone();
    let first = client
        .start_pass(start_pass(id, true))
        .await
        .unwrap()
        .into_inner();
    let mut again = start_pass(id, true);
    again.context = Some(step(2, common::EAST_REIGNS));
    let again = client.start_pass(again).await.unwrap().into_inner();
    assert_eq!(first.name, again.name);
    let other = client.start_pass(start_pass(id, false)).await.unwrap_err();
    assert_eq!(
        (other.code(), reason(&other).as_str()),
        (Code::AlreadyExists, "REQUEST_ID_REUSED")
    );
    let scan = pb::StartScanRequest {
        fleet: "fleets/acme".into(),
        hub: "east".into(),
        request_id: id.to_string(),
        detect_rewind: false,
    };
    let other = client.start_scan(scan).await.unwrap_err();
    assert_eq!(reason(&other), "REQUEST_ID_REUSED");
    world.finished(first).await;
    world.stop().await;
}

#[tokio::test]
async fn an_overtaken_executor_can_start_nothing() {
    let world = World::start().await;
    let mut client = world.replication.clone();
    let drain = |lease_gen| pb::StartDrainRequest {
        fleet: "fleets/acme".into(),
        target_hub: "west".into(),
        request_id: Uuid::new_v4().to_string(),
        context: Some(step(lease_gen, common::EAST_REIGNS)),
    };
    let task = client.start_drain(drain(5)).await.unwrap().into_inner();
    let refused = client.start_drain(drain(4)).await.unwrap_err();
    assert_eq!(
        (refused.code(), reason(&refused).as_str()),
        (Code::Aborted, "STALE_FENCE")
    );
    world.finished(task).await;
    world.stop().await;
}

#[tokio::test]
async fn tasks_are_listed_newest_first_by_pages() {
    let world = World::start().await;
    let mut names = Vec::new();
    for _ in 0..3 {
        names.push(world.run_pass(false).await.name);
    }
    names.reverse();
    let mut client = world.replication.clone();
    let mut list = pb::ListTasksRequest {
        parent: "fleets/acme".into(),
        page_size: 2,
        page_token: String::new(),
    };
    let first = client.list_tasks(list.clone()).await.unwrap().into_inner();
    list.page_token = first.next_page_token;
    let second = client.list_tasks(list).await.unwrap().into_inner();
    assert!(second.next_page_token.is_empty());
    let found: Vec<String> = first
        .tasks
        .into_iter()
        .chain(second.tasks)
        .map(|task| task.name)
        .collect();
    assert_eq!(found, names);
    world.stop().await;
}

#[tokio::test]
async fn what_is_not_there_is_said_by_name() {
    let world = World::start().await;
    let mut client = world.replication.clone();
    let mut pass = start_pass(Uuid::new_v4(), false);
    pass.fleet = "fleets/nobody".into();
    let refused = client.start_pass(pass).await.unwrap_err();
    assert_eq!(
        (refused.code(), reason(&refused).as_str()),
        (Code::NotFound, "FLEET_NOT_FOUND")
    );
    let mut pass = start_pass(Uuid::new_v4(), false);
    pass.target_hub = "north".into();
    assert_eq!(
        reason(&client.start_pass(pass).await.unwrap_err()),
        "HUB_NOT_FOUND"
    );
    let name = format!("fleets/acme/tasks/{}", Uuid::new_v4());
    let refused = client
        .get_task(pb::GetTaskRequest { name })
        .await
        .unwrap_err();
    assert_eq!(reason(&refused), "TASK_NOT_FOUND");
    let refused = client
        .start_pass(pb::StartPassRequest::default())
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    for field in ["fleet", "target_hub", "request_id"] {
        assert!(refused.message().contains(field), "{}", refused.message());
    }
    world.stop().await;
}

#[tokio::test]
async fn a_connection_that_does_not_work_is_refused_with_its_cause() {
    let world = World::start().await;
    let request = pb::GetConnectionRequest {
        name: "fleets/acme/hubs/east/connection".into(),
    };
    let good = world
        .connections
        .clone()
        .get_connection(request)
        .await
        .unwrap()
        .into_inner();
    assert!(good.contact_time.is_some() && good.last_error.is_empty());

    let inline = pb::Connection {
        secret_ref: world.east.running.connection_string().expose(),
        ..good.clone()
    };
    let refused = world.update_connection(inline).await.unwrap_err();
    assert_eq!(reason(&refused), "SECRET_UNREADABLE");
    assert!(
        !refused.message().contains("SharedAccessKey="),
        "{}",
        refused.message()
    );

    let untrusted = pb::Connection {
        ca_ref: String::new(),
        ..good.clone()
    };
    let refused = world.update_connection(untrusted).await.unwrap_err();
    assert_eq!(reason(&refused), "HUB_UNTRUSTED");

    let wrong = world.files.path().join("wrong.secret");
    let mut key = world.east.running.connection_string();
    key.key = hubshift_hub::Secret::generate().unwrap();
    std::fs::write(&wrong, key.expose()).unwrap();
    let wrong = pb::Connection {
        secret_ref: format!("file:{}", wrong.display()),
        ..good.clone()
    };
    let refused = world.update_connection(wrong).await.unwrap_err();
    assert_eq!(reason(&refused), "HUB_UNAUTHORIZED");

    world
        .east
        .running
        .set_outage(hubshift_emulator::OutageMode::Refuse);
    let refused = world.update_connection(good.clone()).await.unwrap_err();
    assert_eq!(
        (refused.code(), reason(&refused).as_str()),
        (Code::Unavailable, "HUB_UNREACHABLE")
    );
    world
        .east
        .running
        .set_outage(hubshift_emulator::OutageMode::None);

    let name = "fleets/acme/hubs/north/connection".into();
    let nowhere = pb::Connection { name, ..good };
    let refused = world.update_connection(nowhere).await.unwrap_err();
    assert_eq!(
        (refused.code(), reason(&refused).as_str()),
        (Code::NotFound, "HUB_NOT_FOUND")
    );
    world.stop().await;
}

#[tokio::test]
async fn a_connection_to_another_hub_than_the_fleets_own_is_refused() {
    let world = World::start().await;
    let stranger = Hub::start("stranger", world.files.path()).await;
    let name = "fleets/acme/hubs/west/connection".to_owned();
    let elsewhere = pb::Connection {
        name: name.clone(),
        ..world.secrets("stranger", &stranger.running)
    };
    let refused = world.update_connection(elsewhere).await.unwrap_err();
    assert_eq!(
        (refused.code(), reason(&refused).as_str()),
        (Code::FailedPrecondition, "HUB_HOST_MISMATCH")
    );
    let host = &world.west.running.host;
    assert!(refused.message().contains(host), "{refused}");
    assert_eq!(stranger.running.requests("device_statistics"), 0);

    // The secret becomes another hub's after the connection was taken.
    world.secrets("west", &stranger.running);
    sqlx::query("update authority.hub set call_deadline_ms = 5000 where hub_id = 'west'")
        .execute(&world.admin)
        .await
        .unwrap();
    let test = pb::TestConnectionRequest { name };
    let refused = world
        .connections
        .clone()
        .test_connection(test)
        .await
        .unwrap_err();
    assert_eq!(reason(&refused), "HUB_HOST_MISMATCH");
    world.stop().await;
}

#[tokio::test]
async fn a_hub_that_stops_answering_and_returns_is_noticed_without_a_pass() {
    let world = World::start().await;
    let reachable = |wanted: bool| {
        let world = &world;
        move || async move { world.status_of("west").await.reachable == wanted }
    };
    assert!(hubshift_testkit::eventually(common::PATIENCE, reachable(true)).await);
    world
        .west
        .running
        .set_outage(hubshift_emulator::OutageMode::Unavailable);
    let name = "fleets/acme/hubs/west/connection".to_owned();
    let refused = world
        .connections
        .clone()
        .test_connection(pb::TestConnectionRequest { name })
        .await
        .unwrap_err();
    assert_eq!(reason(&refused), "HUB_UNREACHABLE");
    assert!(hubshift_testkit::eventually(common::PATIENCE, reachable(false)).await);
    world
        .west
        .running
        .set_outage(hubshift_emulator::OutageMode::None);
    assert!(hubshift_testkit::eventually(common::PATIENCE, reachable(true)).await);
    world.stop().await;
}

#[tokio::test]
async fn nothing_starts_on_a_schema_that_is_too_new_and_all_goes_on_when_it_fits_again() {
    let world = World::start().await;
    world.east.create_many(2).await;
    sqlx::query(
        "insert into public._sqlx_migrations
             (version, description, success, checksum, execution_time)
         select max(version) + 2, 'from the future', true, ''::bytea, 0
           from public._sqlx_migrations",
    )
    .execute(&world.admin)
    .await
    .unwrap();
    let start = || async {
        let mut client = world.replication.clone();
        client.start_pass(start_pass(Uuid::new_v4(), true)).await
    };
    let is_refused = || async {
        let outcome = start().await;
        outcome.is_err_and(|status| reason(&status) == "SCHEMA_TOO_NEW")
    };
    assert!(eventually(PATIENCE, is_refused).await);
    sqlx::query("delete from public._sqlx_migrations where description = 'from the future'")
        .execute(&world.admin)
        .await
        .unwrap();
    let started = std::sync::Mutex::new(None);
    let is_started = || async {
        let outcome = start().await;
        *started.lock().unwrap() = outcome.ok();
        started.lock().unwrap().is_some()
    };
    assert!(eventually(PATIENCE, is_started).await);
    let task = started.into_inner().unwrap().unwrap().into_inner();
    assert!(world.finished(task).await.done, "the engine works again");
    world.stop().await;
}
