//! An emulated hub in process and a connector to it.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::time::Duration;

use hubshift_emulator::{Emulator, Options, Running};
use hubshift_hub::{
    AzureHub, AzureSettings, Credentials, DeviceWrite, EtagPair, Hub as _, HubDevice, Identity,
    Secret, Summary,
};
use serde_json::{Map, Value, json};

pub(crate) const DEADLINE: Duration = Duration::from_secs(5);

/// A key of 32 bytes, all the same.
pub(crate) fn key(letter: char) -> Secret {
    Secret::new(format!("{}=", String::from(letter).repeat(43)))
}

pub(crate) fn options() -> Options {
    Options::local("iothubowner", &key('A'))
}

pub(crate) async fn emulator() -> Running {
    Emulator::start(options()).await.unwrap()
}

pub(crate) fn settings(emulator: &Running) -> AzureSettings {
    AzureSettings {
        ca_pem: Some(emulator.ca_pem.clone()),
        call_deadline: DEADLINE,
        read_lag: Duration::ZERO,
        ..AzureSettings::new(&emulator.connection_string())
    }
}

pub(crate) fn connect(emulator: &Running) -> AzureHub {
    AzureHub::new(settings(emulator)).unwrap()
}

pub(crate) async fn pair() -> (Running, AzureHub) {
    let emulator = emulator().await;
    let hub = connect(&emulator);
    (emulator, hub)
}

pub(crate) fn sas(letter: char) -> Credentials {
    Credentials::Sas {
        primary: key(letter),
        secondary: key('Z'),
    }
}

pub(crate) fn object(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap()
}

pub(crate) fn write(id: &str, credentials: Credentials) -> DeviceWrite {
    DeviceWrite {
        identity: Identity {
            device_id: id.to_owned(),
            enabled: true,
            status_reason: None,
            credentials,
            iot_edge: false,
            parent: None,
            managed_by: None,
        },
        tags: object(json!({"room": "4"})),
        desired: object(json!({"rate": 5, "mode": {"night": true}})),
    }
}

/// An edge device below another one, or below none.
pub(crate) fn edge(id: &str, parent: Option<&str>) -> DeviceWrite {
    let mut edge = leaf(id, parent);
    edge.identity.iot_edge = true;
    edge
}

/// A device below an edge device, or below none.
pub(crate) fn leaf(id: &str, parent: Option<&str>) -> DeviceWrite {
    let mut leaf = write(id, sas('B'));
    leaf.identity.parent = parent.map(str::to_owned);
    leaf
}

pub(crate) async fn create(hub: &AzureHub, device: &DeviceWrite) -> HubDevice {
    hub.create(device).await.into_result().unwrap()
}

/// The etags of identity and twin.
pub(crate) fn etags(device: &HubDevice) -> EtagPair {
    EtagPair {
        identity: Some(device.identity_etag.clone()),
        twin: Some(device.twin_etag.clone()),
    }
}

/// All rows of the listing, in pages of two.
pub(crate) async fn listed(hub: &AzureHub) -> Vec<Summary> {
    let (mut rows, mut cursor) = (Vec::new(), None);
    loop {
        let page = hub.list(cursor, 2).await.into_result().unwrap();
        assert!(page.rows.len() <= 2);
        rows.extend(page.rows);
        cursor = page.next;
        if cursor.is_none() {
            return rows;
        }
    }
}

/// The same device, to be written again.
pub(crate) fn rewrite(device: &HubDevice) -> DeviceWrite {
    DeviceWrite {
        identity: device.identity.clone(),
        tags: device.tags.clone(),
        desired: device.desired.clone(),
    }
}

pub(crate) async fn get(hub: &AzureHub, id: &str) -> HubDevice {
    hub.get(id)
        .await
        .into_result()
        .unwrap()
        .expect("the device is there")
}
