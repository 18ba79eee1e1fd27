//! The refresher on a real database: signed once, never lowered, served without it.

mod tidy;

use std::path::Path;

use hubshift_domain::epoch::Epoch;
use hubshift_domain::id::FleetId;
use hubshift_store::PoolConfig;
use hubshift_testkit::pg;
use sqlx::PgPool;
use tempfile::TempDir;

use super::*;
use crate::table::fixture::{entry, signer};
use crate::table::{EPOCH_FORGOTTEN, present};

const STALE_AFTER: Duration = Duration::from_secs(60);

struct World {
    database: pg::Database,
    pool: PgPool,
    dir: TempDir,
}

fn acme() -> FleetId {
    FleetId::new("acme").unwrap()
}

fn refresher(urls: &str, dir: &Path, replica: &str) -> Refresher {
    let config = PoolConfig {
        urls: urls.to_owned(),
        max_connections: 4,
        application: "test",
    };
    Refresher {
        table: Table::boot(dir, &signer(), STALE_AFTER),
        signer: Arc::new(signer()),
        adoption: Adoption::new(),
        database: Database::lazy(&config).unwrap(),
        replica: replica.to_owned(),
    }
}

impl World {
    /// A database with the fleet of the fixtures: east reigns in epoch 1024.
    async fn new() -> Self {
        let database = pg::Database::fresh().await.unwrap();
        let pool = database.connect(pg::Role::Concierge).await.unwrap();
        let world = Self {
            database,
            pool,
            dir: tempfile::tempdir().unwrap(),
        };
        for sql in [
            "insert into authority.fleet (fleet_id, epoch, active_hub_id)
             values ('acme', 1024, 'east')",
            "insert into authority.hub (fleet_id, hub_id, hub_index, state, call_deadline_ms)
             values ('acme', 'east', 0, 'active', 2000), ('acme', 'west', 1, 'ready', 2000)",
            "insert into concierge.fleet
                (fleet_id, home_hub_id, device_count, utilisation_percent, poll_after_ms)
             values ('acme', 'east', 2000, 80, 60000)",
            "insert into concierge.hub
                (fleet_id, hub_id, hub_index, region, host, admission_per_second, labels)
             values ('acme', 'east', 0, 'east-region', 'east.example.net', 1000, '{\"a\": \"b\"}'),
                    ('acme', 'west', 1, 'west-region', 'west.example.net', 1000, '{}')",
        ] {
            world.run(sql).await;
        }
        world
    }

    async fn run(&self, sql: &'static str) {
        sqlx::query(sql).execute(&self.pool).await.unwrap();
    }

    async fn number(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&self.pool).await.unwrap()
    }

    fn replica(&self) -> Refresher {
        refresher(&self.database.concierge_url(), self.dir.path(), "one")
    }

    /// West reigns, as a commit leaves it.
    async fn move_to_west(&self) {
        for sql in [
            "update authority.hub set state = 'draining' where hub_id = 'east'",
            "update authority.hub set state = 'active' where hub_id = 'west'",
            "update authority.fleet set epoch = 2049, active_hub_id = 'west'",
            "update concierge.fleet set routing_version = routing_version + 1",
        ] {
            self.run(sql).await;
        }
    }

    /// The database loses the move, as an asynchronous standby may.
    async fn forget(&self) {
        for sql in [
            "update authority.hub set state = 'ready' where hub_id = 'west'",
            "update authority.hub set state = 'active' where hub_id = 'east'",
            "update authority.fleet set epoch = 1024, active_hub_id = 'east'",
            "update concierge.fleet set routing_version = 1",
            "delete from concierge.route where epoch = 2049",
        ] {
            self.run(sql).await;
        }
    }
}

fn served(refresher: &Refresher) -> (Epoch, u64) {
    refresher.table.get(&acme()).unwrap().order()
}

