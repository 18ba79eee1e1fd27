//! The hard fence on a real database: whom it may meet, and that an order and a commit exclude each
//! other.

use hubshift_domain::fence::{FenceState, may_be_fenced};

use super::*;

async fn assert_fence(connection: &mut PgConnection, epoch: Epoch) -> Result<(), StoreError> {
    sqlx::query("select authority.assert_fence($1, $2, 'west')")
        .bind(FLEET)
        .bind(epoch.as_i64())
        .execute(connection)
        .await
        .map(drop)
        .map_err(StoreError::from)
}

/// Records how the fence of west stands.
async fn record(connection: &mut PgConnection, state: FenceState) {
    sqlx::query(
        "insert into registry.fence (fleet_id, hub_id, epoch, state, task_id)
         values ($1, 'west', $2, $3, $4)
         on conflict on constraint registry_fence_pk do update set state = excluded.state",
    )
    .bind(FLEET)
    .bind(OLD.as_i64())
    .bind(state.as_str())
    .bind(Uuid::nil())
    .execute(connection)
    .await
    .unwrap();
}

/// A world in which west may be anything.
async fn without_reign() -> (World, PgPool) {
    let world = world().await;
    let look = world.database.connect(Role::Superuser).await.unwrap();
    sqlx::query("update authority.hub set state = 'retired' where hub_id = 'east'")
        .execute(&look)
        .await
        .unwrap();
    (world, look)
}

#[tokio::test]
async fn only_a_hub_that_a_forced_move_left_may_be_shut_out() {
    let (world, look) = without_reign().await;
    let mut registry = world.registry.acquire().await.unwrap();
    for state in HubState::ALL {
        set(&look, RegistryMode::Open, *state).await;
        let outcome = assert_fence(&mut registry, OLD).await;
        assert_eq!(
            outcome.is_ok(),
            may_be_fenced(*state),
            "{state}: {outcome:?}"
        );
        if !may_be_fenced(*state) {
            assert_eq!(raised(&outcome), "HS003", "{state}");
        }
    }
    set(&look, RegistryMode::Open, HubState::Quarantined).await;
    assert_eq!(raised(&assert_fence(&mut registry, NEW).await), "HS001");
}

#[tokio::test]
async fn a_hub_counts_as_shut_while_an_order_may_be_in_effect() {
    let world = world().await;
    let mut registry = world.registry.acquire().await.unwrap();
    let mut concierge = world.concierge.acquire().await.unwrap();
    assert!(!hub::is_fenced(&mut concierge, FLEET, "west").await.unwrap());
    for state in FenceState::ALL {
        record(&mut registry, *state).await;
        let fenced = hub::is_fenced(&mut concierge, FLEET, "west").await.unwrap();
        assert_eq!(fenced, state.may_be_shut(), "{state}");
    }
}

#[tokio::test]
async fn a_commit_waits_for_an_order_and_sees_it() {
    let (world, look) = without_reign().await;
    set(&look, RegistryMode::Open, HubState::Quarantined).await;
    let mut order = world.registry.begin().await.unwrap();
    assert_fence(&mut order, OLD).await.unwrap();

    let pool = world.concierge.clone();
    let commit = tokio::spawn(async move {
        let mut tx = pool.begin().await.unwrap();
        authority::hold(&mut tx, FLEET).await.unwrap().unwrap();
        hub::is_fenced(&mut tx, FLEET, "west").await.unwrap()
    });
    assert!(eventually(PATIENCE, || async { waiting(&look).await == 1 }).await);
    record(&mut order, FenceState::Unknown).await;
    order.commit().await.unwrap();
    assert!(commit.await.unwrap(), "west would reign and be shut out");
}

#[tokio::test]
async fn an_order_that_waited_for_a_commit_is_not_given() {
    let world = world().await;
    let look = world.database.connect(Role::Superuser).await.unwrap();
    sqlx::query("update authority.hub set state = 'quarantined' where hub_id = 'west'")
        .execute(&look)
        .await
        .unwrap();
    let mut commit = world.concierge.begin().await.unwrap();
    authority::hold(&mut commit, FLEET).await.unwrap().unwrap();

    let registry = world.registry.clone();
    let order = tokio::spawn(async move {
        let mut connection = registry.acquire().await.unwrap();
        assert_fence(&mut connection, OLD).await
    });
    assert!(eventually(PATIENCE, || async { waiting(&look).await == 1 }).await);
    hub::depose(&mut commit, FLEET, "east", OLD, HubState::Draining)
        .await
        .unwrap();
    let heirs = [HubState::Quarantined];
    hub::enthrone(&mut commit, FLEET, "west", NEW, &heirs)
        .await
        .unwrap();
    commit.commit().await.unwrap();
    assert_eq!(raised(&order.await.unwrap()), "HS003");
}
