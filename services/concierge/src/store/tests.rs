//! The fence on a real database: what may commit beside what, and who may write what.

mod canary;
mod fence;

use std::time::Duration;

use hubshift_domain::epoch::Epoch;
use hubshift_domain::hub_state::{HubState, Purpose, RegistryMode, intent_allowed};
use hubshift_store::StoreError;
use hubshift_testkit::eventually;
use hubshift_testkit::pg::{Database, Role};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use super::authority::{self, Succession};
use super::fleet::{self, NewFleet};
use super::hub::{self, HubRow};

const FLEET: &str = "acme";
const OLD: Epoch = Epoch(1024);
const NEW: Epoch = Epoch(2049);
const STANDBY: [HubState; 2] = [HubState::Ready, HubState::Syncing];
const PATIENCE: Duration = Duration::from_secs(20);

struct World {
    database: Database,
    concierge: PgPool,
    registry: PgPool,
}

fn hub_row(hub_id: &str, index: i16, state: HubState) -> HubRow {
    HubRow {
        hub_id: hub_id.to_owned(),
        hub_index: index,
        state: state.as_str().to_owned(),
        region: String::new(),
        host: format!("{hub_id}.test"),
        service_host: String::new(),
        event_endpoint: String::new(),
        labels: serde_json::json!({}),
        admission_per_second: 1,
        call_deadline_ms: 2_000,
        read_lag_ms: 0,
    }
}

async fn world() -> World {
    let database = Database::fresh().await.unwrap();
    let concierge = database.connect(Role::Concierge).await.unwrap();
    let registry = database.connect(Role::Registry).await.unwrap();
    let mut tx = concierge.begin().await.unwrap();
    let new = NewFleet {
        fleet_id: FLEET.into(),
        display_name: String::new(),
        home_hub_id: "east".into(),
        active_hub_id: "east".into(),
        epoch: OLD,
        device_count: 1,
        utilisation_percent: 80,
        poll_after_ms: 1_000,
        on_unreachable: "ask".into(),
        waves: serde_json::json!([]),
    };
    fleet::insert(&mut tx, &new).await.unwrap();
    let east = hub_row("east", 0, HubState::Active);
    hub::insert(&mut tx, FLEET, &east, Some(OLD)).await.unwrap();
    hub::insert(&mut tx, FLEET, &hub_row("west", 1, HubState::Ready), None)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    World {
        database,
        concierge,
        registry,
    }
}

async fn intend(
    connection: &mut PgConnection,
    epoch: Epoch,
    hub: &str,
    purpose: Purpose,
) -> Result<(), StoreError> {
    sqlx::query("select authority.assert_intent($1, $2, $3, $4)")
        .bind(FLEET)
        .bind(epoch.as_i64())
        .bind(hub)
        .bind(purpose.as_str())
        .execute(connection)
        .await
        .map(drop)
        .map_err(StoreError::from)
}

fn raised(outcome: &Result<(), StoreError>) -> &str {
    match outcome {
        Err(StoreError::Raised { code, .. }) => code,
        Err(_) => "another error",
        Ok(()) => "",
    }
}

/// Moves the epoch as COMMIT does.
async fn move_epoch(pool: &PgPool) {
    let mut tx = pool.begin().await.unwrap();
    authority::hold(&mut tx, FLEET).await.unwrap().unwrap();
    let succession = Succession {
        fleet_id: FLEET,
        from_epoch: OLD,
        from_hub: "east",
        to_epoch: NEW,
        to_hub: "west",
        operation: "fleets/acme/failovers/1",
    };
    assert!(
        hub::depose(&mut tx, FLEET, "east", OLD, HubState::Draining)
            .await
            .unwrap()
    );
    assert!(
        hub::enthrone(&mut tx, FLEET, "west", NEW, &STANDBY)
            .await
            .unwrap()
    );
    assert!(authority::succeed(&mut tx, &succession).await.unwrap());
    tx.commit().await.unwrap();
}

/// How many sessions of the database wait for a lock.
async fn waiting(look: &PgPool) -> i64 {
    let sql = "select count(*) from pg_stat_activity
                where datname = current_database() and wait_event_type = 'Lock'";
    sqlx::query_scalar(sql).fetch_one(look).await.unwrap()
}

