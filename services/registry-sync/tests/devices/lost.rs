//! Answers that are lost on the way: what was asked happened once, or certainly never.

use std::time::Duration;

use hubshift_api::fault::reason;
use hubshift_api::json::from_struct;
use hubshift_api::pb::registry as pb;
use hubshift_emulator::OutageMode;
use hubshift_testkit::eventually;
use tonic::Code;

use crate::calls::{
    create, create_in_the_end, creation, delete, deletion, held, journal_rows, keys, lossy_world,
    set_deadline, set_mode, tagged,
};
use crate::common::{PATIENCE, World};

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
