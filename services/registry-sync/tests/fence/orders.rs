//! Orders whose outcome nobody knows, and planes that are away.

use hubshift_api::pb::registry as pb;
use hubshift_api::pb::registry::FenceState;
use hubshift_testkit::eventually;
use tonic::Status;
use uuid::Uuid;

use crate::common::{PATIENCE, WEST_REIGNS, World};
use crate::plane::{
    connection_with, direct, is_fenced, lift, orders, origin, secret, shut, shutting, until,
    until_idle,
};
use crate::world;

/// An order to shut east, which was open, as a crash leaves it behind: it may take effect for so many
/// seconds.
async fn leave_order(world: &World, seconds: f64) {
    sqlx::query(
        "insert into registry.fence
             (fleet_id, hub_id, epoch, state, task_id, order_number, was_open, call_until)
         values ('acme', 'east', $1, 'unknown', gen_random_uuid(), 1, true,
                 clock_timestamp() + make_interval(secs => $2))",
    )
    .bind(WEST_REIGNS)
    .bind(seconds)
    .execute(&world.admin)
    .await
    .unwrap();
}

#[tokio::test]
async fn an_order_that_took_effect_unseen_is_found_done_and_not_repeated() {
    let world = world().await;
    world.fail_over().await;
    direct(&world).fence().await.into_result().unwrap();
    leave_order(&world, 3600.0).await;
    assert!(is_fenced(&world).await);
    let keys = world.east.running.connection_string();
    shut(&world, &shutting(WEST_REIGNS)).await.unwrap();
    until(&world, FenceState::Done).await;
    assert_eq!(orders(&world).await, ("done".to_owned(), 1));
    assert_eq!(world.east.running.connection_string(), keys);
    world.stop().await;
}

#[tokio::test]
async fn an_order_that_may_still_take_effect_is_waited_for_before_another_one_is_given() {
    let world = world().await;
    world.fail_over().await;
    leave_order(&world, 3600.0).await;
    shut(&world, &shutting(WEST_REIGNS)).await.unwrap();
    let waits = || async {
        let events: i64 = sqlx::query_scalar(
            "select count(*) from flow.event e join flow.workflow w using (workflow_id)
              where w.kind = 'fence' and e.phase = 'waiting'",
        )
        .fetch_one(&world.admin)
        .await
        .unwrap();
        events > 0
    };
    assert!(eventually(PATIENCE, waits).await);
    assert_eq!(orders(&world).await, ("unknown".to_owned(), 1));
    assert!(world.east.get("d").await.is_none(), "it is open");
    sqlx::query("update registry.fence set call_until = clock_timestamp()")
        .execute(&world.admin)
        .await
        .unwrap();
    until(&world, FenceState::Done).await;
    assert_eq!(orders(&world).await, ("done".to_owned(), 2));
    world.stop().await;
}

async fn connect_untested(world: &World, secret: &str) -> Result<(), Status> {
    let request = pb::UpdateConnectionRequest {
        connection: Some(connection_with(world, secret)),
        request_id: Uuid::new_v4().to_string(),
        skip_test: true,
    };
    let mut connections = world.connections.clone();
    connections.update_connection(request).await.map(drop)
}

#[tokio::test]
async fn a_plane_that_is_away_leaves_the_hub_as_it_is_and_says_so() {
    let world = world().await;
    let away = secret(&world).replace(&origin(&world), "https://127.0.0.1:1");
    connect_untested(&world, &away).await.unwrap();
    world.fail_over().await;
    shut(&world, &shutting(WEST_REIGNS)).await.unwrap();
    let status = until_idle(&world).await;
    assert_eq!(status.state(), FenceState::Requested);
    assert!(
        status.error.contains("at the management plane: "),
        "{status:?}"
    );
    assert!(!is_fenced(&world).await, "nothing was ordered");
    assert!(world.status_of("east").await.reachable);

    // What never took effect is given up without the plane.
    let lifted = lift(&world).await;
    assert_eq!(lifted.state(), FenceState::Lifted);
    assert!(lifted.next.is_empty() && lifted.error.is_empty());
    assert_eq!(orders(&world).await, ("lifted".to_owned(), 0));

    // A hub that is shut out is not left without a way to open it.
    connect_untested(&world, &secret(&world)).await.unwrap();
    let again = pb::FenceHubRequest {
        again: true,
        ..shutting(0)
    };
    shut(&world, &again).await.unwrap();
    until(&world, FenceState::Done).await;
    let mut forgetful = connection_with(&world, &secret(&world));
    forgetful.management_ref.clear();
    let request = pb::UpdateConnectionRequest {
        connection: Some(forgetful),
        request_id: Uuid::new_v4().to_string(),
        skip_test: true,
    };
    let mut connections = world.connections.clone();
    let refused = connections.update_connection(request).await.unwrap_err();
    assert_eq!(hubshift_api::fault::reason(&refused), "HUB_FENCED");
    connect_untested(&world, &secret(&world)).await.unwrap();
    world.stop().await;
}
