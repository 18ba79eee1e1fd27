use time::macros::datetime;

use super::*;

const NOW: OffsetDateTime = datetime!(2026-11-23 12:00 UTC);

fn change(value: Value) -> TwinChange {
    Twin::from_value(value).unwrap().into()
}

fn state(value: Value) -> TwinState {
    TwinState::new(change(value), NOW).unwrap()
}

#[test]
fn a_new_twin_has_the_hubs_first_numbers() {
    let twin = state(json!({}));
    assert_eq!((twin.etag().as_str(), twin.version), ("AAAAAAAAAAE=", 2));
    assert_eq!(twin.shown_desired()["$version"], 1);
    assert_eq!(
        twin.shown_desired()["$metadata"]["$lastUpdated"],
        wire_time::write(NOW)
    );
}

#[test]
fn a_patch_merges_removes_nulls_and_replaces_lists() {
    let twin = state(json!({"tags": {"a": {"b": 1, "c": 2}, "l": [1, 2]}}));
    let patch = change(json!({"tags": {"a": {"b": null, "d": 3}, "l": [3], "gone": null}}));
    let patched = twin.patched(patch, NOW).unwrap();
    assert_eq!(
        Value::Object(patched.tags),
        json!({"a": {"c": 2, "d": 3}, "l": [3]})
    );
}

#[test]
fn a_patch_of_tags_leaves_desired_and_its_version() {
    let twin = state(json!({"properties": {"desired": {"x": 1}}}));
    let patched = twin
        .patched(change(json!({"tags": {"a": 1}})), NOW)
        .unwrap();
    assert_eq!(patched.shown_desired(), twin.shown_desired());
    assert_ne!(patched.etag(), twin.etag());
    assert_eq!(patched.version, twin.version + 1);
}

#[test]
fn a_replacement_wipes_what_is_not_sent_and_raises_the_version() {
    let twin = state(json!({"tags": {"a": 1}, "properties": {"desired": {"x": 1}}}));
    let replaced = twin
        .replaced(change(json!({"tags": {"b": 2}})), NOW)
        .unwrap();
    assert_eq!(Value::Object(replaced.tags.clone()), json!({"b": 2}));
    assert!(replaced.desired.is_empty());
    assert_eq!(replaced.shown_desired()["$version"], 2);
    assert!(replaced.shown_desired()["$metadata"].get("x").is_none());
}

#[test]
fn metadata_follows_each_property() {
    let twin = state(json!({"properties": {"desired": {"a": {"b": 1}, "c": 2}}}));
    let patch = change(json!({"properties": {"desired": {"a": {"d": [1]}, "c": null}}}));
    let shown = twin.patched(patch, NOW).unwrap().shown_desired();
    let metadata = &shown["$metadata"];
    assert_eq!(metadata["a"]["b"]["$lastUpdatedVersion"], 1);
    assert_eq!(metadata["a"]["d"]["$lastUpdatedVersion"], 2);
    assert!(metadata.get("c").is_none());
}

#[test]
fn echoed_metadata_is_not_stored() {
    let twin = state(json!({"properties": {"desired": {"$version": 9, "$metadata": {}, "a": 1}}}));
    assert_eq!(Value::Object(twin.desired.clone()), json!({"a": 1}));
    assert_eq!(twin.shown_desired()["$version"], 1);
}

#[test]
fn the_merged_twin_is_what_is_measured() {
    let twin = state(json!({"tags": {"a": "x".repeat(4000)}}));
    let patch = change(json!({"tags": {"b": "x".repeat(4000)}}));
    let twin = twin.patched(patch, NOW).unwrap();
    let more = change(json!({"tags": {"c": "x".repeat(4000)}}));
    assert!(matches!(
        twin.patched(more, NOW),
        Err(LimitError::TooLarge { .. })
    ));
}

fn entry(value: Value) -> ExportImportDevice {
    ExportImportDevice::from_value(value).unwrap()
}

#[test]
fn reported_properties_come_in_only_where_the_switch_says_so() {
    let entry = entry(json!({"id": "d", "properties": {"reported": {"rpm": 5}}}));
    assert!(TwinChange::of_entry(&entry, false).is_empty());
    let twin = TwinState::new(TwinChange::of_entry(&entry, true), NOW).unwrap();
    let shown = twin.shown_reported();
    assert_eq!((&shown["rpm"], &shown["$version"]), (&json!(5), &json!(2)));
    assert_eq!(shown["$metadata"]["rpm"]["$lastUpdatedVersion"], 2);
}

#[test]
fn a_replacement_by_a_service_leaves_reported_properties() {
    let entry = entry(json!({"id": "d", "properties": {"reported": {"rpm": 5}}}));
    let twin = TwinState::new(TwinChange::of_entry(&entry, true), NOW).unwrap();
    let sent = change(json!({"properties": {"reported": {"rpm": 6}}}));
    let replaced = twin.replaced(sent, NOW).unwrap();
    assert_eq!(replaced.shown_reported(), twin.shown_reported());
}

#[test]
fn reported_properties_alone_leave_the_rest_and_the_etag() {
    let twin = state(json!({"tags": {"a": 1}, "properties": {"desired": {"x": 1}}}));
    let entry = entry(json!({"id": "d", "properties": {"reported": {"rpm": 5}}}));
    let change = TwinChange::of_entry(&entry, true);
    let after = twin.replaced(change, NOW).unwrap();
    assert_eq!(after.reported()["rpm"], 5);
    assert_eq!(after.tags, twin.tags);
    assert_eq!(after.shown_desired(), twin.shown_desired());
    assert_eq!(after.etag(), twin.etag());
    assert_eq!(after.version, twin.version + 1);
}
