//! Canaries: keys of every kind are planted, everything is done with them, and all that the process
//! says at any level, its libraries included, is searched for them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests fail as tests do"
)]

mod common;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::hubs::{configuration, device, edge, module};
use common::log;
use common::{EVENTS_KEY, World};
use hubshift_api::pb::registry as pb;
use hubshift_emulator::{EntraOptions, Options};
use hubshift_hub::{Credentials, Secret};
use tracing::Level;
use uuid::Uuid;

const ENTRA_SECRET: &str = "canary-of-entra~secret";
const SAS_SIGNATURE: &str = "canaryOfTheContainersSignature";

/// A key that can be found again: plain, as base64, percent-encoded.
fn canary(what: &str) -> Secret {
    Secret::new(STANDARD.encode(format!("canary+of/{what:-<24}")))
}

fn planted(what: &str) -> Credentials {
    Credentials::Sas {
        primary: canary(&format!("{what}-one")),
        secondary: canary(&format!("{what}-two")),
    }
}

/// West is entered by a token of Entra.
fn entra(options: Options) -> Options {
    Options {
        entra: EntraOptions {
            management: Some("127.0.0.1:0".parse().unwrap()),
            clients: vec![Secret::new(format!(
                "data-contributor:{ENTRA_SECRET}:data-contributor"
            ))],
            ..EntraOptions::default()
        },
        ..options
    }
}

async fn enter_west_by_entra(world: &World) {
    let west = &world.west.running;
    let authority = west.management_addr.unwrap();
    let connection = world.secrets("west-entra", west);
    let text = format!(
        "HostName={};Authentication=ClientSecret;TenantId=tenant;ClientId=data-contributor;\
         ClientSecret={ENTRA_SECRET};AuthorityHost=https://{authority}",
        west.host
    );
    std::fs::write(world.files.path().join("west-entra.secret"), text).unwrap();
    let connection = pb::Connection {
        name: "fleets/acme/hubs/west/connection".into(),
        ..connection
    };
    world.update_connection(connection).await.unwrap();
}

/// What can go wrong with secrets in hand; everything that is answered.
async fn mistakes(world: &World) -> String {
    let mut said = String::new();
    let wrong = [
        "HostName=h;SharedAccessKeyName=p;SharedAccessKey=Y2FuYXJ5LW9mLWEtd3Jvbmcta2V5",
        "HostName=https://h;SharedAccessKey=Y2FuYXJ5LW9mLWEtd3Jvbmcta2V5;Canary=canary-of-a-field",
        "canary-of-a-secret-that-is-no-connection-string",
    ];
    for text in wrong {
        let connection = world.secrets("wrong", &world.east.running);
        std::fs::write(world.files.path().join("wrong.secret"), text).unwrap();
        let connection = pb::Connection {
            name: "fleets/acme/hubs/east/connection".into(),
            ..connection
        };
        let refused = world.update_connection(connection).await.unwrap_err();
        said.push_str(&format!("{refused:?}{refused}"));
    }
    // The secret itself where a reference belongs.
    let connection = pb::Connection {
        name: "fleets/acme/hubs/east/connection".into(),
        secret_ref: "SharedAccessKey=canary-in-the-wrong-place".into(),
        job_container_ref: format!("https://x/jobs?sig={SAS_SIGNATURE}"),
        ..pb::Connection::default()
    };
    let refused = world.update_connection(connection).await.unwrap_err();
    said + &format!("{refused:?}{refused}")
}

#[tokio::test(flavor = "multi_thread")]
async fn no_key_is_in_any_log_answer_error_or_trace() {
    let log = log::capture(Level::TRACE);
    let world = World::start_with(1.0, |east| east, entra).await;
    enter_west_by_entra(&world).await;
    let east = &world.east;
    east.create(&device("plain", planted("device"))).await;
    east.create(&edge("gate", None)).await;
    let mut camera = module("plain/camera");
    camera.identity.credentials = planted("module");
    east.create(&camera).await;
    east.create(&configuration("fans", 3)).await;

    let mut said = format!("{:?}", world.pass(true).await);
    said.push_str(&format!("{:?}", world.verify().await));
    assert!(world.west.get("plain/camera").await.is_some());
    let backup = pb::CreateBackupRequest {
        parent: "fleets/acme".into(),
        hub: "east".into(),
        request_id: Uuid::new_v4().to_string(),
        context: None,
    };
    let task = world.backups.clone().create_backup(backup).await.unwrap();
    said.push_str(&format!("{:?}", world.finished(task.into_inner()).await));
    said.push_str(&mistakes(&world).await);
    let connection = pb::GetConnectionRequest {
        name: "fleets/acme/hubs/west/connection".into(),
    };
    let connection = world.connections.clone().get_connection(connection).await;
    said.push_str(&format!("{connection:?}"));
    let plan = world.plan("west").await;
    said.push_str(&format!("{plan:?}"));

    let canaries = canaries(&world);
    let file = |name: &str| std::fs::read_to_string(world.files.path().join(name)).unwrap();
    let kek = file("kek");
    world.stop().await;
    let logged = log::text(log);
    assert!(logged.contains("TRACE"), "the lowest level was heard");
    for canary in canaries.iter().map(String::as_str).chain([kek.trim()]) {
        assert!(!said.contains(canary), "an answer shows {canary}");
        if let Some(at) = logged.find(canary) {
            let start = logged[..at].rfind('\n').unwrap_or(0);
            panic!(
                "the log shows {canary}: {}",
                &logged[start..at + canary.len()]
            );
        }
    }
}

/// Every secret in every form in which it could slip out.
fn canaries(world: &World) -> Vec<String> {
    let hubs = [&world.east, &world.west];
    let policies = hubs.map(|hub| hub.running.connection_string().key);
    let devices = ["device-one", "device-two", "module-one", "module-two"].map(canary);
    let keys = policies.into_iter().chain(devices);
    let forms = keys.flat_map(|key| {
        let text = key.expose().to_owned();
        let bytes = key.decode().unwrap();
        let decoded = String::from_utf8(bytes).unwrap_or_else(|_| text.clone());
        let encoded = text
            .replace('+', "%2B")
            .replace('/', "%2F")
            .replace('=', "%3D");
        [text, decoded, encoded]
    });
    let others = [
        ENTRA_SECRET,
        "canary-of-entra%7Esecret",
        SAS_SIGNATURE,
        EVENTS_KEY,
        "Y2FuYXJ5LW9mLWEtd3Jvbmcta2V5",
        "canary-of-a-field",
        "canary-of-a-secret-that-is-no-connection-string",
        "canary-in-the-wrong-place",
        // What signs a call, and what stands for a whole hub.
        "SharedAccessSignature sr=",
        "sig=",
    ];
    forms.chain(others.map(str::to_owned)).collect()
}
