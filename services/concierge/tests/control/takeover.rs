//! A move goes on at another replica, from wherever the first one left it.

use hubshift_api::pb::concierge::FailoverKind;
use hubshift_api::pb::types::TaskState;

use hubshift_testkit::pg::Role;

use crate::world::{World, order, succeeded};

#[tokio::test]
async fn another_replica_finishes_the_move() {
    for (held, step) in [("drain", "drain"), ("replay", "replay")] {
        let mut world = World::new().await;
        world.below.script().held.insert(held);
        let started = world.start(order(FailoverKind::Planned)).await.unwrap();
        world.until_step(&started.name, step).await;
        world.replace_concierge().await;
        world.below.script().held.clear();
        let failover = world.done(&started.name).await;
        assert_eq!(
            failover.state(),
            TaskState::Succeeded,
            "{:#?}",
            failover.history
        );
        assert_eq!(succeeded(&failover), started.plan.unwrap().steps);
        assert_eq!(world.fleet().await.active_hub, "west");
        let script = world.below.script();
        let tasks = script.started.iter().filter(|(kind, ..)| *kind == held);
        let mut ids: Vec<_> = tasks.map(|(_, request_id, _)| request_id).collect();
        ids.dedup();
        assert_eq!(ids.len(), 1, "the task was started under two request ids");
    }
}

#[tokio::test]
async fn a_commit_that_runs_again_moves_nothing() {
    let world = World::new().await;
    world.below.script().held.insert("replay");
    let name = world
        .start(order(FailoverKind::Planned))
        .await
        .unwrap()
        .name;
    world.until_step(&name, "replay").await;
    let epoch = world.fleet().await.epoch;
    let look = world.database.connect(Role::Superuser).await.unwrap();
    // As after a crash between the commit and its journal: the executor knows of no epoch.
    sqlx::query(
        "update flow.workflow
            set step = 'commit', data = jsonb_set(data, '{report,epoch}', '0'), attempt = 0,
                fence = fence + 1, lease_owner = null, lease_until = null, wake_time = now()",
    )
    .execute(&look)
    .await
    .unwrap();
    world.below.script().held.clear();
    let failover = world.done(&name).await;
    assert_eq!(
        failover.state(),
        TaskState::Succeeded,
        "{:#?}",
        failover.history
    );
    assert_eq!(failover.report.unwrap().epoch, epoch);
    assert_eq!(world.fleet().await.epoch, epoch);
    let epochs: i64 = sqlx::query_scalar("select count(*) from concierge.epoch")
        .fetch_one(&look)
        .await
        .unwrap();
    assert_eq!(epochs, 2);
}
