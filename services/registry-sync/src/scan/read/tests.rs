//! Reading at a hub that answers only so many calls before it asks for a pause.

use hubshift_domain::epoch::Epoch;
use hubshift_domain::id::HubId;
use tokio::time::Instant;

use super::*;
use crate::budget::Lane;
use crate::scan::{Options, ScanCx};
use crate::testing::{NARROW_PAUSE, Narrow, World};

/// What the scan has yet to read.
async fn left(world: &World, scan: &Scan, ids: &[String]) -> Vec<String> {
    let pool = &world.deps.pool;
    let read = store::observed::already_read(pool, "acme", "east", scan.scan_id, ids)
        .await
        .unwrap();
    ids.iter()
        .filter(|id| !read.contains(id))
        .cloned()
        .collect()
}

#[tokio::test]
async fn what_was_read_before_a_hub_asked_for_a_pause_is_kept() {
    let world = World::new().await;
    let ids: Vec<String> = (0..12).map(|number| format!("d-{number:02}")).collect();
    let hub = Narrow::with(&ids);
    let cx = ScanCx {
        deps: &world.deps,
        fleet: &world.fleet,
        lane: Lane::Task,
        attempt: 0,
    };
    let work = Work {
        cx: &cx,
        keys: world.deps.keys(&world.fleet).await.unwrap(),
        hub: hub.clone(),
        until: Instant::now(),
    };
    let east = HubId::new("east").unwrap();
    let now = world.view().await.now;
    let mut scan = Scan::new(east, Epoch(1024), Options::default(), now);
    for (window, first_unread) in ["d-05", "d-10"].into_iter().enumerate() {
        hub.refill(5);
        let devices = left(&world, &scan, &ids).await;
        let (turn, unread) = scan.read(&work, devices).await.unwrap();
        assert_eq!(turn, Turn::Pause(NARROW_PAUSE), "window {window}");
        assert_eq!(unread.as_deref(), Some(first_unread));
    }
    hub.refill(5);
    let devices = left(&world, &scan, &ids).await;
    assert_eq!(devices.len(), 2);
    let done = scan.read(&work, devices).await.unwrap();
    assert_eq!(done, (Turn::More, None));
    assert_eq!(hub.refused(), 2, "no call begins after one was throttled");
    let held = store::kinds::held(&world.deps.pool, "acme", "east").await;
    assert_eq!(held.unwrap().devices, 12);
}
