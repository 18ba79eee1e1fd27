//! A hub that comes back: as it was, older than it was, or empty.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests fail as tests do"
)]

mod common;

use common::hubs::Come;
use common::{WEST_REIGNS, World};
use hubshift_api::pb::registry as pb;
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
    let mut world = World::start().await;
    world.east.create_many(4).await;
    world.pass(false).await;
    let copy = world.files.path().join("copy");
    world.east.save(&copy);
    world
        .east
        .change("d-001", |device| {
            drop(device.tags.insert("new".into(), json!(1)))
        })
        .await;
    assert_eq!(world.pass(false).await.updated_count, 1);
    world.east = world.east.come_back(Come::With(&copy)).await;
    world.connect("east", &world.east.running).await.unwrap();
    world
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
    assert!(
        world
            .east
            .get("d-001")
            .await
            .unwrap()
            .tags
            .contains_key("new")
    );
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
