//! Which passes run side by side.

use super::*;
use crate::budget::Lane;
use crate::pass::{Pass, PassCx};
use crate::testing::World;
use crate::workflows::trouble::Turn;

async fn started(world: &World, depth: Depth) -> bool {
    let summary = tick(&world.deps, depth).await.unwrap();
    assert_eq!(summary.started + summary.busy, 1);
    summary.started == 1
}

/// A turn of a pass, by one lane.
async fn turn(world: &World, lane: Lane) -> (Pass, Turn) {
    let west = HubId::new("west").unwrap();
    let view = world.view().await;
    let mut pass = Pass::new(&view, &west, Depth::Incremental).unwrap();
    let cx = PassCx {
        deps: &world.deps,
        fleet: &world.fleet,
        lane,
        attempt: 0,
    };
    let turn = pass.advance(&cx).await.unwrap();
    (pass, turn)
}

#[tokio::test]
async fn a_sweep_that_waits_for_the_next_day_keeps_no_news_from_the_standby() {
    let world = World::new().await;
    world.spend_the_day_at_east().await;
    assert!(started(&world, Depth::Incremental).await);
    assert!(!started(&world, Depth::Light).await, "it may be reading");
    let (pass, held) = turn(&world, Lane::Routine).await;
    assert!(matches!(held, Turn::Pause(_)), "{held:?}");
    let west = HubId::new("west").unwrap();
    let mut state = State::new(world.fleet.clone(), west, Depth::Incremental);
    state.pass = Some(pass);
    sqlx::query("update flow.workflow set data = $1 where kind = 'sync'")
        .bind(serde_json::to_value(&state).unwrap())
        .execute(&world.admin)
        .await
        .unwrap();
    assert!(!started(&world, Depth::Incremental).await, "one is enough");
    assert!(started(&world, Depth::Light).await);
    assert!(!started(&world, Depth::Light).await, "one is enough");
    // What somebody ordered reads on meanwhile.
    let (_, ordered) = turn(&world, Lane::Task).await;
    assert!(!matches!(ordered, Turn::Pause(_)), "{ordered:?}");
}
