//! Lives of devices that a job made, which nobody has read yet.

use time::OffsetDateTime;

use super::*;
use crate::observe::Observed;
use crate::store;
use crate::store::tombstone::NewTombstone;
use crate::testing::{EAST_REIGNS, World};

/// Stores a device at west as an export shows it, as its third life.
async fn seed(world: &World, device: &str) {
    let wanted = world.wanted(device).await;
    let keys = world.deps.keys(&world.fleet).await.unwrap();
    let row = Observed {
        device_id: wanted.device_id,
        generation_id: UNREAD.to_owned(),
        incarnation: 3,
        identity_etag: "MQ==".into(),
        twin_etag: "AAAAAAAAAAE=".into(),
        twin_version: 0,
        desired_version: 0,
        fingerprint: wanted.record.fingerprint(&keys.fingerprint, device),
        record: wanted.record,
        sealed: wanted.sealed,
        read_time: OffsetDateTime::UNIX_EPOCH,
    };
    let (pool, devices) = (&world.deps.pool, [device.to_owned()]);
    set_unread(pool, "acme", "west", &devices, &[3])
        .await
        .unwrap();
    store::observed::upsert(pool, "acme", "west", None, &[row])
        .await
        .unwrap();
}

async fn life(world: &World, device: &str, generation: &str) -> i32 {
    let mut connection = world.deps.pool.acquire().await.unwrap();
    let (devices, generations) = ([device.to_owned()], [generation.to_owned()]);
    let found = resolve(&mut connection, "acme", "west", &devices, &generations).await;
    found.unwrap()[0]
}

/// Stores that a device was read, under this generation.
async fn read(world: &World, device: &str, generation: &str) {
    sqlx::query("update registry.observed set generation_id = $2 where device_id = $1")
        .bind(device)
        .bind(generation)
        .execute(&world.admin)
        .await
        .unwrap();
}

#[tokio::test]
async fn the_first_generation_that_is_read_is_the_life_that_was_seeded() {
    let world = World::new().await;
    seed(&world, "d").await;
    assert_eq!(life(&world, "d", "g-1").await, 3);
    read(&world, "d", "g-1").await;
    assert_eq!(life(&world, "d", "g-1").await, 3);
    assert_eq!(life(&world, "d", "g-2").await, 4, "made again");
}

#[tokio::test]
async fn what_was_missing_or_buried_meanwhile_is_another_life() {
    let world = World::new().await;
    seed(&world, "missing").await;
    sqlx::query("update registry.observed set missing_count = 1")
        .execute(&world.admin)
        .await
        .unwrap();
    assert_eq!(life(&world, "missing", "g-1").await, 4);
    seed(&world, "buried").await;
    let tombstone = NewTombstone {
        device: "buried",
        incarnation: 3,
        is_revoked: false,
        epoch: EAST_REIGNS,
        sequence: 0,
        origin: "west",
    };
    store::tombstone::put(&world.deps.pool, "acme", &tombstone)
        .await
        .unwrap();
    assert_eq!(life(&world, "buried", "g-1").await, 4);
}
