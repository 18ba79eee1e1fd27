//! A replay at a hub that answers only so many calls before it asks for a pause.

use super::*;
use crate::store::replay::Journaled;
use crate::testing::{Narrow, World};

#[tokio::test]
async fn a_throttled_replay_goes_on_behind_what_was_through() {
    let world = World::new().await;
    world.set_mode("settling").await;
    let hub = Narrow::with(&[]);
    let mut writer = world.writer("east", Purpose::Replay).await;
    writer.hub = hub.clone();
    let mut left = Vec::new();
    for number in 0..4 {
        let wanted = world.wanted(&format!("d-{number}")).await;
        let print = wanted
            .record
            .fingerprint(&writer.keys.fingerprint, &wanted.device_id);
        left.push(Journaled {
            device_id: wanted.device_id,
            incarnation: 1,
            wanted: Some((wanted.record, wanted.sealed, print)),
        });
    }
    let mut pauses = 0;
    for _ in 0..10 {
        // A read and a write of each device would take eight.
        hub.refill(5);
        let mut repeated = repeat_all(&writer, left.clone(), &[], 0).await.unwrap();
        let pause = until_pause(&mut repeated);
        let through = |one: &Repeated| matches!(one.effect, Effect::Created | Effect::Nothing);
        assert!(repeated.iter().all(through), "{repeated:?}");
        assert_eq!(pause.is_zero(), repeated.len() == left.len());
        pauses += usize::from(!pause.is_zero());
        left.drain(..repeated.len());
    }
    assert!(left.is_empty(), "{left:?}");
    assert!(pauses > 0);
    assert_eq!(hub.devices().len(), 4);
}
