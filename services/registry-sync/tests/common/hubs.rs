//! An emulated hub, and what somebody does at it behind the service's back.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hubshift_emulator::{Emulator, Options, Running};
use hubshift_hub::{
    AzureHub, AzureSettings, Credentials, DeviceWrite, EtagPair, Hub as _, HubDevice, Identity,
    Secret,
};
use serde_json::{Map, Value, json};

/// A hub whose registry is in a file, so that it can be stopped and brought back.
pub(crate) struct Hub {
    pub(crate) running: Running,
    key: Secret,
    data: PathBuf,
}

impl Hub {
    pub(crate) async fn start(name: &str, dir: &Path) -> Self {
        Self::start_with(name, dir, |options| options).await
    }

    /// One with other options, until it comes back.
    pub(crate) async fn start_with(
        name: &str,
        dir: &Path,
        change: impl FnOnce(Options) -> Options,
    ) -> Self {
        let key = Secret::generate().unwrap();
        let data = dir.join(format!("{name}.jsonl"));
        let running = Emulator::start(change(options(&key, &data))).await.unwrap();
        Self { running, key, data }
    }

    /// Keeps a copy of what the hub holds now.
    pub(crate) fn save(&self, copy: &Path) {
        std::fs::copy(&self.data, copy).unwrap();
    }

    /// Stops the hub and brings it back with what it held, or with a copy, or with nothing.
    pub(crate) async fn come_back(self, with: Come<'_>) -> Self {
        let Self { running, key, data } = self;
        running.stop().await;
        match with {
            Come::AsWas => {}
            Come::With(copy) => drop(std::fs::copy(copy, &data).unwrap()),
            Come::Empty => std::fs::remove_file(&data).unwrap(),
        }
        let running = emulator(&key, &data).await;
        Self { running, key, data }
    }

    /// A way in, past the service.
    pub(crate) fn direct(&self) -> AzureHub {
        let settings = AzureSettings {
            ca_pem: Some(self.running.ca_pem.clone()),
            call_deadline: Duration::from_secs(10),
            read_lag: Duration::ZERO,
            ..AzureSettings::new(&self.running.connection_string())
        };
        AzureHub::new(settings).unwrap()
    }

    pub(crate) async fn get(&self, id: &str) -> Option<HubDevice> {
        self.direct().get(id).await.into_result().unwrap()
    }

    pub(crate) async fn create(&self, device: &DeviceWrite) -> HubDevice {
        self.direct().create(device).await.into_result().unwrap()
    }

    /// `count` devices `d-0` to `d-9` and so on, with keys.
    pub(crate) async fn create_many(&self, count: usize) {
        for number in 0..count {
            self.create(&device(&format!("d-{number:03}"), sas())).await;
        }
    }

    /// Changes a device whatever it was.
    pub(crate) async fn change(&self, id: &str, change: impl FnOnce(&mut DeviceWrite)) {
        let found = self.get(id).await.unwrap();
        let mut wanted = DeviceWrite {
            identity: found.identity.clone(),
            tags: found.tags.clone(),
            desired: found.desired.clone(),
        };
        change(&mut wanted);
        let etags = EtagPair {
            identity: Some(found.identity_etag),
            twin: Some(found.twin_etag),
        };
        self.direct()
            .update(&wanted, &etags)
            .await
            .into_result()
            .unwrap();
    }

    pub(crate) async fn delete(&self, id: &str) {
        let found = self.get(id).await.unwrap();
        self.direct()
            .delete(id, &found.identity_etag)
            .await
            .into_result()
            .unwrap();
    }

    /// Writes that arrived.
    pub(crate) fn writes(&self) -> u64 {
        [
            "put_device",
            "delete_device",
            "put_twin",
            "patch_twin",
            "put_module",
            "delete_module",
            "put_module_twin",
            "put_configuration",
            "delete_configuration",
        ]
        .iter()
        .map(|operation| self.running.requests(operation))
        .sum()
    }
}

/// With what a hub comes back.
pub(crate) enum Come<'a> {
    /// What it held.
    AsWas,
    /// An older copy.
    With(&'a Path),
    /// Nothing.
    Empty,
}

pub(crate) fn sas() -> Credentials {
    Credentials::Sas {
        primary: Secret::generate().unwrap(),
        secondary: Secret::generate().unwrap(),
    }
}

pub(crate) fn device(id: &str, credentials: Credentials) -> DeviceWrite {
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
    let mut leaf = device(id, sas());
    leaf.identity.parent = parent.map(str::to_owned);
    leaf
}

pub(crate) fn module(key: &str) -> DeviceWrite {
    let mut module = device(key, sas());
    module.identity.managed_by = Some("us".to_owned());
    module
}

/// A configuration that sets a rate.
pub(crate) fn configuration(id: &str, rate: i64) -> DeviceWrite {
    let mut write = device(&format!("/configurations/{id}"), Credentials::None);
    let content = json!({"deviceContent": {"properties.desired.rate": rate}});
    write.tags = object(json!({
        "labels": {"by": "us"}, "priority": 3, "targetCondition": "tags.site = '7'",
    }));
    write.desired = object(json!({"content": content.to_string(), "schemaVersion": "1.0"}));
    write
}

pub(crate) fn object(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap()
}

async fn emulator(key: &Secret, data: &Path) -> Running {
    Emulator::start(options(key, data)).await.unwrap()
}

fn options(key: &Secret, data: &Path) -> Options {
    let mut options = Options {
        data: Some(data.to_owned()),
        ..Options::local("iothubowner", key)
    };
    // As a hub does that is entered with a shared access policy.
    options.registry.strict_module_access = true;
    options
}
