//! Events of an epoch that is over, in the merge: each takes its place in the order of its key.

use hubshift_api::pb::merge as pb;
use hubshift_api::pb::merge::{EventKind, EventOutcome};
use serde_json::{Value, json};

use crate::events::{delta, event, late, record, state, sum};
use crate::world::World;

/// East's, when it is home again.
pub(crate) const NEXT_EPOCH: u64 = 3072;

/// The producer at east that `late` speaks for, home again.
pub(crate) fn home(event: pb::Event) -> pb::Event {
    pb::Event {
        origin_hub: "east".into(),
        epoch: NEXT_EPOCH,
        ..event
    }
}

fn late_state(number: u64, value: Value) -> pb::Event {
    pb::Event {
        kind: EventKind::State.into(),
        payload: event(number, EventKind::State, value).payload,
        ..late(number, 0)
    }
}

/// East reigned, was lost, and reigns again.
pub(crate) async fn come_home(world: &World) {
    world
        .as_concierge(&["update authority.fleet set epoch = 3072"])
        .await;
}

async fn merge(world: &World) {
    world.close(&world.plan().await).await;
}

#[tokio::test]
async fn what_waited_for_a_late_event_follows_it() {
    use EventOutcome::{Applied, Late, Parked};
    let world = World::at_home().await;
    assert_eq!(record(&world, vec![late(1, 1)]).await, [Applied]);
    world.fail_over().await;
    assert_eq!(record(&world, vec![late(2, 2)]).await, [Late]);
    come_home(&world).await;
    let next = vec![home(delta(3, 3)), home(delta(4, 4))];
    assert_eq!(record(&world, next).await, [Parked, Parked]);
    merge(&world).await;
    let merged = state(&world).await;
    assert_eq!(sum(&merged), json!(10));
    assert_eq!((merged.applied_count, merged.parked_count), (4, 0));
    assert_eq!(record(&world, vec![home(delta(5, 5))]).await, [Applied]);
    assert_eq!(sum(&state(&world).await), json!(15));
}

#[tokio::test]
async fn of_late_states_the_last_one_stands() {
    let world = World::new().await;
    let states = vec![late_state(1, json!("older")), late_state(2, json!("newer"))];
    record(&world, states).await;
    merge(&world).await;
    let merged = state(&world).await;
    assert_eq!(sum(&merged), json!("newer"));
    assert_eq!((merged.applied_count, merged.late_count), (1, 0));
}

#[tokio::test]
async fn a_late_change_that_a_later_state_includes_does_not_count_again() {
    use EventOutcome::{Applied, Late};
    let world = World::at_home().await;
    assert_eq!(record(&world, vec![late(1, 1)]).await, [Applied]);
    world.fail_over().await;
    assert_eq!(record(&world, vec![late(2, 10)]).await, [Late]);
    come_home(&world).await;
    let state_of_all = home(event(3, EventKind::State, json!(11)));
    assert_eq!(record(&world, vec![state_of_all]).await, [Applied]);
    merge(&world).await;
    assert_eq!(sum(&state(&world).await), json!(11));
}

#[tokio::test]
async fn a_key_that_is_gone_does_not_come_back_with_late_events() {
    use EventOutcome::{Applied, Late};
    let world = World::new().await;
    let gone = event(2, EventKind::Delete, Value::Null);
    let outcomes = record(&world, vec![delta(1, 1), gone]).await;
    assert_eq!(outcomes, [Applied, Applied]);
    let outcomes = record(&world, vec![late(1, 10), late_state(2, json!(10))]).await;
    assert_eq!(outcomes, [Late, Late]);
    merge(&world).await;
    let merged = state(&world).await;
    assert_eq!((sum(&merged), merged.applied_count), (Value::Null, 2));
}

#[tokio::test]
async fn a_late_event_of_a_life_that_its_own_origin_ended_has_no_effect() {
    let world = World::at_home().await;
    record(&world, vec![late(1, 1)]).await;
    world.fail_over().await;
    record(&world, vec![late(2, 10)]).await;
    come_home(&world).await;
    let gone = home(event(3, EventKind::Delete, Value::Null));
    assert_eq!(record(&world, vec![gone]).await, [EventOutcome::Applied]);
    merge(&world).await;
    assert_eq!(sum(&state(&world).await), Value::Null);
}

#[tokio::test]
async fn a_late_change_waits_for_the_one_before_it() {
    let world = World::new().await;
    record(&world, vec![late(2, 20)]).await;
    merge(&world).await;
    let waiting = state(&world).await;
    assert_eq!((waiting.applied_count, waiting.parked_count), (0, 1));
    record(&world, vec![late(1, 10)]).await;
    merge(&world).await;
    let merged = state(&world).await;
    assert_eq!(sum(&merged), json!(30));
    assert_eq!((merged.applied_count, merged.parked_count), (2, 0));
}
