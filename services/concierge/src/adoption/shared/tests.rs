//! Two replicas on one database: who asked both counts once.

use std::time::Duration;

use hubshift_testkit::pg::{Database, Role};
use tempfile::TempDir;

use super::*;
use crate::table::fixture;

const POLL: Duration = Duration::from_secs(60);

struct World {
    pool: PgPool,
    table: Table,
    _database: Database,
    _dir: TempDir,
}

impl World {
    async fn new() -> Self {
        let database = Database::fresh().await.unwrap();
        let pool = database.connect(Role::Concierge).await.unwrap();
        let dir = tempfile::tempdir().unwrap();
        let table = Table::boot(dir.path(), &fixture::signer(), POLL);
        table.serve(vec![fixture::entry("acme", 2049, 1)]).await;
        let world = Self {
            pool,
            table,
            _database: database,
            _dir: dir,
        };
        world
            .run(
                "insert into concierge.fleet
                    (fleet_id, home_hub_id, device_count, utilisation_percent, poll_after_ms)
                 values ('acme', 'east', 2000, 80, 60000)",
            )
            .await;
        world
    }

    async fn run(&self, sql: &'static str) {
        sqlx::query(sql).execute(&self.pool).await.unwrap();
    }

    /// Devices ask a replica, which then writes of it.
    async fn asked(&self, replica: &str, devices: std::ops::Range<u32>) -> Adoption {
        let adoption = Adoption::new();
        prepare(&adoption, &self.pool, &self.table).await;
        let acme = FleetId::new("acme").unwrap();
        for device in devices {
            adoption.note(&acme, &format!("d{device}"), Some(1));
        }
        publish(&adoption, &self.pool, replica, &self.table).await;
        adoption
    }

    async fn polling(&self) -> (u64, f64) {
        let mut connection = self.pool.acquire().await.unwrap();
        let count = coverage::polling(&mut connection, "acme", POLL).await;
        let count = count.unwrap();
        (count.number, count.error_percent)
    }
}

#[tokio::test]
async fn a_device_that_asked_two_replicas_is_counted_once_by_all() {
    let world = World::new().await;
    assert_eq!(world.polling().await, (0, 0.0));
    world.asked("one", 0..300).await;
    world.asked("two", 200..500).await;
    assert_eq!(world.polling().await, (500, 0.0));
}

#[tokio::test]
async fn many_devices_are_counted_within_the_error() {
    let world = World::new().await;
    world.asked("one", 0..3_000).await;
    world.asked("two", 1_000..4_000).await;
    let (number, error) = world.polling().await;
    assert!((3_850..4_150).contains(&number), "{number}");
    assert!(error > 1.0);
}

#[tokio::test]
async fn what_is_old_or_of_another_binary_does_not_count_and_goes() {
    let world = World::new().await;
    world.asked("one", 0..300).await;
    world
        .run(
            "insert into concierge.coverage (fleet_id, replica_id, sketch)
             values ('acme', 'newer', '\\x0907')",
        )
        .await;
    assert_eq!(world.polling().await, (300, 0.0));
    world
        .run("update concierge.coverage set write_time = now() - interval '4 minutes'")
        .await;
    assert_eq!(world.polling().await, (0, 0.0));
    world
        .run("update concierge.coverage set write_time = now() - interval '25 hours'")
        .await;
    assert_eq!(
        coverage::forget_gone_replicas(&world.pool).await.unwrap(),
        2
    );
}

#[tokio::test]
async fn a_sketch_that_was_written_is_not_written_again_at_once() {
    let world = World::new().await;
    let one = world.asked("one", 0..3).await;
    world.run("delete from concierge.coverage").await;
    publish(&one, &world.pool, "one", &world.table).await;
    assert_eq!(world.polling().await, (0, 0.0));
}
