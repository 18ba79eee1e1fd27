//! The connector and hierarchies of edge devices: parents by their ids, scopes by this hub.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod common;

use common::{create, edge, etags, get, leaf, pair, rewrite};
use hubshift_hub::{AzureHub, DeviceWrite, EtagPair, Hub as _, HubDevice, Outcome, Rejection};

async fn change(
    hub: &AzureHub,
    device: &HubDevice,
    change: impl FnOnce(&mut DeviceWrite),
) -> Outcome<HubDevice> {
    let mut wanted = rewrite(device);
    change(&mut wanted);
    let identity_only = EtagPair {
        twin: None,
        ..etags(device)
    };
    hub.update(&wanted, &identity_only).await
}

fn parent_of(device: &HubDevice) -> Option<&str> {
    device.identity.parent.as_deref()
}

#[tokio::test]
async fn a_hierarchy_is_written_parents_first_and_read_back_by_ids() {
    let (_emulator, hub) = pair().await;
    let devices = [
        edge("top-1", None),
        edge("mid-22-7", Some("top-1")),
        leaf("leaf", Some("mid-22-7")),
        leaf("alone", None),
    ];
    for device in &devices {
        let made = create(&hub, device).await;
        assert_eq!(&rewrite(&made), device);
        assert_eq!(get(&hub, &device.identity.device_id).await, made);
    }
}

#[tokio::test]
async fn nothing_is_written_below_a_parent_that_is_not_there_or_no_edge_device() {
    let (emulator, hub) = pair().await;
    create(&hub, &leaf("no-edge", None)).await;
    let puts = emulator.requests("put_device");
    for parent in ["gone", "no-edge", "a b", ""] {
        let missing = Outcome::Rejected(Rejection::ParentMissing(parent.to_owned()));
        assert_eq!(hub.create(&leaf("d", Some(parent))).await, missing);
        assert_eq!(hub.create(&edge("e", Some(parent))).await, missing);
    }
    assert_eq!(emulator.requests("put_device"), puts);
    let made = create(&hub, &leaf("d", None)).await;
    let moved = change(&hub, &made, |device| {
        device.identity.parent = Some("gone".to_owned());
    });
    let missing = Rejection::ParentMissing("gone".to_owned());
    assert_eq!(moved.await, Outcome::Rejected(missing));
    assert_eq!(get(&hub, "d").await, made);
}

#[tokio::test]
async fn a_child_moves_and_is_detached() {
    let (_emulator, hub) = pair().await;
    for id in ["gw-1", "gw-2"] {
        create(&hub, &edge(id, None)).await;
    }
    for child in [leaf("leaf", Some("gw-1")), edge("edge", Some("gw-1"))] {
        let made = create(&hub, &child).await;
        let moved = change(&hub, &made, |device| {
            device.identity.parent = Some("gw-2".to_owned());
        });
        let moved = moved.await.into_result().unwrap();
        assert_eq!(parent_of(&moved), Some("gw-2"));
        let alone = change(&hub, &moved, |device| device.identity.parent = None);
        let alone = alone.await.into_result().unwrap();
        assert_eq!(parent_of(&alone), None);
        assert_eq!(alone.identity.credentials, made.identity.credentials);
        let again = change(&hub, &alone, |device| {
            device.identity.parent = Some("gw-1".to_owned());
        });
        assert_eq!(parent_of(&again.await.into_result().unwrap()), Some("gw-1"));
    }
}

#[tokio::test]
async fn a_change_of_something_else_leaves_parent_and_scope_as_they_are() {
    let (emulator, hub) = pair().await;
    create(&hub, &edge("gw", None)).await;
    for child in [leaf("leaf", Some("gw")), edge("edge", Some("gw"))] {
        let made = create(&hub, &child).await;
        let disabled = change(&hub, &made, |device| device.identity.enabled = false);
        let disabled = disabled.await.into_result().unwrap();
        assert!(!disabled.identity.enabled);
        assert_eq!(parent_of(&disabled), Some("gw"));
    }
    // A parent that is gone since does not keep its child from being disabled, or enabled again.
    let gateway = get(&hub, "gw").await;
    hub.delete("gw", &gateway.identity_etag)
        .await
        .done()
        .unwrap();
    let leaf = get(&hub, "leaf").await;
    let reads = emulator.requests("get_device");
    let enabled = change(&hub, &leaf, |device| device.identity.enabled = true).await;
    assert_eq!(parent_of(&enabled.into_result().unwrap()), Some("gw"));
    assert_eq!(
        emulator.requests("get_device"),
        reads + 1,
        "its own, and no parent's"
    );
}

#[tokio::test]
async fn a_leaf_becomes_an_edge_device_and_a_leaf_again_below_the_same_parent() {
    let (_emulator, hub) = pair().await;
    create(&hub, &edge("gw", None)).await;
    let made = create(&hub, &leaf("d", Some("gw"))).await;
    let grown = change(&hub, &made, |device| device.identity.iot_edge = true);
    let grown = grown.await.into_result().unwrap();
    assert!(grown.identity.iot_edge);
    assert_eq!(parent_of(&grown), Some("gw"));
    create(&hub, &leaf("below", Some("d"))).await;
    let shrunk = change(&hub, &grown, |device| device.identity.iot_edge = false);
    let shrunk = shrunk.await.into_result().unwrap();
    assert_eq!(rewrite(&shrunk), rewrite(&made));
    assert_eq!(get(&hub, "d").await, shrunk);
}

#[tokio::test]
async fn a_stale_etag_of_an_edge_device_is_refused_without_a_write() {
    let (emulator, hub) = pair().await;
    let old = create(&hub, &edge("gw", None)).await;
    let new = change(&hub, &old, |device| device.identity.enabled = false);
    let new = new.await.into_result().unwrap();
    let puts = emulator.requests("put_device");
    let late = change(&hub, &old, |device| device.identity.enabled = false).await;
    assert_eq!(late, Outcome::Rejected(Rejection::PreconditionFailed));
    assert_eq!(emulator.requests("put_device"), puts);
    assert_eq!(get(&hub, "gw").await, new);
    let gone = change(&hub, &new, |device| {
        device.identity.device_id = "none".to_owned();
    });
    assert_eq!(gone.await, Outcome::Rejected(Rejection::NotFound));
}
