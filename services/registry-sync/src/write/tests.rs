//! Writes against emulated hubs and a real database.

use hubshift_emulator::OutageMode;
use hubshift_testkit::eventually;
use serde_json::json;

use super::*;
use crate::testing::{EAST_REIGNS, World};

async fn outcomes(world: &World) -> Vec<Option<String>> {
    sqlx::query_scalar("select outcome from registry.intent order by start_time")
        .fetch_all(&world.admin)
        .await
        .unwrap()
}

fn applied(outcome: WriteOutcome) -> Observed {
    match outcome {
        WriteOutcome::Applied(Some(seen)) => seen,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_create_is_intended_done_and_remembered() {
    let world = World::new().await;
    let cx = world.writer("east", Purpose::Provision).await;
    let wanted = world.wanted("d-1").await;
    let seen = applied(write(&cx, WriteOp::Create(&wanted)).await.unwrap());
    assert_eq!(seen.record, wanted.record);
    assert_eq!(outcomes(&world).await, [Some("done".to_owned())]);
    let stored = store::observed::get(&world.deps.pool, "acme", "east", "d-1")
        .await
        .unwrap();
    assert_eq!(stored.unwrap().fingerprint, seen.fingerprint);
}

#[tokio::test]
async fn a_quarantined_hub_is_not_written_by_the_sync() {
    let world = World::new().await;
    world.set_state("west", "quarantined").await;
    let cx = world.writer("west", Purpose::Replicate).await;
    let wanted = world.wanted("d-1").await;
    let refused = write(&cx, WriteOp::Create(&wanted)).await;
    assert!(
        matches!(refused, Err(IntentError::HubState(_))),
        "{refused:?}"
    );
    assert_eq!(world.west.requests("put_device"), 0);
    assert!(outcomes(&world).await.is_empty());
}

#[tokio::test]
async fn an_intent_of_an_old_epoch_is_refused() {
    let world = World::new().await;
    let cx = world.writer("east", Purpose::Provision).await;
    world
        .set_epoch(Epoch(u64::try_from(EAST_REIGNS).unwrap() + 1))
        .await;
    let wanted = world.wanted("d-1").await;
    let refused = write(&cx, WriteOp::Create(&wanted)).await;
    assert!(
        matches!(refused, Err(IntentError::EpochMoved)),
        "{refused:?}"
    );
    assert_eq!(world.east.requests("put_device"), 0);
}

/// The authority's transaction came first: the intent waits for it and is then too late.
#[tokio::test]
async fn an_intent_that_races_the_epoch_does_not_commit() {
    let world = World::new().await;
    let cx = world.writer("east", Purpose::Provision).await;
    let wanted = world.wanted("d-1").await;
    let mut commit_epoch = world.admin.begin().await.unwrap();
    sqlx::query("update authority.fleet set epoch = epoch + 1 where fleet_id = 'acme'")
        .execute(&mut *commit_epoch)
        .await
        .unwrap();
    let racing = tokio::spawn(async move { write(&cx, WriteOp::Create(&wanted)).await });
    let admin = &world.admin;
    let is_waiting = || async move {
        let sql = "select exists (select from pg_stat_activity
                                   where datname = current_database()
                                     and wait_event_type = 'Lock')";
        sqlx::query_scalar::<_, bool>(sql)
            .fetch_one(admin)
            .await
            .unwrap()
    };
    assert!(eventually(Duration::from_secs(10), is_waiting).await);
    commit_epoch.commit().await.unwrap();
    let refused = racing.await.unwrap();
    assert!(
        matches!(refused, Err(IntentError::EpochMoved)),
        "{refused:?}"
    );
    assert!(outcomes(&world).await.is_empty());
}

#[tokio::test]
async fn an_update_writes_only_what_differs() {
    let world = World::new().await;
    let cx = world.writer("east", Purpose::Provision).await;
    let mut wanted = world.wanted("d-1").await;
    let seen = applied(write(&cx, WriteOp::Create(&wanted)).await.unwrap());
    wanted.record.tags.insert("site".into(), json!("y"));
    let changed = applied(
        write(
            &cx,
            WriteOp::Update {
                to: &wanted,
                seen: &seen,
            },
        )
        .await
        .unwrap(),
    );
    assert_eq!(changed.identity_etag, seen.identity_etag);
    assert_ne!(changed.twin_etag, seen.twin_etag);
    let again = write(
        &cx,
        WriteOp::Update {
            to: &wanted,
            seen: &changed,
        },
    )
    .await
    .unwrap();
    assert!(matches!(again, WriteOutcome::Already(Some(_))), "{again:?}");
    assert_eq!(outcomes(&world).await.len(), 2);
}

#[tokio::test]
async fn a_device_that_changed_since_it_was_seen_is_left_alone_and_looked_at() {
    let world = World::new().await;
    let cx = world.writer("east", Purpose::Provision).await;
    let mut wanted = world.wanted("d-1").await;
    let seen = applied(write(&cx, WriteOp::Create(&wanted)).await.unwrap());
    wanted.record.enabled = false;
    let newer = applied(
        write(
            &cx,
            WriteOp::Update {
                to: &wanted,
                seen: &seen,
            },
        )
        .await
        .unwrap(),
    );
    wanted.record.status_reason = Some("late".into());
    let stale = write(
        &cx,
        WriteOp::Update {
            to: &wanted,
            seen: &seen,
        },
    )
    .await
    .unwrap();
    assert!(matches!(stale, WriteOutcome::Stale), "{stale:?}");
    let stored = store::observed::get(&world.deps.pool, "acme", "east", "d-1")
        .await
        .unwrap();
    assert_eq!(stored.unwrap().identity_etag, newer.identity_etag);
    let gone = write(
        &cx,
        WriteOp::Delete {
            device_id: "d-1",
            seen: &newer,
        },
    )
    .await
    .unwrap();
    assert!(matches!(gone, WriteOutcome::Applied(None)), "{gone:?}");
    let again = write(
        &cx,
        WriteOp::Delete {
            device_id: "d-1",
            seen: &newer,
        },
    )
    .await
    .unwrap();
    assert!(matches!(again, WriteOutcome::Already(None)), "{again:?}");
}

/// Else they would live on in what is known of the hub, and be copied to a later life of the device.
#[tokio::test]
async fn modules_go_with_their_device() {
    let world = World::new().await;
    let cx = world.writer("east", Purpose::Provision).await;
    let (device, module) = (world.wanted("d-1").await, world.wanted("d-1/m").await);
    let seen = applied(write(&cx, WriteOp::Create(&device)).await.unwrap());
    applied(write(&cx, WriteOp::Create(&module)).await.unwrap());
    let stored = || store::observed::get(&world.deps.pool, "acme", "east", "d-1/m");
    assert!(stored().await.unwrap().is_some());
    let delete = WriteOp::Delete {
        device_id: "d-1",
        seen: &seen,
    };
    let gone = write(&cx, delete).await.unwrap();
    assert!(matches!(gone, WriteOutcome::Applied(None)), "{gone:?}");
    assert!(stored().await.unwrap().is_none());
}

#[tokio::test]
async fn a_call_without_an_answer_is_unknown_and_decided_after_its_deadline() {
    let world = World::with_deadline(Duration::from_secs(2)).await;
    let cx = world.writer("east", Purpose::Provision).await;
    let wanted = world.wanted("d-1").await;
    world.east.set_outage(OutageMode::Hang);
    let unknown = write(&cx, WriteOp::Create(&wanted)).await.unwrap();
    assert!(matches!(unknown, WriteOutcome::Unknown(_)), "{unknown:?}");
    assert_eq!(outcomes(&world).await, [Some("unknown".to_owned())]);
    world.east.set_outage(OutageMode::None);
    let (deps, fleet, hub) = (&world.deps, &world.fleet, &cx.hub_id);
    let settled = || async move {
        crate::intent::settle(deps, fleet, hub, None)
            .await
            .is_ok_and(|done| done.wait.is_none())
    };
    assert!(eventually(Duration::from_secs(20), settled).await);
    assert_eq!(outcomes(&world).await, [Some("rejected".to_owned())]);
}

/// Deleted and made again past us, it has the twin's etag that was seen.
#[tokio::test]
async fn a_device_that_was_made_again_does_not_become_the_life_that_was_seen() {
    let world = World::new().await;
    let cx = world.writer("east", Purpose::Provision).await;
    let mut wanted = world.wanted("d-1").await;
    let seen = applied(write(&cx, WriteOp::Create(&wanted)).await.unwrap());
    cx.hub
        .delete("d-1", &seen.identity_etag)
        .await
        .done()
        .unwrap();
    let again = body(&cx, &wanted).unwrap();
    let again = cx.hub.create(&again).await.done().unwrap();
    assert_eq!(again.twin_etag, seen.twin_etag);
    wanted.record.tags.insert("site".into(), json!("y"));
    let to = &wanted;
    let seen = &seen;
    let changed = applied(write(&cx, WriteOp::Update { to, seen }).await.unwrap());
    assert_eq!(changed.generation_id, again.generation_id);
    assert_eq!((seen.incarnation, changed.incarnation), (1, 2));
}

/// A bearer token is good for longer than the call: what was given up may land later.
#[tokio::test]
async fn an_intent_whose_authority_outlives_its_call_is_open_for_longer() {
    let world = World::new().await;
    let by_key = world.writer("west", Purpose::Replicate).await;
    assert_eq!(by_key.call_deadline, Duration::from_secs(30));
    world.enter_west_by_token().await;
    let by_token = world.writer("west", Purpose::Replicate).await;
    assert_eq!(by_token.call_deadline, Duration::from_secs(330));
    // There is time for the call, and not for what may come after it.
    let late = WriteCx {
        call_deadline: Duration::from_secs(300),
        ..by_token
    };
    let wanted = world.wanted("d-1").await;
    let refused = write(&late, WriteOp::Create(&wanted)).await.unwrap();
    let WriteOutcome::Rejected { reason, .. } = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(reason, "TOO_LATE");
}

#[tokio::test]
async fn a_refused_connection_certainly_did_nothing() {
    let world = World::new().await;
    let cx = world.writer("east", Purpose::Provision).await;
    world.east.set_outage(OutageMode::Unavailable);
    let wanted = world.wanted("d-1").await;
    let refused = write(&cx, WriteOp::Create(&wanted)).await.unwrap();
    let WriteOutcome::Rejected { reason, .. } = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(reason, "HUB_UNREACHABLE");
    let rows = store::connection::list(&world.deps.pool, "acme")
        .await
        .unwrap();
    assert!(
        rows.iter()
            .any(|row| row.hub_id == "east" && !row.last_error.is_empty())
    );
}
