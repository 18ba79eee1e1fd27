//! A hub that comes back: as it was, older than it was, or empty.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests fail as tests do"
)]

mod common;

use common::hubs::{Come, Hub, configuration, module};
use common::{WEST_REIGNS, World, start_pass};
use hubshift_api::pb::registry as pb;
use hubshift_api::pb::registry::task::Result as Outcome;
use serde_json::json;

/// East with ten devices, of which three changed and one came after `copy` was taken; all of it
/// reached west.
async fn world_with_copy(copy: &str) -> World {
    let world = World::start().await;
    world.east.create_many(9).await;
    world.pass(false).await;
    world.east.save(&world.files.path().join(copy));
    for id in ["d-001", "d-004", "d-006"] {
        world
            .east
            .change(id, |device| {
                drop(device.tags.insert("new".into(), json!(1)))
            })
            .await;
    }
    world
        .east
        .create(&common::hubs::device("later", common::hubs::sas()))
        .await;
    assert_eq!(world.pass(false).await.pending_count, 0);
    world
}

async fn come_back(mut world: World, copy: Option<&str>, empty: bool) -> World {
    let path = copy.map(|copy| world.files.path().join(copy));
    let with = match (&path, empty) {
        (Some(path), _) => Come::With(path),
        (None, true) => Come::Empty,
        (None, false) => Come::AsWas,
    };
    world.east = world.east.come_back(with).await;
    world.fail_over().await;
    world.connect("east", &world.east.running).await.unwrap();
    world
}

/// East, of whose devices one was changed and reached west, restored to what it was before.
async fn restored_while_active() -> World {
    let world = World::start().await;
    world.east.create_many(4).await;
    world.pass(false).await;
    world.east.save(&world.files.path().join("copy"));
    world
        .east
        .change("d-001", |device| {
            drop(device.tags.insert("new".into(), json!(1)))
        })
        .await;
    assert_eq!(world.pass(false).await.updated_count, 1);
    restored(world).await
}

/// East, while it reigns, as it was when it was copied.
async fn restored(mut world: World) -> World {
    let copy = world.files.path().join("copy");
    world.east = world.east.come_back(Come::With(&copy)).await;
    world.connect("east", &world.east.running).await.unwrap();
    world
}

async fn has_news(hub: &Hub, device: &str) -> bool {
    hub.get(device).await.unwrap().tags.contains_key("new")
}

async fn set_epoch(world: &World, epoch: i64) {
    sqlx::query("update authority.fleet set epoch = $1, registry_mode = 'open'")
        .bind(epoch)
        .execute(&world.admin)
        .await
        .unwrap();
}

#[tokio::test]
async fn an_untouched_hub_is_not_rewound() {
    let world = come_back(world_with_copy("copy").await, None, false).await;
    let found = world.scan("east").await;
    assert!(!found.rewound, "{}", found.rewound_evidence);
    assert_eq!(found.scanned_count, 10);
    assert_eq!(found.digest, world.scan("west").await.digest);
    world.stop().await;
}

#[tokio::test]
async fn a_hub_that_was_changed_meanwhile_is_not_rewound() {
    let world = come_back(world_with_copy("copy").await, None, false).await;
    world
        .east
        .change("d-002", |device| device.identity.enabled = false)
        .await;
    world
        .east
        .create(&common::hubs::device("during", common::hubs::sas()))
        .await;
    let found = world.scan("east").await;
    assert!(!found.rewound, "{}", found.rewound_evidence);
    assert_eq!(found.scanned_count, 11);
    world.stop().await;
}

#[tokio::test]
async fn an_older_state_is_found_by_its_twins_and_by_what_is_gone() {
    let world = come_back(world_with_copy("copy").await, Some("copy"), false).await;
    let found = world.scan("east").await;
    assert!(found.rewound);
    let evidence = &found.rewound_evidence;
    assert!(
        evidence.contains("3 devices have an older twin"),
        "{evidence}"
    );
    assert!(
        evidence.contains("d-004") && evidence.contains("later"),
        "{evidence}"
    );
    let again = world.scan("east").await;
    assert!(
        again.rewound,
        "what was seen is overwritten, what it meant is not"
    );
    world.stop().await;
}

#[tokio::test]
async fn an_empty_hub_is_rewound() {
    let world = come_back(world_with_copy("copy").await, None, true).await;
    let found = world.scan("east").await;
    assert!(found.rewound);
    assert_eq!(found.scanned_count, 0);
    let evidence = &found.rewound_evidence;
    assert!(evidence.contains("10 devices are gone"), "{evidence}");
    world.stop().await;
}

