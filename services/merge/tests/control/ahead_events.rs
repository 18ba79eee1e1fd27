//! Events of an epoch that the service has not heard of yet.

use hubshift_api::pb::merge as pb;
use hubshift_api::pb::merge::EventOutcome;
use hubshift_testkit::eventually;
use serde_json::json;

use crate::events::{delta, record, state, sum};
use crate::late_events::{come_home, home};
use crate::world::{EPOCH, PATIENCE, World};

async fn applied(world: &World, count: u64) -> bool {
    eventually(PATIENCE, || async {
        state(world).await.applied_count == count
    })
    .await
}

#[tokio::test]
async fn an_event_of_an_epoch_to_come_is_taken_when_it_has_come() {
    let world = World::new().await;
    let outcomes = record(&world, vec![home(delta(1, 5))]).await;
    assert_eq!(outcomes, [EventOutcome::Parked]);
    let waiting = state(&world).await;
    assert_eq!((waiting.applied_count, waiting.parked_count), (0, 1));
    come_home(&world).await;
    assert!(applied(&world, 1).await, "nobody took it");
    let taken = state(&world).await;
    assert_eq!((sum(&taken), taken.parked_count), (json!(5), 0));
}

#[tokio::test]
async fn an_event_of_this_epoch_releases_none_of_an_epoch_to_come() {
    use EventOutcome::{Applied, Parked};
    let world = World::new().await;
    let outcomes = record(&world, vec![home(delta(2, 20))]).await;
    assert_eq!(outcomes, [Parked]);
    let now = pb::Event {
        epoch: EPOCH,
        ..home(delta(1, 1))
    };
    assert_eq!(record(&world, vec![now]).await, [Applied]);
    let before = state(&world).await;
    assert_eq!(sum(&before), json!(1));
    assert_eq!((before.applied_count, before.parked_count), (1, 1));
    come_home(&world).await;
    assert!(applied(&world, 2).await, "nobody took it");
    assert_eq!(sum(&state(&world).await), json!(21));
}
