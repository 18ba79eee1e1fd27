//! A database host that vanishes without a word between a question and its answer.

use std::time::Duration;

use hubshift_flow::{Engine, EngineConfig, WorkflowState};
use hubshift_store::{Database, PoolConfig};
use hubshift_testkit::{Proxy, eventually};
use tokio_util::sync::CancellationToken;

use super::world::{Move, State, World};

/// The engine's pool has one connection, the one that waits for an answer that never comes: the
/// claim must be given up, and the connection with it.
#[tokio::test]
async fn an_engine_goes_on_when_the_host_that_vanished_is_back() {
    let world = World::new().await;
    let proxy = Proxy::before(&world.database.concierge_url())
        .await
        .unwrap();
    let database = Database::lazy(&PoolConfig {
        urls: proxy.url().to_owned(),
        max_connections: 1,
        application: "test",
    })
    .unwrap();
    let mut config = EngineConfig::new("a");
    (config.lease, config.poll) = (Duration::from_secs(1), Duration::from_millis(10));
    proxy.vanish_at("update flow.workflow");
    let engine = Engine::new(database.pool().clone(), config).with(Move(world.probe.clone()));
    let stop = CancellationToken::new();
    let running = tokio::spawn(engine.run(stop.clone()));
    let id = world.start(&State::default()).await;
    let claims = eventually(Duration::from_secs(20), || async { proxy.is_gone() });
    assert!(claims.await);
    proxy.come_back();
    let is_over = || async { world.status(id).await.state.is_over() };
    assert!(eventually(Duration::from_secs(30), is_over).await);
    world.ends(id, WorkflowState::Succeeded).await;
    stop.cancel();
    running.await.unwrap();
}