#[tokio::test]
async fn an_epoch_waits_for_intents_and_no_intent_of_the_old_one_commits_after_it() {
    let world = world().await;
    let look = world.database.connect(Role::Superuser).await.unwrap();
    let mut intent = world.registry.begin().await.unwrap();
    intend(&mut intent, OLD, "east", Purpose::Provision)
        .await
        .unwrap();

    let pool = world.concierge.clone();
    let commit = tokio::spawn(async move { move_epoch(&pool).await });
    assert!(eventually(PATIENCE, || async { waiting(&look).await == 1 }).await);
    assert!(
        !commit.is_finished(),
        "the epoch moved under a recorded intent"
    );

    intent.commit().await.unwrap();
    commit.await.unwrap();
    let mut late = world.registry.acquire().await.unwrap();
    let outcome = intend(&mut late, OLD, "east", Purpose::Provision).await;
    assert_eq!(raised(&outcome), "HS001");
}

#[tokio::test]
async fn an_intent_that_waited_for_a_commit_sees_the_new_epoch() {
    let world = world().await;
    let look = world.database.connect(Role::Superuser).await.unwrap();
    let mut commit = world.concierge.begin().await.unwrap();
    authority::hold(&mut commit, FLEET).await.unwrap().unwrap();

    let registry = world.registry.clone();
    let intent = tokio::spawn(async move {
        let mut connection = registry.acquire().await.unwrap();
        intend(&mut connection, OLD, "east", Purpose::Provision).await
    });
    assert!(eventually(PATIENCE, || async { waiting(&look).await == 1 }).await);
    hub::depose(&mut commit, FLEET, "east", OLD, HubState::Draining)
        .await
        .unwrap();
    hub::enthrone(&mut commit, FLEET, "west", NEW, &STANDBY)
        .await
        .unwrap();
    let succession = Succession {
        fleet_id: FLEET,
        from_epoch: OLD,
        from_hub: "east",
        to_epoch: NEW,
        to_hub: "west",
        operation: "fleets/acme/failovers/1",
    };
    authority::succeed(&mut commit, &succession).await.unwrap();
    commit.commit().await.unwrap();
    assert_eq!(raised(&intent.await.unwrap()), "HS001");
}

async fn set(look: &PgPool, mode: RegistryMode, state: HubState) {
    // The active hub is set by hand here, so the state needs no partner.
    sqlx::query(
        "update authority.fleet
            set registry_mode = $1, freeze_id = $2, frozen_until = now() + interval '1 hour'",
    )
    .bind(mode.as_str())
    .bind(Uuid::nil())
    .execute(look)
    .await
    .unwrap();
    sqlx::query("update authority.hub set state = $1 where hub_id = 'west'")
        .bind(state.as_str())
        .execute(look)
        .await
        .unwrap();
}

#[tokio::test]
async fn the_rule_in_sql_is_the_rule_in_rust() {
    let world = world().await;
    let look = world.database.connect(Role::Superuser).await.unwrap();
    sqlx::query("update authority.hub set state = 'retired' where hub_id = 'east'")
        .execute(&look)
        .await
        .unwrap();
    let mut registry = world.registry.acquire().await.unwrap();
    let mut allowed = 0;
    for mode in RegistryMode::ALL {
        for state in HubState::ALL {
            set(&look, *mode, *state).await;
            for purpose in Purpose::ALL {
                let outcome = intend(&mut registry, OLD, "west", *purpose).await;
                let expected = intent_allowed(*purpose, *mode, *state);
                assert_eq!(
                    outcome.is_ok(),
                    expected,
                    "{purpose} {mode} {state}: {outcome:?}"
                );
                allowed += usize::from(expected);
            }
        }
    }
    // provision 1, replicate 2 modes x 2 states, merge 4 states, replay 1, restore 2 states.
    assert_eq!(allowed, 12);
    set(&look, RegistryMode::Open, HubState::Ready).await;
    sqlx::query("update authority.fleet set operation = 'fleets/acme/failovers/1'")
        .execute(&look)
        .await
        .unwrap();
    let outcome = intend(&mut registry, OLD, "west", Purpose::Restore).await;
    assert_eq!(raised(&outcome), "HS002", "a move counts on its target");
}

