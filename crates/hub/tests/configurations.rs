//! The connector and configurations.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod common;

use std::sync::Arc;

use common::{create, emulator, etags, get, leaf, listed, object, pair, rewrite, settings};
use hubshift_emulator::{Fault, OutageMode};
use hubshift_hub::budget::{BudgetSettings, LocalBudget};
use hubshift_hub::{
    AzureHub, AzureSettings, Credentials, DeviceWrite, Hub as _, Kinds, Outcome, Rejection,
};
use serde_json::{Value, json};

const KEY: &str = "/configurations/site-7";

fn content(rate: i64) -> Value {
    json!({"deviceContent": {"properties.desired.rate": rate}})
        .to_string()
        .into()
}

fn configuration(rate: i64) -> DeviceWrite {
    let mut write = leaf(KEY, None);
    write.identity.credentials = Credentials::None;
    write.tags = object(json!({
        "labels": {"made.by": "us"}, "priority": 3, "targetCondition": "tags.site = '7'",
    }));
    write.desired = object(json!({
        "content": content(rate), "schemaVersion": "1.0",
        "metrics": {"all": "select deviceId from devices"},
    }));
    write
}

#[tokio::test]
async fn a_configuration_is_created_as_written_and_read_back_the_same() {
    let (_emulator, hub) = pair().await;
    assert_eq!(hub.get(KEY).await, Outcome::Done(None));
    let made = create(&hub, &configuration(5)).await;
    assert_eq!(rewrite(&made), configuration(5));
    assert_eq!(made.identity_etag, made.twin_etag);
    assert_eq!(get(&hub, KEY).await, made);
    let again = hub.create(&configuration(6)).await;
    assert_eq!(again, Outcome::Rejected(Rejection::AlreadyExists));
    assert_eq!(get(&hub, KEY).await, made);
}

#[tokio::test]
async fn a_listing_goes_on_past_a_kind_that_was_left_out_meanwhile() {
    let (_emulator, hub) = pair().await;
    create(&hub, &configuration(5)).await;
    let cursor = || Some("c:".to_owned());
    let page = hub.list(cursor(), 2).await.into_result().unwrap();
    assert_eq!(page.rows.len(), 1);
    let hub = hub.with_kinds(Kinds {
        modules: true,
        configurations: false,
    });
    let page = hub.list(cursor(), 2).await.into_result().unwrap();
    assert!(page.rows.is_empty() && page.next.is_none(), "{page:?}");
}

#[tokio::test]
async fn what_is_not_content_changes_in_place() {
    let (emulator, hub) = pair().await;
    let made = create(&hub, &configuration(5)).await;
    let mut other = configuration(5);
    other.tags.insert("priority".to_owned(), json!(9));
    let changed = hub.update(&other, &etags(&made)).await;
    let changed = changed.into_result().unwrap();
    assert_eq!(rewrite(&changed), other);
    assert_eq!(changed.generation_id, made.generation_id);
    assert_ne!(changed.twin_etag, made.twin_etag);
    assert!(changed.twin_version >= made.twin_version);
    assert_eq!(emulator.requests("delete_configuration"), 0);
}

#[tokio::test]
async fn another_content_takes_another_configuration() {
    let (emulator, hub) = pair().await;
    let made = create(&hub, &configuration(5)).await;
    let changed = hub.update(&configuration(6), &etags(&made)).await;
    let changed = changed.into_result().unwrap();
    assert_eq!(rewrite(&changed), configuration(6));
    assert_ne!(changed.generation_id, made.generation_id);
    assert_eq!(emulator.requests("delete_configuration"), 1);
    assert_eq!(get(&hub, KEY).await, changed);
}

#[tokio::test]
async fn a_configuration_that_the_hub_refuses_does_not_cost_the_one_that_was_there() {
    let (emulator, hub) = pair().await;
    let made = create(&hub, &configuration(5)).await;
    let mut other = configuration(6);
    other
        .tags
        .insert("targetCondition".to_owned(), json!("tags.site = ("));
    let refused = hub.update(&other, &etags(&made)).await;
    assert!(
        matches!(refused, Outcome::Rejected(Rejection::Invalid(_))),
        "{refused:?}"
    );
    assert_eq!(emulator.requests("delete_configuration"), 1);
    assert_eq!(rewrite(&get(&hub, KEY).await), configuration(5));
}

#[tokio::test]
async fn a_hub_that_asks_to_slow_down_in_between_still_gets_the_new_content() {
    let emulator = emulator().await;
    let hub = AzureHub::new(AzureSettings {
        budget: Arc::new(LocalBudget::new(&BudgetSettings {
            speed: 60.0,
            ..BudgetSettings::default()
        })),
        ..settings(&emulator)
    })
    .unwrap();
    let made = create(&hub, &configuration(5)).await;
    let fault = Fault::from(OutageMode::Throttled).on("put_configuration");
    emulator.order(fault.times(1).retry_after(1));
    let changed = hub.update(&configuration(6), &etags(&made)).await;
    let changed = changed.into_result().unwrap();
    assert_eq!(emulator.fault_hits(), 1);
    assert_eq!(rewrite(&changed), configuration(6));
    assert_eq!(get(&hub, KEY).await, changed);
}

#[tokio::test]
async fn a_stale_etag_is_refused_and_changes_nothing() {
    let (emulator, hub) = pair().await;
    let old = create(&hub, &configuration(5)).await;
    let mut other = configuration(5);
    other.tags.insert("priority".to_owned(), json!(9));
    let new = hub
        .update(&other, &etags(&old))
        .await
        .into_result()
        .unwrap();
    let stale = Outcome::Rejected(Rejection::PreconditionFailed);
    for write in [configuration(5), configuration(6)] {
        assert_eq!(hub.update(&write, &etags(&old)).await, stale);
    }
    let refused = hub.delete(KEY, &old.identity_etag).await;
    assert_eq!(refused, Outcome::Rejected(Rejection::PreconditionFailed));
    assert_eq!(get(&hub, KEY).await, new);
    assert_eq!(emulator.requests("delete_configuration"), 1);
    assert_eq!(hub.delete(KEY, &new.identity_etag).await, Outcome::Done(()));
    assert_eq!(hub.get(KEY).await, Outcome::Done(None));
    let missing = Outcome::Rejected(Rejection::NotFound);
    assert_eq!(hub.update(&other, &etags(&new)).await, missing);
}

#[tokio::test]
async fn configurations_are_listed_last() {
    let (_emulator, hub) = pair().await;
    create(&hub, &leaf("d", None)).await;
    let made = create(&hub, &configuration(5)).await;
    let rows = listed(&hub).await;
    assert_eq!(rows.len(), 2);
    let last = rows.last().unwrap();
    assert_eq!(last.device_id, KEY);
    assert_eq!(last.identity_etag, made.identity_etag);
    assert_eq!(last.twin_version, made.twin_version);
    assert_eq!(hub.statistics().await.done().unwrap().total, 1);
}
