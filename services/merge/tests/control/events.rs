//! The inbox: each event has exactly one effect, in whatever order and however often it comes.

use hubshift_api::json::{from_value, to_value};
use hubshift_api::pb::merge as pb;
use hubshift_api::pb::merge::{EventKind, EventOutcome};
use hubshift_testkit::pg::Role;
use serde_json::{Value, json};

use crate::world::{EPOCH, OLD_EPOCH, World, request_id};

/// The n-th event of one producer; its key's n-th version.
pub(crate) fn event(number: u64, kind: EventKind, payload: Value) -> pb::Event {
    pb::Event {
        origin_hub: "west".into(),
        producer: "ingest".into(),
        origin_seq: number,
        event_id: format!("e-{number}"),
        epoch: EPOCH,
        device: "d-1".into(),
        key: "count".into(),
        key_version: number,
        kind: kind.into(),
        payload: Some(to_value(&payload)),
    }
}

pub(crate) fn delta(number: u64, add: i64) -> pb::Event {
    event(number, EventKind::Delta, json!({"add": add}))
}

/// From east, of the epoch that is over.
pub(crate) fn late(number: u64, add: i64) -> pb::Event {
    pb::Event {
        origin_hub: "east".into(),
        epoch: OLD_EPOCH,
        ..delta(number, add)
    }
}

pub(crate) async fn record(world: &World, events: Vec<pb::Event>) -> Vec<EventOutcome> {
    let fleet = "fleets/acme".to_owned();
    let request = pb::RecordEventsRequest {
        fleet,
        events,
        request_id: request_id(),
    };
    let answer = world
        .service
        .events
        .clone()
        .record_events(request)
        .await
        .unwrap()
        .into_inner();
    answer.outcomes().collect()
}

pub(crate) async fn state(world: &World) -> pb::EventState {
    let request = pb::GetEventStateRequest {
        fleet: "fleets/acme".into(),
        device: "d-1".into(),
        key: "count".into(),
    };
    world
        .service
        .events
        .clone()
        .get_event_state(request)
        .await
        .unwrap()
        .into_inner()
}

pub(crate) fn sum(state: &pb::EventState) -> Value {
    state.value.as_ref().map(from_value).unwrap_or_default()
}

#[tokio::test]
async fn deltas_in_reverse_order_and_twice_count_once() {
    use EventOutcome::{Applied, Duplicate, Parked};
    let world = World::new().await;
    let outcomes = record(&world, vec![delta(3, 3), delta(2, 2)]).await;
    assert_eq!(outcomes, [Parked, Parked]);
    let outcomes = record(&world, vec![delta(1, 1), delta(1, 1), delta(3, 3)]).await;
    assert_eq!(outcomes, [Applied, Duplicate, Duplicate]);
    let state = state(&world).await;
    assert_eq!(sum(&state), json!(6));
    assert_eq!((state.applied_count, state.parked_count), (3, 0));
}

#[tokio::test]
async fn an_older_state_does_not_overwrite_a_newer_one() {
    use EventOutcome::{Applied, Stale};
    let world = World::new().await;
    let set = |number, value: i64| event(number, EventKind::State, json!(value));
    let outcomes = record(&world, vec![set(2, 20), set(1, 10)]).await;
    assert_eq!(outcomes, [Applied, Stale]);
    assert_eq!(sum(&state(&world).await), json!(20));
}

#[tokio::test]
async fn what_waits_is_closed_when_something_later_takes_its_place() {
    use EventOutcome::{Applied, Parked};
    let world = World::new().await;
    let at_version = |number, key_version| pb::Event {
        key_version,
        ..delta(number, 1)
    };
    let all = event(3, EventKind::State, json!(6));
    let all = pb::Event {
        key_version: 6,
        ..all
    };
    let outcomes = record(&world, vec![at_version(1, 2), at_version(2, 9), all]).await;
    assert_eq!(outcomes, [Parked, Parked, Applied]);
    let passed = state(&world).await;
    assert_eq!((sum(&passed), passed.parked_count), (json!(6), 1));
    let gone = pb::Event {
        key_version: 7,
        ..event(4, EventKind::Delete, Value::Null)
    };
    assert_eq!(record(&world, vec![gone]).await, [Applied]);
    assert_eq!(state(&world).await.parked_count, 0);
}

