//! Documents: conditional writes at the authority, branches elsewhere, and the merge of both.

use hubshift_api::fault;
use hubshift_api::json::{from_value, to_value};
use hubshift_api::pb::merge as pb;
use hubshift_api::pb::merge::{ConflictState, MergeState, NamespacePolicy};
use serde_json::{Value, json};

use crate::own_store::OwnStore;
use crate::records::{absent, tagged};
use crate::world::{EPOCH, OLD_EPOCH, World, request_id};

fn name(key: &str) -> String {
    format!("fleets/acme/namespaces/notes/documents/{key}")
}

fn put(key: &str, value: Value, hub: &str, expected: &str) -> pb::PutDocumentRequest {
    let document = pb::Document {
        name: name(key),
        value: Some(to_value(&value)),
        ..Default::default()
    };
    pb::PutDocumentRequest {
        document: Some(document),
        origin_hub: hub.to_owned(),
        epoch: if hub == "east" { OLD_EPOCH } else { EPOCH },
        expected_version: expected.to_owned(),
        request_id: request_id(),
    }
}

async fn write(world: &World, request: pb::PutDocumentRequest) -> pb::PutDocumentResponse {
    world
        .service
        .documents
        .clone()
        .put_document(request)
        .await
        .unwrap()
        .into_inner()
}

async fn read(world: &World, key: &str) -> pb::Document {
    let request = pb::GetDocumentRequest { name: name(key) };
    world
        .service
        .documents
        .clone()
        .get_document(request)
        .await
        .unwrap()
        .into_inner()
}

async fn set_policy(world: &World, policy: NamespacePolicy) {
    let namespace = pb::Namespace {
        name: "fleets/acme/namespaces/notes".into(),
        policy: policy.into(),
    };
    let request = pb::UpdateNamespaceRequest {
        namespace: Some(namespace),
        request_id: request_id(),
    };
    world
        .service
        .documents
        .clone()
        .update_namespace(request)
        .await
        .unwrap();
}

/// Written at east, then differently at west and late by east's back end.
async fn diverge(world: &World, key: &str, base: Value, west: Value, east: Value) {
    let first = write(world, put(key, base, "east", "")).await;
    assert!(!first.is_branch);
    let version = first.document.unwrap().version;
    world.fail_over().await;
    assert!(
        !write(world, put(key, west, "west", &version))
            .await
            .is_branch
    );
    assert!(
        write(world, put(key, east, "east", &version))
            .await
            .is_branch
    );
}

#[tokio::test]
async fn a_branch_meets_the_main_line_by_leaf_in_the_merge() {
    let world = World::at_home().await;
    let base = json!({"a": 1, "b": 1, "c": 1});
    let (west, east) = (
        json!({"a": 2, "b": 1, "c": 2}),
        json!({"a": 1, "b": 3, "c": 3}),
    );
    diverge(&world, "n-1", base, west, east).await;
    assert_eq!(read(&world, "n-1").await.branches.len(), 2);
    let plan = world.plan().await;
    assert_eq!(plan.counts.unwrap().document_count, 1);
    world.close(&plan).await;
    let merged = read(&world, "n-1").await;
    assert_eq!(
        from_value(merged.value.as_ref().unwrap()),
        json!({"a": 2, "b": 3, "c": 2})
    );
    assert!(merged.branches.is_empty());
    let conflicts = world.conflicts(&plan).await;
    assert_eq!(conflicts.len(), 1);
    assert_eq!(
        (conflicts[0].key.as_str(), conflicts[0].path.as_str()),
        ("notes/n-1", "c")
    );
    assert_eq!(conflicts[0].state(), ConflictState::Auto);
    assert_eq!(from_value(conflicts[0].primary.as_ref().unwrap()), json!(3));
    world
        .resolve(&conflicts[0], pb::Choice::Primary)
        .await
        .unwrap();
    let restored = read(&world, "n-1").await;
    assert_eq!(
        from_value(restored.value.as_ref().unwrap()),
        json!({"a": 2, "b": 3, "c": 3})
    );
    assert_ne!(restored.version, merged.version);
}

#[tokio::test]
async fn what_each_round_of_a_merge_drops_is_listed() {
    let world = World::at_home().await;
    diverge(
        &world,
        "n-1",
        json!({"c": 1}),
        json!({"c": 2}),
        json!({"c": 3}),
    )
    .await;
    let plan = world.plan().await;
    world.hubs.script().scans_held = true;
    world.apply(&plan).await.unwrap();
    world.until(&plan.name, MergeState::Verifying).await;
    let seen = read(&world, "n-1").await.version;
    write(&world, put("n-1", json!({"c": 4}), "west", &seen)).await;
    let late = put("n-1", json!({"c": 5}), "east", &seen);
    assert!(write(&world, late).await.is_branch);
    // The hubs differ, so there is another round.
    let made = tagged("east", "owner", "east");
    world.hubs.put("d-1", absent(), made, absent());
    world.hubs.script().scans_held = false;
    world.until(&plan.name, MergeState::Closed).await;
    let conflicts = world.conflicts(&plan).await;
    let mut dropped: Vec<_> = conflicts
        .iter()
        .map(|conflict| from_value(conflict.primary.as_ref().unwrap()))
        .collect();
    dropped.sort_by_key(|value| value.as_i64());
    assert_eq!(dropped, [json!(3), json!(5)]);
}

#[tokio::test]
async fn a_counter_adds_what_both_sides_added() {
    let world = World::at_home().await;
    set_policy(&world, NamespacePolicy::Counter).await;
    diverge(&world, "n-1", json!(10), json!(13), json!(15)).await;
    world.close(&world.plan().await).await;
    assert_eq!(
        from_value(read(&world, "n-1").await.value.as_ref().unwrap()),
        json!(18)
    );
}