#[tokio::test]
async fn a_new_fleet_is_signed_once_served_and_witnessed() {
    let world = World::new().await;
    let one = world.replica();
    for _ in 0..3 {
        one.tick().await.unwrap();
    }
    let entry = one.table.get(&acme()).unwrap();
    assert_eq!(one.signer.verify(&entry.jws).unwrap(), entry.claims);
    assert_eq!(entry.hubs[0].labels["a"], "b");
    assert_eq!(entry.claims.endpoints.len(), 1);
    assert!(!one.table.load().is_stale(STALE_AFTER));
    assert_eq!(
        world.number("select count(*) from concierge.route").await,
        1
    );
    let witnessed = "select epoch + routing_version from concierge.epoch_witness";
    assert_eq!(world.number(witnessed).await, 1025);
}

#[tokio::test]
async fn replicas_that_start_together_serve_the_same_epoch_and_agree() {
    let world = World::new().await;
    let dir = tempfile::tempdir().unwrap();
    let one = world.replica();
    let two = refresher(&world.database.concierge_url(), dir.path(), "two");
    let (first, second) = tokio::join!(one.tick(), two.tick());
    first.unwrap();
    second.unwrap();
    one.tick().await.unwrap();
    two.tick().await.unwrap();
    let (a, b) = (
        one.table.get(&acme()).unwrap(),
        two.table.get(&acme()).unwrap(),
    );
    assert_eq!(a.jws, b.jws);
    assert_eq!(
        world
            .number("select count(*) from concierge.epoch_witness")
            .await,
        2
    );
}

#[tokio::test]
async fn what_devices_are_told_changes_under_a_new_routing_version() {
    let world = World::new().await;
    let one = world.replica();
    one.tick().await.unwrap();
    world
        .run("update concierge.hub set host = 'new.example.net' where hub_id = 'east'")
        .await;
    one.tick().await.unwrap();
    assert_eq!(served(&one), (Epoch(1024), 2));
    let entry = one.table.get(&acme()).unwrap();
    assert_eq!(entry.claims.active().unwrap().host, "new.example.net");
    one.tick().await.unwrap();
    assert_eq!(served(&one), (Epoch(1024), 2));
}

#[tokio::test]
async fn a_route_that_expired_during_an_outage_is_signed_anew() {
    let world = World::new().await;
    let one = world.replica();
    one.tick().await.unwrap();
    world
        .run(
            "update concierge.route set issue_time = issue_time - interval '30 days',
                    not_after = not_after - interval '30 days'",
        )
        .await;
    one.tick().await.unwrap();
    assert_eq!(
        world.number("select count(*) from concierge.route").await,
        2
    );
    assert_eq!(served(&one), (Epoch(1024), 1));
}

#[tokio::test]
async fn a_database_that_forgot_lowers_nobody_and_is_reported_by_all() {
    let world = World::new().await;
    let one = world.replica();
    one.tick().await.unwrap();
    world.move_to_west().await;
    one.tick().await.unwrap();
    assert_eq!(served(&one), (Epoch(2049), 2));
    world.forget().await;
    for replica in [one, world.replica()] {
        replica.tick().await.unwrap();
        assert_eq!(served(&replica), (Epoch(2049), 2));
        assert_eq!(replica.table.alerts(&acme()), [EPOCH_FORGOTTEN]);
    }
    let dir = tempfile::tempdir().unwrap();
    let newcomer = refresher(&world.database.concierge_url(), dir.path(), "two");
    newcomer.tick().await.unwrap();
    assert_eq!(
        newcomer.table.alerts(&acme()),
        [EPOCH_FORGOTTEN],
        "a witness remembers"
    );
    assert_eq!(
        world
            .number("select max(epoch) from concierge.epoch_witness")
            .await,
        2049
    );
}

#[tokio::test]
async fn a_recovered_database_is_followed_again() {
    let world = World::new().await;
    let one = world.replica();
    world.move_to_west().await;
    one.tick().await.unwrap();
    world.forget().await;
    one.tick().await.unwrap();
    world.run("update authority.fleet set epoch = 3072").await;
    one.tick().await.unwrap();
    assert_eq!(served(&one).0, Epoch(3072));
    assert!(one.table.alerts(&acme()).is_empty());
}

#[tokio::test]
async fn a_forgotten_routing_version_is_raised_above_what_was_served() {
    let world = World::new().await;
    world
        .run("update concierge.fleet set routing_version = 7")
        .await;
    let one = world.replica();
    one.tick().await.unwrap();
    world
        .run("update concierge.fleet set routing_version = 3")
        .await;
    one.tick().await.unwrap();
    assert_eq!(served(&one), (Epoch(1024), 8));
    assert!(one.table.alerts(&acme()).is_empty());
}