#[tokio::test]
async fn what_was_found_holds_through_later_epochs_until_the_hub_is_whole_again() {
    let world = restored_while_active().await;
    world.fail_over().await;
    assert!(world.scan("east").await.rewound);
    set_epoch(&world, WEST_REIGNS + 1024).await;
    let later = world.scan("east").await;
    assert!(later.rewound, "no later scan sees the signs again");
    // Reseeded by a merge it is a standby, and follows.
    world.set_state("east", "syncing").await;
    let pass = world.run_pass_to("east", false).await;
    assert!(pass.failure.is_none(), "{pass:?}");
    assert!(has_news(&world.east, "d-001").await);
    world.set_state("east", "quarantined").await;
    let whole = world.scan("east").await;
    assert!(!whole.rewound, "{}", whole.rewound_evidence);
    world.stop().await;
}

#[tokio::test]
async fn a_read_that_shows_an_older_twin_is_remembered() {
    let world = restored_while_active().await;
    // It overwrites what proves the restore.
    let name = "fleets/acme/devices/d-001".to_owned();
    let request = pb::GetDeviceRequest { name };
    world.devices.clone().get_device(request).await.unwrap();
    world.fail_over().await;
    let found = world.scan("east").await;
    assert!(found.rewound);
    world.stop().await;
}

#[tokio::test]
async fn a_restored_authority_is_not_copied_over_its_standby_until_somebody_accepts_it() {
    let world = restored(world_with_copy("copy").await).await;
    for _ in 0..3 {
        let pass = world.pass(false).await;
        assert_eq!((pass.updated_count, pass.deleted_count), (0, 0));
        assert!(pass.watermark.is_none());
    }
    assert!(has_news(&world.west, "d-004").await);
    assert!(world.west.get("later").await.is_some());
    assert!(world.tombstones("later").await.is_empty());
    assert_eq!(world.status_of("west").await.blocked, "SOURCE_REWOUND");

    let accepting = pb::StartPassRequest {
        accept_source: true,
        ..start_pass("west")
    };
    let task = world.run_pass_as(accepting).await;
    let Some(Outcome::Pass(pass)) = task.result else {
        panic!("{task:?}")
    };
    assert_eq!((pass.updated_count, pass.deleted_count), (3, 1));
    assert!(!has_news(&world.west, "d-004").await);
    assert_eq!(world.status_of("west").await.blocked, "");
    assert!(world.pass(false).await.watermark.is_some());
    assert!(world.verify().await.equal);
    world.stop().await;
}

#[tokio::test]
async fn a_hub_at_which_a_module_and_a_configuration_were_removed_is_not_rewound() {
    let mut world = World::start().await;
    world.east.create_many(2).await;
    world.east.create(&module("d-000/m")).await;
    world.east.create(&configuration("site-7", 5)).await;
    assert_eq!(world.pass(false).await.pending_count, 0);
    world.east = world.east.come_back(Come::AsWas).await;
    world.fail_over().await;
    world.connect("east", &world.east.running).await.unwrap();
    world.east.delete("d-000/m").await;
    world.east.delete("/configurations/site-7").await;
    let found = world.scan("east").await;
    assert!(!found.rewound, "{}", found.rewound_evidence);
    world.stop().await;
}

/// What is known of east's configuration, as if it had been changed so much later than it was, in
/// this life or in another one.
async fn seen_later(world: &World, milliseconds: i64, life: Option<&str>) {
    sqlx::query(
        "update registry.observed
            set twin_version = twin_version + $1, identity_etag = 'later',
                generation_id = coalesce($2, generation_id)
          where hub_id = 'east' and device_id = '/configurations/site-7'",
    )
    .bind(milliseconds)
    .bind(life)
    .execute(&world.admin)
    .await
    .unwrap();
}

#[tokio::test]
async fn a_configuration_is_older_by_its_last_change_and_not_by_a_clocks_trembling() {
    let world = World::start().await;
    world.east.create(&configuration("site-7", 5)).await;
    assert_eq!(world.pass(false).await.pending_count, 0);
    seen_later(&world, 500, None).await;
    let found = world.scan("east").await;
    assert!(!found.rewound, "{}", found.rewound_evidence);
    // It was made anew in the life that the hub lost.
    seen_later(&world, 5000, Some("later")).await;
    assert!(world.scan("east").await.rewound);
    world.stop().await;
}
