//! Keys that a fence makes are nowhere but at the hub, and the plane's secret is nowhere at all.

use std::io::Write;
use std::sync::{Mutex, OnceLock};

use hubshift_api::pb::registry::FenceState;
use tracing_subscriber::fmt::MakeWriter;

use crate::common::WEST_REIGNS;
use crate::plane::{CLIENT_SECRET, connect, fence, lift, shut, shutting, until};
use crate::world;

#[tokio::test]
async fn no_answer_and_no_log_has_a_key_or_the_planes_secret() {
    let log = capture_logs();
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
    let logged = String::from_utf8_lossy(&log.lock().unwrap()).into_owned();
    for secret in keys.iter().map(|key| key.expose()).chain([CLIENT_SECRET]) {
        assert!(!said.contains(secret), "an answer shows a secret");
        assert!(!logged.contains(secret), "the log shows a secret");
    }
    for audited in ["a hub is to be shut out", "a hub is to be opened again"] {
        assert!(logged.contains(audited), "{audited}: it is audited");
    }
    world.stop().await;
}

/// All that this process logs from now on.
fn capture_logs() -> &'static Mutex<Vec<u8>> {
    static LOG: OnceLock<Mutex<Vec<u8>>> = OnceLock::new();
    let log = LOG.get_or_init(Mutex::default);
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::DEBUG)
        .with_writer(Lines(log))
        .finish();
    // Another test of this process may have been faster; its log is this one.
    let _ = tracing::subscriber::set_global_default(subscriber);
    log
}

#[derive(Clone, Copy)]
struct Lines(&'static Mutex<Vec<u8>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        *self
    }
}