#[tokio::test]
async fn below_an_epoch_that_was_served_nothing_is_intended() {
    let world = world().await;
    sqlx::query(
        "insert into concierge.epoch_witness (replica_id, fleet_id, epoch, routing_version)
         values ('r', $1, $2, 2)",
    )
    .bind(FLEET)
    .bind(NEW.as_i64())
    .execute(&world.concierge)
    .await
    .unwrap();
    let mut registry = world.registry.acquire().await.unwrap();
    for purpose in Purpose::ALL {
        let outcome = intend(&mut registry, OLD, "east", *purpose).await;
        assert_eq!(raised(&outcome), "HS005", "{purpose}: {outcome:?}");
    }
    let merge = world.database.connect(Role::Merge).await.unwrap();
    for pool in [&world.concierge, &world.registry, &merge] {
        let sql = "select authority.is_forgotten('acme')";
        let forgotten: bool = sqlx::query_scalar(sql).fetch_one(pool).await.unwrap();
        assert!(forgotten);
    }
    // The epoch that was served is no longer above the fleet's own.
    move_epoch(&world.concierge).await;
    intend(&mut registry, NEW, "west", Purpose::Replay)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_freeze_that_ran_out_refuses_nothing() {
    let world = world().await;
    let mut tx = world.concierge.begin().await.unwrap();
    let id = Uuid::new_v4();
    authority::freeze(&mut tx, FLEET, id, Duration::from_secs(60), "op")
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let mut registry = world.registry.acquire().await.unwrap();
    let outcome = intend(&mut registry, OLD, "east", Purpose::Provision).await;
    assert_eq!(raised(&outcome), "HS002");

    let mut tx = world.concierge.begin().await.unwrap();
    assert!(
        !authority::thaw(&mut tx, FLEET, Uuid::new_v4())
            .await
            .unwrap()
    );
    authority::freeze(&mut tx, FLEET, id, Duration::ZERO, "op")
        .await
        .unwrap();
    tx.commit().await.unwrap();
    intend(&mut registry, OLD, "east", Purpose::Provision)
        .await
        .unwrap();
    let mut connection = world.concierge.acquire().await.unwrap();
    assert_eq!(
        authority::expired_freezes(&mut connection).await.unwrap(),
        [FLEET]
    );
    assert!(
        authority::thaw_expired(&mut connection, FLEET)
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn a_commit_from_another_epoch_moves_nothing() {
    let world = world().await;
    let mut tx = world.concierge.begin().await.unwrap();
    let succession = Succession {
        fleet_id: FLEET,
        from_epoch: NEW,
        from_hub: "east",
        to_epoch: Epoch(4097),
        to_hub: "west",
        operation: "op",
    };
    assert!(!authority::succeed(&mut tx, &succession).await.unwrap());
}

#[tokio::test]
async fn two_hubs_are_never_active() {
    let world = world().await;
    let mut connection = world.concierge.acquire().await.unwrap();
    let outcome = hub::enthrone(&mut connection, FLEET, "west", NEW, &STANDBY).await;
    assert!(
        outcome
            .unwrap_err()
            .is_constraint("authority_hub_one_active")
    );
}

async fn is_denied(pool: &PgPool, sql: &'static str) -> bool {
    match sqlx::query(sql).execute(pool).await {
        Err(error) => error
            .as_database_error()
            .is_some_and(|e| e.code().as_deref() == Some("42501")),
        Ok(_) => false,
    }
}

#[tokio::test]
async fn no_service_reads_anothers_tables_and_the_authority_is_the_concierges() {
    let world = world().await;
    let merge = world.database.connect(Role::Merge).await.unwrap();
    let reads = "select fleet_id from concierge.fleet";
    assert!(is_denied(&world.registry, reads).await && is_denied(&merge, reads).await);
    for writes in [
        "update authority.fleet set epoch = epoch + 1",
        "update authority.hub set state = 'retired'",
        "insert into authority.fleet (fleet_id, epoch, active_hub_id) values ('x', 1, 'y')",
        "delete from authority.fleet",
    ] {
        assert!(
            is_denied(&world.registry, writes).await,
            "registry: {writes}"
        );
        assert!(is_denied(&merge, writes).await, "merge: {writes}");
    }
    assert!(!is_denied(&merge, "select epoch from authority.fleet").await);
    let foreign: Vec<String> = foreign_tables(&world).await;
    for table in &foreign {
        let sql = sqlx::AssertSqlSafe(format!("select 1 from {table} limit 1"));
        let outcome = sqlx::query(sql).execute(&world.concierge).await;
        assert!(outcome.is_err(), "the concierge reads {table}");
    }
}

/// Every table of the other services.
async fn foreign_tables(world: &World) -> Vec<String> {
    let look = world.database.connect(Role::Superuser).await.unwrap();
    sqlx::query_scalar(
        "select format('%I.%I', schemaname, tablename) from pg_tables
          where schemaname in ('registry', 'merge')",
    )
    .fetch_all(&look)
    .await
    .unwrap()
}