#[tokio::test]
async fn a_write_over_an_unread_version_is_refused_and_a_repeated_one_is_the_same() {
    let world = World::new().await;
    let request = put("n-1", json!(1), "west", "");
    let first = write(&world, request.clone()).await.document.unwrap();
    assert_eq!(
        write(&world, request).await.document.unwrap().version,
        first.version
    );
    let mut documents = world.service.documents.clone();
    let refused = documents
        .put_document(put("n-1", json!(2), "west", ""))
        .await
        .unwrap_err();
    assert_eq!(fault::reason(&refused), "VERSION_MISMATCH");
    write(&world, put("n-1", json!(2), "west", &first.version)).await;
    let ahead = pb::PutDocumentRequest {
        epoch: 9_999,
        ..put("n-1", json!(3), "west", "")
    };
    let refused = documents.put_document(ahead).await.unwrap_err();
    assert_eq!(fault::reason(&refused), "EPOCH_AHEAD");
}

async fn refused(world: &World, request: pb::PutDocumentRequest) -> String {
    let mut documents = world.service.documents.clone();
    fault::reason(&documents.put_document(request).await.unwrap_err())
}

#[tokio::test]
async fn a_late_write_takes_the_place_of_none_that_it_did_not_read() {
    let world = World::at_home().await;
    let first = write(&world, put("n-1", json!({"a": 1}), "east", "")).await;
    let first = first.document.unwrap().version;
    let second = write(&world, put("n-1", json!({"a": 2}), "east", &first)).await;
    let second = second.document.unwrap().version;
    world.fail_over().await;
    let blind = || put("n-1", json!({"a": 1, "b": 1}), "east", &first);
    assert_eq!(refused(&world, blind()).await, "VERSION_MISMATCH");
    let branch = put("n-1", json!({"a": 2, "b": 1}), "east", &second);
    let kept = write(&world, branch).await;
    assert!(kept.is_branch);
    assert_eq!(refused(&world, blind()).await, "VERSION_MISMATCH");
    // Another back end that was cut off just so has not read the first one's branch.
    let other = |version: &str| put("n-1", json!({"a": 2, "b": 2}), "east", version);
    assert_eq!(refused(&world, other(&second)).await, "VERSION_MISMATCH");
    let branches = kept.document.unwrap().branches;
    // The shown one comes first.
    let theirs = branches.last().unwrap().version.clone();
    assert!(write(&world, other(&theirs)).await.is_branch);
    world.close(&world.plan().await).await;
    let merged = read(&world, "n-1").await;
    assert_eq!(
        from_value(merged.value.as_ref().unwrap()),
        json!({"a": 2, "b": 2})
    );
    let blind = put("n-1", json!({"a": 3}), "east", &second);
    assert_eq!(refused(&world, blind).await, "VERSION_MISMATCH");
}

#[tokio::test]
async fn of_two_back_ends_that_create_a_document_at_once_one_is_refused() {
    let world = World::new().await;
    for number in 0..5 {
        let key = format!("n-{number}");
        let create = |value: i64| {
            let mut documents = world.service.documents.clone();
            let request = put(&key, json!(value), "west", "");
            async move { documents.put_document(request).await }
        };
        let (won, lost) = match tokio::join!(create(1), create(2)) {
            (Ok(won), Err(lost)) | (Err(lost), Ok(won)) => (won.into_inner(), lost),
            both => panic!("one must be refused: {both:?}"),
        };
        assert_eq!(fault::reason(&lost), "VERSION_MISMATCH");
        let stored = read(&world, &key).await;
        assert_eq!(stored.value, won.document.unwrap().value);
    }
}

#[tokio::test]
async fn a_back_ends_own_store_takes_part_and_what_moved_is_read_again() {
    let world = World::new().await;
    let store = OwnStore::default();
    let url = format!("http://{}", store.serve().await);
    let sides = |base, primary, secondary| [Some(base), Some(primary), Some(secondary)];
    store.put(
        "k-1",
        "json_leaf",
        sides(json!({"a": 1}), json!({"a": 2}), json!({"a": 1, "b": 1})),
    );
    store.put("k-2", "counter", sides(json!(10), json!(13), json!(15)));
    store.put(
        "k-3",
        "json_leaf",
        sides(json!({"a": 1}), json!({"a": 2}), json!({"a": 3})),
    );
    store.put("k-4", "guess", sides(json!(1), json!(2), json!(3)));
    store.script().moves_once.insert("k-2".to_owned());
    let merge = world.start_plan_with(vec![url]).await.unwrap();
    let plan = world.until(&merge.name, MergeState::Planned).await;
    world.close(&plan).await;
    {
        let script = store.script();
        assert_eq!(script.merged["k-1"], Some(json!({"a": 2, "b": 1})));
        assert_eq!(script.merged["k-2"], Some(json!(18)));
        assert_eq!(script.merged["k-3"], Some(json!({"a": 3})));
        assert!(!script.merged.contains_key("k-4"));
    }
    let conflicts = world.conflicts(&plan).await;
    let found: Vec<_> = conflicts
        .iter()
        .map(|c| (c.key.as_str(), c.state()))
        .collect();
    assert_eq!(
        found,
        [("k-3", ConflictState::Auto), ("k-4", ConflictState::Held)]
    );
    let refused = world
        .resolve(&conflicts[1], pb::Choice::Primary)
        .await
        .unwrap_err();
    assert_eq!(fault::reason(&refused), "CHOICE_IMPOSSIBLE");
    assert_eq!(world.status().await.open_hold_count, 0);
}
