//! The connector against a hub that answers.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod common;

use std::collections::BTreeSet;

use common::{get, key, object, pair, rewrite, sas, write};
use hubshift_hub::{
    Cause, Credentials, DeviceWrite, EtagPair, Hub as _, HubDevice, Kinds, Outcome, Rejection,
    Statistics,
};
use serde_json::json;

fn identity_of(device: &HubDevice) -> EtagPair {
    EtagPair {
        identity: Some(device.identity_etag.clone()),
        twin: None,
    }
}

fn both_of(device: &HubDevice) -> EtagPair {
    EtagPair {
        twin: Some(device.twin_etag.clone()),
        ..identity_of(device)
    }
}

#[tokio::test]
async fn every_kind_of_device_is_created_as_written_and_read_back_the_same() {
    let (_emulator, hub) = pair().await;
    let prints = Credentials::SelfSigned {
        primary_thumbprint: "aB".repeat(20),
        secondary_thumbprint: Some("cD".repeat(32)),
    };
    let mut disabled = write("edge", Credentials::Ca);
    disabled.identity.enabled = false;
    disabled.identity.status_reason = Some("stolen".to_owned());
    disabled.identity.iot_edge = true;
    let bare = DeviceWrite {
        tags: object(json!({})),
        desired: object(json!({})),
        ..write("b", sas('C'))
    };
    for device in [
        write("a%2F#?+", sas('B')),
        write("x509", prints),
        disabled,
        bare,
    ] {
        let made = hub.create(&device).await.into_result().unwrap();
        assert_eq!(rewrite(&made), device);
        assert_eq!(get(&hub, &device.identity.device_id).await, made);
    }
}

#[tokio::test]
async fn a_second_create_is_refused_and_changes_nothing() {
    let (_emulator, hub) = pair().await;
    let made = hub
        .create(&write("d", sas('B')))
        .await
        .into_result()
        .unwrap();
    let again = hub.create(&write("d", sas('C'))).await;
    assert_eq!(again, Outcome::Rejected(Rejection::AlreadyExists));
    assert_eq!(get(&hub, "d").await, made);
}

#[tokio::test]
async fn a_missing_device_is_nothing_and_cannot_be_changed() {
    let (_emulator, hub) = pair().await;
    assert_eq!(hub.get("none").await, Outcome::Done(None));
    let etags = EtagPair {
        identity: Some("MA==".to_owned()),
        twin: None,
    };
    let updated = hub.update(&write("none", sas('B')), &etags).await;
    assert_eq!(updated, Outcome::Rejected(Rejection::NotFound));
    assert_eq!(
        hub.delete("none", "MA==").await,
        Outcome::Rejected(Rejection::NotFound)
    );
}

#[tokio::test]
async fn an_update_writes_the_parts_that_have_an_etag_and_no_other() {
    let (emulator, hub) = pair().await;
    let made = hub
        .create(&write("d", sas('B')))
        .await
        .into_result()
        .unwrap();
    let mut other = write("d", sas('C'));
    other.tags = object(json!({"room": "5"}));

    let identity_only = hub
        .update(&other, &identity_of(&made))
        .await
        .into_result()
        .unwrap();
    assert_eq!(identity_only.identity.credentials, sas('C'));
    assert_eq!(identity_only.tags, made.tags);
    assert_eq!(identity_only.twin_etag, made.twin_etag);
    assert_ne!(identity_only.identity_etag, made.identity_etag);

    let puts = emulator.requests("put_device");
    let twin_only = EtagPair {
        identity: None,
        twin: Some(made.twin_etag.clone()),
    };
    let twin_written = hub.update(&other, &twin_only).await.into_result().unwrap();
    assert_eq!(twin_written.tags, other.tags);
    assert_eq!(twin_written.identity_etag, identity_only.identity_etag);
    assert_eq!(emulator.requests("put_device"), puts);
    assert!(twin_written.desired_version > made.desired_version);

    let neither = hub.update(&other, &EtagPair::default()).await;
    assert!(matches!(neither, Outcome::Rejected(Rejection::Invalid(_))));
}

#[tokio::test]
async fn a_stale_etag_is_refused_and_changes_nothing() {
    let (_emulator, hub) = pair().await;
    let old = hub
        .create(&write("d", sas('B')))
        .await
        .into_result()
        .unwrap();
    let new = hub
        .update(&rewrite(&old), &both_of(&old))
        .await
        .into_result()
        .unwrap();
    let stale = Outcome::Rejected(Rejection::PreconditionFailed);
    assert_eq!(
        hub.update(&write("d", sas('C')), &identity_of(&old)).await,
        stale
    );
    let twin_only = EtagPair {
        identity: None,
        twin: Some(old.twin_etag.clone()),
    };
    assert_eq!(hub.update(&write("d", sas('C')), &twin_only).await, stale);
    let refused = hub.delete("d", &old.identity_etag).await;
    assert_eq!(refused, Outcome::Rejected(Rejection::PreconditionFailed));
    assert_eq!(get(&hub, "d").await, new);
    assert_eq!(hub.delete("d", &new.identity_etag).await, Outcome::Done(()));
    assert_eq!(hub.get("d").await, Outcome::Done(None));
}

