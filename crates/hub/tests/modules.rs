//! The connector and modules: below devices, with them, and after them.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod common;

use common::{connect, create, edge, etags, get, leaf, listed, object, pair, rewrite, sas, write};
use hubshift_emulator::Emulator;
use hubshift_hub::{
    AzureHub, Credentials, DeviceWrite, EtagPair, Hub as _, HubDevice, Outcome, Rejection,
};
use serde_json::json;

fn module(key: &str) -> DeviceWrite {
    let mut module = write(key, sas('M'));
    module.identity.managed_by = Some("me".to_owned());
    module
}

/// A hub with a device `d` and its module `d/m`.
async fn with_module(hub: &AzureHub) -> HubDevice {
    create(hub, &leaf("d", None)).await;
    create(hub, &module("d/m")).await
}

#[tokio::test]
async fn a_module_is_created_as_written_and_read_back_the_same() {
    let (_emulator, hub) = pair().await;
    create(&hub, &leaf("d", None)).await;
    let prints = Credentials::SelfSigned {
        primary_thumbprint: "aB".repeat(20),
        secondary_thumbprint: None,
    };
    let mut bare = module("d/a%2F#?+");
    (bare.tags, bare.desired) = (object(json!({})), object(json!({})));
    bare.identity.managed_by = None;
    let mut x509 = module("d/x509");
    x509.identity.credentials = prints;
    for module in [module("d/m"), bare, x509] {
        let made = create(&hub, &module).await;
        assert_eq!(rewrite(&made), module);
        assert_eq!(get(&hub, &module.identity.device_id).await, made);
    }
    let again = hub.create(&module("d/m")).await;
    assert_eq!(again, Outcome::Rejected(Rejection::AlreadyExists));
}

#[tokio::test]
async fn a_module_without_its_device_is_nothing_and_cannot_be_made() {
    let (emulator, hub) = pair().await;
    assert_eq!(hub.get("d/m").await, Outcome::Done(None));
    let missing = Outcome::Rejected(Rejection::ParentMissing("d".to_owned()));
    assert_eq!(hub.create(&module("d/m")).await, missing);
    assert_eq!(emulator.requests("put_module_twin"), 0);
    let made = with_module(&hub).await;
    let device = get(&hub, "d").await;
    let gone = hub.delete("d", &device.identity_etag).await;
    assert_eq!(gone, Outcome::Done(()));
    assert_eq!(hub.get("d/m").await, Outcome::Done(None));
    let late = hub.delete("d/m", &made.identity_etag).await;
    assert_eq!(late, Outcome::Rejected(Rejection::NotFound));
}

#[tokio::test]
async fn an_update_of_a_module_writes_the_parts_that_have_an_etag() {
    let (emulator, hub) = pair().await;
    let made = with_module(&hub).await;
    let mut other = rewrite(&made);
    other.identity.credentials = sas('N');
    other.tags = object(json!({"room": "5"}));
    let identity_only = EtagPair {
        twin: None,
        ..etags(&made)
    };
    let changed = hub.update(&other, &identity_only).await;
    let changed = changed.into_result().unwrap();
    assert_eq!(changed.identity, other.identity);
    assert_eq!(
        (&changed.tags, &changed.twin_etag),
        (&made.tags, &made.twin_etag)
    );
    let puts = emulator.requests("put_module");
    let twin_only = EtagPair {
        identity: None,
        ..etags(&made)
    };
    let changed = hub.update(&other, &twin_only).await.into_result().unwrap();
    assert_eq!(rewrite(&changed), other);
    assert_eq!(emulator.requests("put_module"), puts);
    let stale = hub.update(&other, &etags(&made)).await;
    assert_eq!(stale, Outcome::Rejected(Rejection::PreconditionFailed));
    let refused = hub.delete("d/m", &made.identity_etag).await;
    assert_eq!(refused, Outcome::Rejected(Rejection::PreconditionFailed));
    let deleted = hub.delete("d/m", &changed.identity_etag).await;
    assert_eq!(deleted, Outcome::Done(()));
    assert_eq!(hub.get("d/m").await, Outcome::Done(None));
    assert!(hub.get("d").await.done().flatten().is_some());
}

#[tokio::test]
async fn keys_of_modules_are_never_made_by_the_hub() {
    let (_emulator, hub) = pair().await;
    let made = with_module(&hub).await;
    let mut other = rewrite(&made);
    other.identity.managed_by = Some("you".to_owned());
    let changed = hub.update(&other, &etags(&made)).await;
    let changed = changed.into_result().unwrap();
    assert_eq!(changed.identity.credentials, sas('M'));
    let mut open = module("d/open");
    open.identity.credentials = Credentials::None;
    let refused = hub.create(&open).await;
    assert!(
        matches!(refused, Outcome::Rejected(Rejection::Invalid(_))),
        "{refused:?}"
    );
    assert_eq!(hub.get("d/open").await, Outcome::Done(None));
}

