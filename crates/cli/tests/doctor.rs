//! `hubshift doctor` on two emulated hubs with every kind of difference between them.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use hubshift_azure::{Secret, sas};
use hubshift_emulator::{Emulator, Options, Running};
use hubshift_hub::{
    AzureHub, AzureSettings, Credentials, DeviceWrite, Hub as _, HubDevice, Identity,
};
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use tokio::process::Command;

fn key(letter: char) -> Secret {
    Secret::new(format!("{}=", String::from(letter).repeat(43)))
}

fn sas_keys(letter: char) -> Credentials {
    Credentials::Sas {
        primary: key(letter),
        secondary: key('Z'),
    }
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap()
}

fn device(id: &str) -> DeviceWrite {
    DeviceWrite {
        identity: Identity {
            device_id: id.to_owned(),
            enabled: true,
            status_reason: None,
            credentials: sas_keys('B'),
            iot_edge: false,
            parent: None,
            managed_by: None,
        },
        tags: object(json!({"room": "4"})),
        desired: object(json!({"rate": 5})),
    }
}

struct Site {
    running: Running,
    hub: AzureHub,
}

impl Site {
    async fn start(letter: char) -> Self {
        let options = Options::local("iothubowner", &key(letter));
        let running = Emulator::start(options).await.unwrap();
        let settings = AzureSettings {
            ca_pem: Some(running.ca_pem.clone()),
            call_deadline: Duration::from_secs(20),
            ..AzureSettings::new(&running.connection_string())
        };
        let hub = AzureHub::new(settings).unwrap();
        Self { running, hub }
    }

    async fn make(&self, device: &DeviceWrite) -> HubDevice {
        self.hub.create(device).await.into_result().unwrap()
    }

    fn write_secrets(&self, dir: &Path, name: &str) {
        let connection = self.running.connection_string().expose();
        std::fs::write(dir.join(format!("{name}.secret")), connection).unwrap();
        std::fs::write(dir.join(format!("{name}.pem")), &self.running.ca_pem).unwrap();
    }

    /// A service sends a message to a device: one more thing that does not carry over.
    async fn configuration(&self, id: &str) {
        let expiry = OffsetDateTime::now_utc() + Duration::from_secs(60);
        let policy = self.running.connection_string();
        let token = sas::token(&policy.host, &policy.key, Some(&policy.policy), expiry).unwrap();
        let ca = reqwest::Certificate::from_pem(self.running.ca_pem.as_bytes()).unwrap();
        let http = reqwest::Client::builder()
            .add_root_certificate(ca)
            .no_proxy()
            .build()
            .unwrap();
        let body = json!({"id": id, "schemaVersion": "1.0", "labels": {}, "priority": 3,
            "content": {"deviceContent": {"properties.desired.fan": 1}},
            "targetCondition": "tags.room='4'"});
        let answer = http
            .put(format!(
                "https://{}/configurations/{id}?api-version=2021-04-12",
                policy.host
            ))
            .header("authorization", token.expose())
            .json(&body)
            .send()
            .await
            .unwrap();
        assert!(answer.status().is_success(), "{}", answer.status());
    }
}