#[tokio::test]
async fn late_events_change_nothing_before_the_merge_and_count_once_in_it() {
    use EventOutcome::{Applied, Duplicate, Late};
    let world = World::new().await;
    assert_eq!(record(&world, vec![delta(1, 1)]).await, [Applied]);
    assert_eq!(
        record(&world, vec![late(1, 10), late(2, 20)]).await,
        [Late, Late]
    );
    let before = state(&world).await;
    assert_eq!((sum(&before), before.late_count), (json!(1), 2));
    let plan = world.plan().await;
    assert_eq!(plan.counts.unwrap().late_event_count, 2);
    world.close(&plan).await;
    assert_eq!(sum(&state(&world).await), json!(31));
    assert_eq!(record(&world, vec![late(1, 10)]).await, [Duplicate]);
    world.close(&world.plan().await).await;
    assert_eq!(sum(&state(&world).await), json!(31));
}

#[tokio::test]
async fn an_event_that_says_something_else_under_the_same_id_is_never_applied() {
    let world = World::new().await;
    assert_eq!(
        record(&world, vec![delta(1, 1)]).await,
        [EventOutcome::Applied]
    );
    assert_eq!(
        record(&world, vec![delta(1, 1_000)]).await,
        [EventOutcome::DeadLetter]
    );
    assert_eq!(sum(&state(&world).await), json!(1));
}

#[tokio::test]
async fn an_event_that_is_not_kept_is_not_called_parked() {
    use EventOutcome::{Applied, OutOfWindow, Parked};
    let world = World::new().await;
    let outcomes = record(&world, vec![delta(4097, 1), delta(1, 1)]).await;
    assert_eq!(outcomes, [OutOfWindow, Applied]);
    assert_eq!(state(&world).await.parked_count, 0);
    assert_eq!(record(&world, vec![delta(4097, 1)]).await, [Parked]);
    assert_eq!(state(&world).await.parked_count, 1);
}

/// As if 5,000 events had been taken, of which the service remembers the ids of the last 4,096.
async fn long_ago(world: &World) {
    let statements = [
        "insert into merge.event
                (fleet_id, origin, producer, origin_seq, event_id, epoch, device_id, event_key,
                 key_version, kind, payload, payload_sha256, state)
         select 'acme', 'west', 'ingest', n, 'e-' || n, 2049, 'd-1', 'count', n, 'delta',
                '{\"add\": 1}'::jsonb, decode(repeat('00', 32), 'hex'), 'applied'
           from generate_series(2, 5000) n",
        "update merge.event_origin set low_water = 5000",
        "update merge.event_key set last_version = 5000",
    ];
    world.run_as(Role::Merge, &statements).await;
}

#[tokio::test]
async fn an_id_that_was_used_long_ago_holds_nothing_up() {
    use EventOutcome::{Applied, DeadLetter, Duplicate};
    let world = World::new().await;
    assert_eq!(record(&world, vec![delta(1, 1)]).await, [Applied]);
    long_ago(&world).await;
    let next = |number, key_version| pb::Event {
        key_version,
        ..delta(number, 1)
    };
    let again = |number, like| pb::Event {
        origin_seq: number,
        ..delta(like, 1)
    };
    let outcomes = record(&world, vec![next(5001, 5001), again(5002, 1)]).await;
    assert_eq!(outcomes, [Applied, Duplicate]);
    let outcomes = record(&world, vec![again(5003, 2), next(5004, 5002)]).await;
    assert_eq!(outcomes, [DeadLetter, Applied]);
    assert_eq!(sum(&state(&world).await), json!(3));
}
