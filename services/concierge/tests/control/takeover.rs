//! A move goes on at another replica, from wherever the first one left it.

use hubshift_api::pb::concierge::FailoverKind;
use hubshift_api::pb::types::TaskState;

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