/// What the two hubs differ in, one device for each kind.
async fn differ(source: &Site, target: &Site) {
    for site in [source, target] {
        site.make(&device("same")).await;
    }
    source.make(&device("missing")).await;
    target.make(&device("extra")).await;
    let variants: [(&str, fn(&mut DeviceWrite)); 6] = [
        ("status", |it| it.identity.enabled = false),
        ("tags", |it| it.tags = object(json!({"room": "5"}))),
        ("desired", |it| it.desired = object(json!({"rate": 6}))),
        ("keys", |it| it.identity.credentials = sas_keys('C')),
        ("kind", |it| it.identity.credentials = Credentials::Ca),
        ("print", |it| {
            it.identity.credentials = Credentials::SelfSigned {
                primary_thumbprint: "ab".repeat(20),
                secondary_thumbprint: None,
            };
        }),
    ];
    for (name, change) in variants {
        let mut here = device(&format!("differs-{name}"));
        if name == "print" {
            here.identity.credentials = Credentials::SelfSigned {
                primary_thumbprint: "cd".repeat(20),
                secondary_thumbprint: None,
            };
        }
        source.make(&here).await;
        change(&mut here);
        target.make(&here).await;
    }
    for site in [source, target] {
        let mut gate = device("gate");
        gate.identity.iot_edge = true;
        site.make(&gate).await;
    }
    let mut leaf = device("differs-parent");
    target.make(&leaf).await;
    leaf.identity.parent = Some("gate".to_owned());
    source.make(&leaf).await;
    source.make(&device("same/camera")).await;
    let mut authority = device("with-authority");
    authority.identity.credentials = Credentials::Ca;
    for site in [source, target] {
        site.make(&authority).await;
    }
    source.configuration("fans").await;
}

async fn doctor(dir: &Path, output: &str) -> std::process::Output {
    Command::new(env!("CARGO_BIN_EXE_hubshift"))
        .current_dir(dir)
        .args(["doctor", "--source", "file:east.secret", "--source-ca"])
        .args(["file:east.pem", "--target", "file:west.secret"])
        .args(["--target-ca", "file:west.pem", "--target-tier", "S1:1"])
        .args(["--job-container", "file:container", "--output", output])
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_difference_is_named_and_nothing_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let (source, target) = (Site::start('A').await, Site::start('D').await);
    differ(&source, &target).await;
    source.write_secrets(dir.path(), "east");
    target.write_secrets(dir.path(), "west");
    let container = "https://acme.blob.core.windows.net/jobs?sp=rwlc&sig=Y2FuYXJ5c2ln";
    std::fs::write(dir.path().join("container"), container).unwrap();
    let before = (source.running.writes(), target.running.writes());

    let output = doctor(dir.path(), "json").await;
    let text = String::from_utf8(output.stdout).unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}{said}");
    assert!(said.contains("DECISIONS_NEEDED"), "{said}");
    let page: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(page["missing"], json!(["missing", "same/camera"]), "{text}");
    assert_eq!(page["extra"], json!(["extra"]));
    for (key, fields) in [
        ("differs-status", json!(["status"])),
        ("differs-tags", json!(["tags"])),
        ("differs-desired", json!(["desired"])),
        ("differs-kind", json!(["keys"])),
        ("differs-print", json!(["keys"])),
        ("differs-parent", json!(["parent"])),
    ] {
        let found = page["different"].as_array().unwrap().iter();
        let mut found = found.filter(|found| found["key"] == key);
        assert_eq!(
            found.next().map(|it| &it["fields"]),
            Some(&fields),
            "{text}"
        );
    }
    assert_eq!(page["keys"]["differing"], json!(["differs-keys"]));
    assert_eq!(page["scopes"][0]["key"], "gate");
    assert_eq!(page["configurations_missing"], json!(["fans"]));
    assert_eq!(page["storage"]["lacks"], json!(["delete"]));
    let losses = page["not_carried_over"].as_array().unwrap();
    let named = |reason: &str| losses.iter().any(|loss| loss["reason"] == reason);
    assert!(named("CA_CERTIFICATES") && named("EDGE_SCOPES"), "{text}");
    assert!(page["seeding"].as_str().unwrap().contains("by calls"));

    let output = doctor(dir.path(), "table").await;
    let table = String::from_utf8(output.stdout).unwrap();
    for name in ["missing", "extra", "differs-tags", "gate", "fans", "delete"] {
        assert!(table.contains(name), "{name} in {table}");
    }
    let after = (source.running.writes(), target.running.writes());
    assert_eq!(before, after, "a write was sent");
    for canary in ["Y2FuYXJ5c2ln", key('A').expose(), key('B').expose()] {
        assert!(!format!("{text}{said}{table}").contains(canary));
    }
}
