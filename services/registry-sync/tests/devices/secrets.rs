//! Keys are shown to who asks for them, and to nobody else.

use crate::common::log;
use hubshift_api::pb::registry as pb;
use tracing::Level;

use crate::calls::{create, credentials, disabling, get, keys, tagged, update};
use crate::common::World;

#[tokio::test]
async fn keys_are_where_they_belong_and_nowhere_else() {
    let log = log::capture(Level::DEBUG);
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
    let logged = log::text(log);
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
