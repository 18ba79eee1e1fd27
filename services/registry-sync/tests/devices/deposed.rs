//! A request that was under way at a hub that reigns no more.

use std::time::Duration;

use hubshift_api::fault::reason;
use hubshift_testkit::eventually;

use crate::calls::{
    create, create_in_the_end, creation, delete, deletion, get, held, journal_rows, keys,
    lossy_world, set_mode,
};
use crate::common::hubs::Come;
use crate::common::{PATIENCE, WEST_REIGNS, World};

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
async fn an_answer_that_comes_when_the_fleet_has_moved_is_not_given() {
    let world = World::start().await;
    // As if this process slept between the hub's answer and the journal, while the fleet moved and
    // its registry opened.
    let sleeps = format!(
        "create function public.fleet_moves() returns trigger language plpgsql security definer as $$
         begin
             update authority.hub set state = 'quarantined' where hub_id = 'east';
             update authority.hub set state = 'active' where hub_id = 'west';
             update authority.fleet set epoch = {WEST_REIGNS}, active_hub_id = 'west'
              where epoch < {WEST_REIGNS};
             return new;
         end $$;
         create trigger fleet_moves after update on registry.intent
             for each row when (new.outcome = 'done' and new.hub_id = 'east')
             execute function public.fleet_moves()"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(sleeps))
        .execute(&world.admin)
        .await
        .unwrap();
    let made = create_in_the_end(&world, &creation("late")).await;
    assert_eq!(made.epoch, u64::try_from(WEST_REIGNS).unwrap());
    let rows = journal_rows(&world).await;
    assert_eq!(rows.len(), 1);
    assert_eq!((rows[0].0.as_str(), rows[0].2.as_str()), ("west", "done"));
    let (east, west) = (world.east.get("late").await, world.west.get("late").await);
    assert_eq!(keys(&east.unwrap()), keys(&west.unwrap()));
    world.stop().await;
}
