//! Backups: in every store, readable only with the key, proved by reading, restored without
//! raising the dead.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests fail as tests do"
)]

mod common;

use std::path::{Path, PathBuf};

use common::hubs::{Hub, device, sas};
use common::{WEST_REIGNS, World, step};
use hubshift_api::fault::reason;
use hubshift_api::pb::registry as pb;
use hubshift_api::pb::registry::task::Result as Outcome;
use hubshift_emulator::OutageMode;
use hubshift_hub::Credentials;
use tonic::{Code, Status};
use uuid::Uuid;

async fn back_up(world: &World, hub: &str) -> pb::BackupResult {
    let request = pb::CreateBackupRequest {
        parent: "fleets/acme".into(),
        hub: hub.into(),
        request_id: Uuid::new_v4().to_string(),
        context: None,
    };
    let task = world.backups.clone().create_backup(request).await.unwrap();
    result(world.finished(task.into_inner()).await)
}

fn result(task: pb::Task) -> pb::BackupResult {
    match task.result {
        Some(Outcome::Backup(result)) => result,
        _ => panic!("{task:?}"),
    }
}

async fn verify(world: &World, name: &str) -> Result<pb::VerifyBackupResponse, Status> {
    let request = pb::VerifyBackupRequest { name: name.into() };
    let answer = world.backups.clone().verify_backup(request).await?;
    Ok(answer.into_inner())
}

async fn restore(world: &World, name: &str, target: &str) -> Result<pb::Task, Status> {
    let request = pb::RestoreBackupRequest {
        name: name.into(),
        target_hub: target.into(),
        request_id: Uuid::new_v4().to_string(),
    };
    let task = world.backups.clone().restore_backup(request).await?;
    Ok(world.finished(task.into_inner()).await)
}

/// The files of a store that end so.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, ending));
        } else if path.to_string_lossy().ends_with(ending) {
            found.push(path);
        }
    }
    found
}

fn damage(file: &Path) {
    let mut bytes = std::fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(file, bytes).unwrap();
}

