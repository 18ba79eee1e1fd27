//! Random registries of every kind of device.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hubshift_hub::{Credentials, DeviceWrite, Identity, Secret};
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// Every character that an id may have.
const ID: &str = "[A-Za-z0-9.:+%_#*?!(),=@;$'-]{1,24}";
/// Names of members: no dot, dollar, hash, space or control character; any script.
const NAME: &str = "[a-zA-Z0-9_äßéλж漢-]{1,12}";
/// Texts of any script, emoji and quotes included.
const TEXT: &str = "[ -~äßéλж漢字🚚\u{200d}\\n\"\\\\]{0,40}";

/// A device and its modules.
#[derive(Clone, Debug)]
pub(crate) struct Device {
    pub(crate) write: DeviceWrite,
    pub(crate) modules: Vec<DeviceWrite>,
}

/// A hub's registry.
#[derive(Clone, Debug)]
pub(crate) struct Registry {
    pub(crate) devices: Vec<Device>,
    pub(crate) configurations: Vec<DeviceWrite>,
}

impl Registry {
    /// Everything, parents first.
    pub(crate) fn writes(&self) -> impl Iterator<Item = &DeviceWrite> {
        let devices = self.devices.iter();
        let devices = devices.flat_map(|device| [&device.write].into_iter().chain(&device.modules));
        devices.chain(&self.configurations)
    }

    /// How many levels there are from the top down to a device.
    pub(crate) fn depth(&self, id: &str) -> usize {
        let device = self
            .devices
            .iter()
            .find(|device| device.write.identity.device_id == id);
        let parent = device.and_then(|device| device.write.identity.parent.as_deref());
        parent.map_or(1, |parent| 1 + self.depth(parent))
    }
}

pub(crate) fn registries() -> impl Strategy<Value = Registry> {
    let devices = vec(
        (device(), any::<prop::sample::Index>(), any::<bool>()),
        0..8,
    );
    (devices, vec(configuration(), 0..2)).prop_map(|(devices, configurations)| Registry {
        devices: family(devices),
        configurations: unique(configurations),
    })
}

/// Gives some devices a parent among the Edge devices before them; no id stands there twice.
fn family(all: Vec<(Device, prop::sample::Index, bool)>) -> Vec<Device> {
    let mut ids = BTreeSet::new();
    let mut edges: Vec<String> = Vec::new();
    let mut devices = Vec::new();
    for (mut device, which, has_parent) in all {
        let id = device.write.identity.device_id.clone();
        if !ids.insert(id.clone()) {
            continue;
        }
        if has_parent && !edges.is_empty() {
            device.write.identity.parent = Some(which.get(&edges).clone());
        }
        if device.write.identity.iot_edge {
            edges.push(id);
        }
        devices.push(device);
    }
    devices
}

fn unique(writes: Vec<DeviceWrite>) -> Vec<DeviceWrite> {
    let by_key = writes
        .into_iter()
        .map(|write| (write.identity.device_id.clone(), write));
    let by_key: BTreeMap<String, DeviceWrite> = by_key.collect();
    by_key.into_values().collect()
}

fn device() -> impl Strategy<Value = Device> {
    let id = ID.prop_filter("no URL can hold it", |id| id != "." && id != "..");
    let status = (prop::bool::weighted(0.8), option::of(reason()));
    let twin = (object(6), prop_oneof![8 => object(7), 1 => large()]);
    let module = (
        module_id(),
        credentials(),
        object(4),
        object(4),
        option::of("[a-zA-Z]{1,10}"),
    );
    (
        id,
        credentials(),
        status,
        any::<bool>(),
        twin,
        vec(module, 0..3),
    )
        .prop_map(
            |(
                device_id,
                credentials,
                (enabled, status_reason),
                iot_edge,
                (tags, desired),
                modules,
            )| {
                let module = |(module, credentials, tags, desired, managed_by)| DeviceWrite {
                    identity: Identity {
                        device_id: format!("{device_id}/{module}"),
                        enabled: true,
                        status_reason: None,
                        credentials,
                        iot_edge: false,
                        parent: None,
                        managed_by,
                    },
                    tags,
                    desired,
                };
                // A hub does not show, and does not take, modules of a device that may not connect.
                let modules = if enabled {
                    unique(modules.into_iter().map(module).collect())
                } else {
                    Vec::new()
                };
                let write = DeviceWrite {
                    identity: Identity {
                        device_id,
                        enabled,
                        status_reason,
                        credentials,
                        iot_edge,
                        parent: None,
                        managed_by: None,
                    },
                    tags,
                    desired,
                };
                Device { write, modules }
            },
        )
}

/// The hub makes those that begin with a dollar.
fn module_id() -> impl Strategy<Value = String> {
    ID.prop_filter("the hub's own", |id| {
        !id.starts_with('$') && id != "." && id != ".."
    })
}

fn reason() -> impl Strategy<Value = String> {
    "[ -~äéж漢]{1,128}"
}

fn credentials() -> impl Strategy<Value = Credentials> {
    let key = || vec(any::<u8>(), 16..=64).prop_map(|bytes| Secret::new(STANDARD.encode(bytes)));
    let print = || prop_oneof!["[0-9a-fA-F]{40}", "[0-9a-fA-F]{64}"];
    prop_oneof![
        3 => (key(), key()).prop_map(|(primary, secondary)| Credentials::Sas { primary, secondary }),
        1 => (print(), option::of(print())).prop_map(|(primary_thumbprint, secondary_thumbprint)| {
            Credentials::SelfSigned { primary_thumbprint, secondary_thumbprint }
        }),
        1 => Just(Credentials::Ca),
    ]
}

fn configuration() -> impl Strategy<Value = DeviceWrite> {
    ("[a-z0-9][a-z0-9-]{0,20}", 0..100_i64, "[a-z]{1,8}").prop_map(|(name, priority, label)| {
        let content = json!({"deviceContent": {"properties.desired.fan": {"speed": priority}}});
        DeviceWrite {
            identity: Identity {
                device_id: format!("/configurations/{name}"),
                enabled: true,
                status_reason: None,
                credentials: Credentials::None,
                iot_edge: false,
                parent: None,
                managed_by: None,
            },
            tags: map(json!({"labels": {"team": label}, "priority": priority,
                "targetCondition": format!("tags.team='{label}'")})),
            desired: map(json!({"content": content, "schemaVersion": "1.0",
                "metrics": {"queries": {"all": "select deviceId from devices"}}})),
        }
    })
}

/// An object with up to so many members, nested up to four levels.
fn object(members: usize) -> impl Strategy<Value = Map<String, Value>> {
    btree_map(NAME, value(), 0..members).prop_map(|members| members.into_iter().collect())
}

fn value() -> impl Strategy<Value = Value> {
    let number = -((1_i64 << 52) - 1)..(1_i64 << 52);
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::Bool),
        number.prop_map(Value::from),
        (-1e9..1e9_f64).prop_map(Value::from),
        TEXT.prop_map(Value::String),
    ];
    leaf.prop_recursive(4, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::Array),
            btree_map(NAME, inner, 0..3)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Nearly 32 KB: eight strings of nearly 4 KB.
fn large() -> impl Strategy<Value = Map<String, Value>> {
    "[a-z]".prop_map(|letter| {
        let text = letter.repeat(4000);
        (0..8)
            .map(|number| (format!("part{number}"), Value::String(text.clone())))
            .collect()
    })
}

fn map(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap()
}
