//! Keys are shown to who asks for them, and to nobody else.

use std::io::Write;
use std::sync::{Mutex, OnceLock};

use hubshift_api::pb::registry as pb;
use tracing_subscriber::fmt::MakeWriter;

use crate::calls::{create, credentials, disabling, get, keys, tagged, update};
use crate::common::World;

#[tokio::test]
async fn keys_are_where_they_belong_and_nowhere_else() {
    let log = capture_logs();
    let world = World::start().await;
    let made = create(&world, &tagged("secret")).await.unwrap();
    let at_hub = keys(&world.east.get("secret").await.unwrap());
    let shown = credentials(&world, "secret").await;
    assert_eq!((shown.primary_key.clone(), shown.secondary_key), at_hub);
    let given = pb::DeviceCredentials {
        primary_key: at_hub.1.clone(),
        secondary_key: at_hub.0.clone(),
        ..Default::default()
    };
    let rotation = pb::UpdateDeviceRequest {
        credentials: Some(given),
        ..disabling("secret", "")
    };
    let rotated = update(&world, &rotation).await.unwrap();
    assert_eq!(credentials(&world, "secret").await.primary_key, at_hub.1);
    let request = pb::ListDevicesRequest {
        parent: "fleets/acme".into(),
        ..Default::default()
    };
    let listed = world.devices.clone().list_devices(request).await.unwrap();
    let read = get(&world, "secret").await.unwrap();
    let said = format!("{made:?}{rotated:?}{listed:?}{read:?}");
    let logged = String::from_utf8_lossy(&log.lock().unwrap()).into_owned();
    for key in [&at_hub.0, &at_hub.1] {
        assert!(!said.contains(key.as_str()), "an answer shows a key");
        assert!(!logged.contains(key.as_str()), "the log shows a key");
    }
    assert!(
        logged.contains("credentials of a device were asked for"),
        "it is audited"
    );
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