async fn keys(hub: &Hub, id: &str) -> (String, String) {
    match hub.get(id).await.unwrap().identity.credentials {
        Credentials::Sas { primary, secondary } => {
            (primary.expose().to_owned(), secondary.expose().to_owned())
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_backup_is_proved_by_reading_and_a_damaged_store_is_named() {
    let world = World::start().await;
    world.east.create_many(5).await;
    let made = back_up(&world, "east").await;
    assert_eq!(made.record_count, 5);
    assert_eq!(made.stores, ["east", "west"]);
    let name = made.backup.clone();
    let shown = world
        .backups
        .clone()
        .get_backup(pb::GetBackupRequest { name: name.clone() })
        .await
        .unwrap()
        .into_inner();
    assert_eq!((shown.hub.as_str(), &shown.digest), ("east", &made.digest));
    assert!(shown.verify_time.is_some() && shown.key_id.starts_with("age1"));
    let whole = verify(&world, &name).await.unwrap();
    assert_eq!(whole.stores, ["east: ok", "west: ok"]);
    assert_eq!((whole.record_count, &whole.digest), (5, &made.digest));

    let west = world.files.path().join("store-west");
    damage(&files(&west, ".age")[0]);
    let partly = verify(&world, &name).await.unwrap();
    assert_eq!(partly.stores[0], "east: ok");
    assert!(
        partly.stores[1].starts_with("west: chunk 1 of 1"),
        "{:?}",
        partly.stores
    );

    let east = world.files.path().join("store-east");
    std::fs::remove_file(&files(&east, ".age")[0]).unwrap();
    let corrupt = verify(&world, &name).await.unwrap_err();
    assert_eq!(corrupt.code(), Code::FailedPrecondition);
    assert_eq!(reason(&corrupt), "BACKUP_CORRUPT");
    assert!(corrupt.message().contains("east: ") && corrupt.message().contains("west: "));
    world.stop().await;
}

#[tokio::test]
async fn what_lies_in_the_stores_shows_neither_keys_nor_ids() {
    let world = World::start().await;
    world.east.create(&device("canary-device", sas())).await;
    back_up(&world, "east").await;
    let (primary, secondary) = keys(&world.east, "canary-device").await;
    let stored = files(&world.files.path().join("store-east"), "");
    assert_eq!(stored.len(), 2, "a chunk and a manifest: {stored:?}");
    for file in stored {
        let bytes = std::fs::read(&file).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        for secret in [primary.as_str(), secondary.as_str(), "canary-device"] {
            assert!(!text.contains(secret), "{} shows {secret}", file.display());
        }
    }
    world.stop().await;
}

#[tokio::test]
async fn a_restored_standby_is_as_the_backup_to_the_digest() {
    let world = World::start().await;
    world.east.create_many(7).await;
    let made = back_up(&world, "east").await;
    let restored = result(restore(&world, &made.backup, "west").await.unwrap());
    assert_eq!(restored.record_count, 7);
    assert_eq!(restored.digest, made.digest);
    assert_eq!(
        keys(&world.west, "d-003").await,
        keys(&world.east, "d-003").await
    );
    let compared = world.verify().await;
    assert!(compared.equal, "{compared:?}");
    assert_eq!(compared.target_digest, made.digest);
    // Again: nothing is left to write.
    let writes = world.west.writes();
    let again = result(restore(&world, &made.backup, "west").await.unwrap());
    assert_eq!(again.digest, made.digest);
    assert_eq!(world.west.writes(), writes);
    world.stop().await;
}

#[tokio::test]
async fn a_restore_updates_what_differs_and_leaves_the_dead_buried() {
    let world = World::start().await;
    world.east.create_many(4).await;
    let made = back_up(&world, "east").await;
    let request = pb::DeleteDeviceRequest {
        name: "fleets/acme/devices/d-001".into(),
        request_id: Uuid::new_v4().to_string(),
        revoked: true,
        ..Default::default()
    };
    world.devices.clone().delete_device(request).await.unwrap();
    world.pass(true).await;
    world
        .west
        .change("d-002", |device| device.identity.enabled = false)
        .await;
    let restored = result(restore(&world, &made.backup, "west").await.unwrap());
    assert_eq!(restored.record_count, 3);
    assert!(world.west.get("d-001").await.is_none(), "it stays deleted");
    assert!(world.west.get("d-002").await.unwrap().identity.enabled);
    world.stop().await;
}

#[tokio::test]
async fn a_restored_record_is_old_and_what_was_acknowledged_since_is_repeated_over_it() {
    let world = World::start().await;
    let request = pb::CreateDeviceRequest {
        parent: "fleets/acme".into(),
        device_id: "d-1".into(),
        request_id: Uuid::new_v4().to_string(),
        ..Default::default()
    };
    world.devices.clone().create_device(request).await.unwrap();
    world.pass(true).await;
    let made = back_up(&world, "east").await;
    let request = pb::UpdateDeviceRequest {
        device: Some(pb::Device {
            name: "fleets/acme/devices/d-1".into(),
            enabled: Some(false),
            ..Default::default()
        }),
        request_id: Uuid::new_v4().to_string(),
        ..Default::default()
    };
    world.devices.clone().update_device(request).await.unwrap();
    assert!(world.pass(true).await.watermark.is_some());
    assert!(!world.west.get("d-1").await.unwrap().identity.enabled);

    result(restore(&world, &made.backup, "west").await.unwrap());
    let west = world.status_of("west").await;
    assert_eq!((west.watermark, west.verify_epoch), (None, 0));
    world.east.running.set_outage(OutageMode::Refuse);
    world.fail_over().await;
    let request = pb::StartReplayRequest {
        fleet: "fleets/acme".into(),
        target_hub: "west".into(),
        request_id: Uuid::new_v4().to_string(),
        context: Some(step(1, WEST_REIGNS)),
    };
    let task = world.replication.clone().start_replay(request).await;
    let task = world.finished(task.unwrap().into_inner()).await;
    assert!(task.failure.is_none(), "{task:?}");
    assert!(!world.west.get("d-1").await.unwrap().identity.enabled);
    world.stop().await;
}

#[tokio::test]
async fn a_later_life_of_a_device_is_not_restored_over() {
    let world = World::start().await;
    world.east.create_many(2).await;
    let made = back_up(&world, "east").await;
    world.east.delete("d-001").await;
    world.east.create(&device("d-001", sas())).await;
    world.pass(true).await;
    let restored = result(restore(&world, &made.backup, "west").await.unwrap());
    assert_eq!(restored.record_count, 1);
    assert_eq!(
        keys(&world.west, "d-001").await,
        keys(&world.east, "d-001").await
    );
    world.stop().await;
}

#[tokio::test]
async fn nothing_is_restored_while_the_registry_is_frozen_for_a_move() {
    let world = World::start().await;
    world.east.create_many(2).await;
    let made = back_up(&world, "east").await;
    assert!(world.pass(true).await.watermark.is_some());
    let writes = world.west.writes();
    sqlx::query(
        "update authority.fleet
            set registry_mode = 'frozen', freeze_id = gen_random_uuid(), operation = 'op',
                frozen_until = clock_timestamp() + interval '1 hour'",
    )
    .execute(&world.admin)
    .await
    .unwrap();
    let refused = restore(&world, &made.backup, "west").await.unwrap();
    assert_eq!(refused.failure.unwrap().reason, "REGISTRY_CLOSED");
    assert_eq!(world.west.writes(), writes);
    let west = world.status_of("west").await;
    assert!(west.watermark.is_some(), "what is known of west stands");
    world.stop().await;
}

#[tokio::test]
async fn a_restore_comes_from_the_store_that_is_whole() {
    let world = World::start().await;
    world.east.create_many(2).await;
    let made = back_up(&world, "east").await;
    damage(&files(&world.files.path().join("store-east"), ".age")[0]);
    let restored = result(restore(&world, &made.backup, "west").await.unwrap());
    assert_eq!(restored.digest, made.digest);
    damage(&files(&world.files.path().join("store-west"), ".age")[0]);
    let failed = restore(&world, &made.backup, "west").await.unwrap();
    assert_eq!(failed.failure.unwrap().reason, "BACKUP_CORRUPT");
    world.stop().await;
}

#[tokio::test]
async fn what_can_not_be_restored_is_refused_by_name() {
    let world = World::start().await;
    world.east.create_many(1).await;
    let made = back_up(&world, "east").await;
    let active = restore(&world, &made.backup, "east").await.unwrap_err();
    assert_eq!(active.code(), Code::FailedPrecondition);
    assert_eq!(reason(&active), "HUB_NOT_STANDBY");
    let nothing = format!("fleets/acme/backups/{}", Uuid::new_v4());
    let missing = restore(&world, &nothing, "west").await.unwrap_err();
    assert_eq!(missing.code(), Code::NotFound);
    assert_eq!(reason(&missing), "BACKUP_NOT_FOUND");
    sqlx::query("update registry.backup set key_id = 'age1other'")
        .execute(&world.admin)
        .await
        .unwrap();
    for refused in [
        restore(&world, &made.backup, "west").await.unwrap_err(),
        verify(&world, &made.backup).await.unwrap_err(),
    ] {
        assert_eq!(reason(&refused), "BACKUP_KEY_MISSING");
        assert!(refused.message().contains("age1other"));
    }
    world.stop().await;
}

#[tokio::test]
async fn backups_are_listed_newest_first() {
    let world = World::start().await;
    world.east.create_many(1).await;
    let older = back_up(&world, "east").await;
    let newer = back_up(&world, "west").await;
    let mut names = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = pb::ListBackupsRequest {
            parent: "fleets/acme".into(),
            page_size: 1,
            page_token,
        };
        let page = world
            .backups
            .clone()
            .list_backups(request)
            .await
            .unwrap()
            .into_inner();
        names.extend(page.backups.into_iter().map(|backup| backup.name));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(names, [newer.backup, older.backup]);
    world.stop().await;
}
