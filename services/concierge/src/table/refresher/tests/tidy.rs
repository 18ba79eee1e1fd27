//! What is gone or over is forgotten, and nothing that still says something.

use super::*;

#[tokio::test]
async fn gone_replicas_are_forgotten_only_when_they_know_nothing_more() {
    let world = World::new().await;
    world
        .run(
            "insert into concierge.epoch_witness
                (replica_id, fleet_id, epoch, routing_version, seen_time)
             values ('gone', 'acme', 1024, 1, now() - interval '2 days'),
                    ('knows-more', 'acme', 2049, 2, now() - interval '2 days'),
                    ('here', 'acme', 1024, 1, now())",
        )
        .await;
    assert_eq!(write::forget_gone_replicas(&world.pool).await.unwrap(), 1);
    let left = "select count(*) from concierge.epoch_witness where replica_id <> 'gone'";
    assert_eq!(world.number(left).await, 2);
}

#[tokio::test]
async fn routes_that_are_long_over_are_forgotten_and_newer_ones_stay() {
    let world = World::new().await;
    let one = world.replica();
    one.tick().await.unwrap();
    for sql in [
        "insert into concierge.route
            (fleet_id, routing_version, epoch, jws, issue_time, not_after)
         select fleet_id, routing_version, epoch, jws, now() - interval '9 days',
                now() - interval '8 days' from concierge.route",
        "insert into concierge.route
            (fleet_id, routing_version, epoch, jws, issue_time, not_after)
         select fleet_id, routing_version, epoch, jws, now() - interval '2 days',
                now() - interval '1 day' from concierge.route where not_after > now()",
    ] {
        world.run(sql).await;
    }
    assert_eq!(write::forget_old_routes(&world.pool).await.unwrap(), 1);
    let left = "select count(*) from concierge.route";
    assert_eq!(world.number(left).await, 2);
}