#[tokio::test]
async fn evidence_from_a_device_is_witnessed_for_the_next_commit() {
    let world = World::new().await;
    let one = world.replica();
    one.tick().await.unwrap();
    let newer = entry("acme", 2049, 2).jws;
    present(&one.table, &one.signer, &acme(), &newer)
        .await
        .unwrap();
    one.tick().await.unwrap();
    assert_eq!(served(&one), (Epoch(2049), 2));
    assert_eq!(
        world
            .number("select max(epoch) from concierge.epoch_witness")
            .await,
        2049
    );
}

#[tokio::test]
async fn what_devices_tell_is_written_with_the_heartbeat() {
    let world = World::new().await;
    let one = world.replica();
    one.tick().await.unwrap();
    one.adoption.note(&acme(), "d-1", Some(0));
    one.adoption.note(&acme(), "d-2", Some(1));
    one.tick().await.unwrap();
    let counts = "select polling_count * 10 + attached_count from concierge.epoch_witness";
    assert_eq!(world.number(counts).await, 21);
}

/// They are statistics: nobody looks for another database because of them.
#[tokio::test]
async fn sketches_that_the_database_does_not_take_hold_no_refresh_up() {
    let world = World::new().await;
    let one = world.replica();
    one.tick().await.unwrap();
    one.adoption.note(&acme(), "d-1", Some(0));
    let mut held = world.pool.begin().await.unwrap();
    sqlx::query("lock table concierge.coverage in exclusive mode")
        .execute(&mut *held)
        .await
        .unwrap();
    one.tick().await.unwrap();
    held.rollback().await.unwrap();
    one.tick().await.unwrap();
    let sketches = "select count(*) from concierge.coverage";
    assert_eq!(world.number(sketches).await, 1);
}

#[tokio::test]
async fn a_freeze_that_ran_out_reads_as_open() {
    let world = World::new().await;
    let one = world.replica();
    for (sql, expected) in [
        ("now() + interval '1 hour'", "frozen"),
        ("now() - interval '1 second'", "open"),
    ] {
        let sql = format!(
            "update authority.fleet set registry_mode = 'frozen', frozen_until = {sql},
                    freeze_id = '00000000-0000-0000-0000-000000000001'"
        );
        sqlx::query(sqlx::AssertSqlSafe(sql))
            .execute(&world.pool)
            .await
            .unwrap();
        one.tick().await.unwrap();
        assert_eq!(
            one.table.get(&acme()).unwrap().registry_mode.as_str(),
            expected
        );
    }
}

#[tokio::test]
async fn without_a_database_the_disk_serves_and_says_so() {
    let world = World::new().await;
    world.replica().tick().await.unwrap();
    // A port that nobody listens on.
    let dead = refresher(
        "postgres://nobody@127.0.0.1:1/none",
        world.dir.path(),
        "one",
    );
    assert!(matches!(
        dead.tick().await,
        Err(RefreshError::Store(_) | RefreshError::TimedOut)
    ));
    assert_eq!(served(&dead), (Epoch(1024), 1));
    assert!(dead.table.load().is_stale(STALE_AFTER) && dead.table.is_loaded());
}

#[tokio::test]
async fn a_refresher_runs_until_it_is_cancelled_and_hears_of_news() {
    let world = World::new().await;
    let one = world.replica();
    let (table, cancel) = (one.table.clone(), CancellationToken::new());
    let running = tokio::spawn(one.run(Duration::from_secs(3600), cancel.clone()));
    let epoch = |wanted: u64| {
        let table = table.clone();
        hubshift_testkit::eventually(Duration::from_secs(20), move || {
            let is_there = table
                .get(&acme())
                .is_some_and(|entry| entry.epoch.0 == wanted);
            async move { is_there }
        })
    };
    assert!(epoch(1024).await);
    world.move_to_west().await;
    table.refresh_soon();
    assert!(epoch(2049).await);
    cancel.cancel();
    running.await.unwrap();
}