#[tokio::test]
async fn the_hubs_own_modules_come_with_the_device_and_take_a_twin_once() {
    let (emulator, hub) = pair().await;
    let missing = Outcome::Rejected(Rejection::ParentMissing("gw".to_owned()));
    let mut agent = write("gw/$edgeAgent", Credentials::None);
    agent.identity.managed_by = Some("iotEdge".to_owned());
    assert_eq!(hub.create(&agent).await, missing);
    create(&hub, &edge("gw", None)).await;
    let fresh = get(&hub, "gw/$edgeAgent").await;
    assert!(fresh.tags.is_empty() && fresh.desired.is_empty());
    assert_eq!(fresh.identity, agent.identity);

    let made = create(&hub, &agent).await;
    assert_eq!(rewrite(&made), agent);
    let again = hub.create(&agent).await;
    assert_eq!(again, Outcome::Rejected(Rejection::AlreadyExists));
    let mut other = agent.clone();
    other.desired = object(json!({"modules": {"a": {"version": "2"}}}));
    let changed = hub.update(&other, &etags(&made)).await;
    assert_eq!(rewrite(&changed.into_result().unwrap()), other);
    assert_eq!(
        emulator.requests("put_module"),
        0,
        "its identity is the hub's"
    );

    let refused = hub.delete("gw/$edgeAgent", &made.identity_etag).await;
    assert!(
        matches!(refused, Outcome::Rejected(Rejection::Invalid(_))),
        "{refused:?}"
    );
    let device = get(&hub, "gw").await;
    hub.delete("gw", &device.identity_etag)
        .await
        .done()
        .unwrap();
    let late = hub.delete("gw/$edgeAgent", &made.identity_etag).await;
    assert_eq!(late, Outcome::Rejected(Rejection::NotFound));
}

#[tokio::test]
async fn a_disabled_device_does_not_look_like_our_key_being_refused() {
    let mut options = common::options();
    options.registry.strict_module_access = true;
    let emulator = Emulator::start(options).await.unwrap();
    let hub = connect(&emulator);
    let made = with_module(&hub).await;
    let device = get(&hub, "d").await;
    let mut disabled = rewrite(&device);
    disabled.identity.enabled = false;
    hub.update(&disabled, &etags(&device)).await.done().unwrap();

    assert_eq!(
        hub.get("d/m").await,
        Outcome::Rejected(Rejection::DeviceDisabled)
    );
    let created = hub.create(&module("d/n")).await;
    assert_eq!(created, Outcome::Rejected(Rejection::DeviceDisabled));
    let deleted = hub.delete("d/m", &made.identity_etag).await;
    assert_eq!(deleted, Outcome::Rejected(Rejection::DeviceDisabled));
    // Its twin could be written, and what came of it not be read: so it is not written.
    let mut other = rewrite(&made);
    other.tags = object(json!({"room": "5"}));
    let twin_only = EtagPair {
        identity: None,
        ..etags(&made)
    };
    let twins = emulator.requests("put_module_twin");
    let updated = hub.update(&other, &twin_only).await;
    assert_eq!(updated, Outcome::Rejected(Rejection::DeviceDisabled));
    assert_eq!(emulator.requests("put_module_twin"), twins);
    // A device that is missing is no secret either.
    assert_eq!(hub.get("none/m").await, Outcome::Done(None));
    let orphan = hub.create(&module("none/m")).await;
    let missing = Rejection::ParentMissing("none".to_owned());
    assert_eq!(orphan, Outcome::Rejected(missing));
}

#[tokio::test]
async fn modules_are_listed_after_devices_with_their_etags() {
    let (_emulator, hub) = pair().await;
    let module = with_module(&hub).await;
    create(&hub, &edge("gw", None)).await;
    let rows = listed(&hub).await;
    let keys: Vec<&str> = rows.iter().map(|row| row.device_id.as_str()).collect();
    assert_eq!(keys[..2], ["d", "gw"]);
    let mut modules = keys[2..].to_vec();
    modules.sort_unstable();
    assert_eq!(modules, ["d/m", "gw/$edgeAgent", "gw/$edgeHub"]);
    let row = rows.iter().find(|row| row.device_id == "d/m").unwrap();
    assert_eq!(row.identity_etag, module.identity_etag);
    assert_eq!(row.twin_etag, module.twin_etag);
    assert_eq!(hub.statistics().await.done().unwrap().total, 2);
}
