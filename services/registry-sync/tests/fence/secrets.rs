//! Keys that a fence makes are nowhere but at the hub, and the plane's secret is nowhere at all.

use crate::common::log;
use hubshift_api::pb::registry::FenceState;
use tracing::Level;

use crate::common::WEST_REIGNS;
use crate::plane::{CLIENT_SECRET, connect, fence, lift, shut, shutting, until};
use crate::world;

#[tokio::test]
async fn no_answer_and_no_log_has_a_key_or_the_planes_secret() {
    let log = log::capture(Level::DEBUG);
    let world = world().await;
    let key = || world.east.running.connection_string().key;
    let mut keys = vec![key()];
    let mut said = String::new();
    world.fail_over().await;
    let asked = shut(&world, &shutting(WEST_REIGNS)).await.unwrap();
    let done = until(&world, FenceState::Done).await;
    keys.push(key());
    assert_ne!(keys[0], keys[1], "the fence made a new key");
    said += &format!("{asked:?}{done:?}{:?}", world.status().await);
    said += &format!("{:?}", lift(&world).await);
    until(&world, FenceState::Lifted).await;
    connect(&world).await;
    said += &format!("{:?}", fence(&world).await);
    let tasks: Vec<String> = sqlx::query_scalar("select data::text from flow.workflow")
        .fetch_all(&world.admin)
        .await
        .unwrap();
    said += &tasks.concat();
    let logged = log::text(log);
    for secret in keys.iter().map(|key| key.expose()).chain([CLIENT_SECRET]) {
        assert!(!said.contains(secret), "an answer shows a secret");
        assert!(!logged.contains(secret), "the log shows a secret");
    }
    for audited in ["a hub is to be shut out", "a hub is to be opened again"] {
        assert!(logged.contains(audited), "{audited}: it is audited");
    }
    world.stop().await;
}