#[tokio::test]
async fn an_update_done_in_part_is_unknown_and_a_look_tells_which_part() {
    let (_emulator, hub) = pair().await;
    let old = hub
        .create(&write("d", sas('B')))
        .await
        .into_result()
        .unwrap();
    let etags = EtagPair {
        twin: Some("AAAAAAAAAAk=".to_owned()),
        ..identity_of(&old)
    };
    let mut other = write("d", sas('C'));
    other.tags = object(json!({"room": "5"}));
    let outcome = hub.update(&other, &etags).await;
    assert!(
        matches!(outcome, Outcome::Unknown(Cause::Partial(_))),
        "{outcome:?}"
    );
    let now = get(&hub, "d").await;
    assert_eq!(now.identity.credentials, sas('C'));
    assert_eq!(now.tags, old.tags);
}

#[tokio::test]
async fn keys_are_never_made_by_the_hub() {
    let (_emulator, hub) = pair().await;
    let mut device = hub
        .create(&write("d", sas('B')))
        .await
        .into_result()
        .unwrap();
    for enabled in [false, true, false] {
        let mut next = rewrite(&device);
        next.identity.enabled = enabled;
        device = hub
            .update(&next, &both_of(&device))
            .await
            .into_result()
            .unwrap();
        assert_eq!(device.identity.credentials, sas('B'));
    }
    let none = hub.create(&write("none", Credentials::None)).await;
    assert!(matches!(none, Outcome::Rejected(Rejection::Invalid(_))));
    assert_eq!(hub.get("none").await, Outcome::Done(None));
}

#[tokio::test]
async fn the_listing_has_every_device_once_with_both_etags() {
    let (_emulator, hub) = pair().await;
    let hub = hub.with_kinds(Kinds {
        modules: false,
        configurations: false,
    });
    let mut expected = BTreeSet::new();
    for n in 0..7 {
        let device = write(&format!("d{n}"), sas('B'));
        let made = hub.create(&device).await.into_result().unwrap();
        expected.insert((made.identity.device_id, made.identity_etag, made.twin_etag));
    }
    let (mut found, mut cursor, mut pages) = (BTreeSet::new(), None, 0);
    loop {
        let page = hub.list(cursor, 3).await.into_result().unwrap();
        assert!(page.rows.len() <= 3);
        pages += 1;
        for row in page.rows {
            assert!(!row.connected && row.last_activity.is_none());
            assert!(found.insert((row.device_id, row.identity_etag, row.twin_etag)));
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!((found, pages), (expected, 3));
}

#[tokio::test]
async fn statistics_are_the_hubs() {
    let (_emulator, hub) = pair().await;
    let mut disabled = write("d", sas('B'));
    disabled.identity.enabled = false;
    hub.create(&disabled).await.into_result().unwrap();
    hub.create(&write("e", sas('B')))
        .await
        .into_result()
        .unwrap();
    let expected = Statistics {
        total: 2,
        enabled: 1,
        disabled: 1,
    };
    assert_eq!(hub.statistics().await, Outcome::Done(expected));
}

#[tokio::test]
async fn ids_that_cannot_be_addressed_are_refused_before_anything_is_sent() {
    let (emulator, hub) = pair().await;
    for id in [
        "",
        ".",
        "..",
        "a b",
        "a/b/c",
        "a/..",
        "/a",
        "/configurations/A",
    ] {
        let outcome = hub.create(&write(id, sas('B'))).await;
        assert!(
            matches!(outcome, Outcome::Rejected(Rejection::Invalid(_))),
            "{id}"
        );
        assert!(
            matches!(hub.get(id).await, Outcome::Rejected(Rejection::Invalid(_))),
            "{id}"
        );
    }
    assert_eq!(
        emulator.requests("put_device") + emulator.requests("list_devices"),
        0
    );
}

#[tokio::test]
async fn an_illegal_device_is_refused_with_the_hubs_words() {
    let (_emulator, hub) = pair().await;
    let short = Credentials::Sas {
        primary: key('B'),
        secondary: hubshift_hub::Secret::new("AAAA"),
    };
    let Outcome::Rejected(Rejection::Invalid(text)) = hub.create(&write("d", short)).await else {
        panic!("a short key is refused");
    };
    assert!(text.contains("secondaryKey"), "{text}");
}
