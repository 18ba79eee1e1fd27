use serde_json::{Value, json};

use super::*;
use crate::journal::Records;
use crate::options::RegistryOptions;
use crate::registry::Marks;

fn registry() -> Registry {
    Registry::new(Records::new(), None, Marks::new().unwrap())
}

fn entry(json: Value) -> ExportImportDevice {
    ExportImportDevice::from_value(json).unwrap()
}

fn apply(registry: &mut Registry, json: Value) -> Result<(), ErrorCode> {
    registry.apply(&entry(json)).map_err(|refusal| refusal.code)
}

fn edge(registry: &mut Registry) {
    let edge = json!({"id": "e", "status": "enabled", "capabilities": {"iotEdge": true}});
    apply(registry, edge).unwrap();
}

#[test]
fn a_mode_is_an_action_that_depends_on_what_is_there() {
    let of = |mode: &str, is_there| {
        let entry = entry(json!({"id": "d", "importMode": mode, "eTag": "MA=="}));
        Action::of(&entry, is_there).unwrap()
    };
    let any = || Action::Update {
        identity: IfMatch::Any,
        twin: IfMatch::Any,
    };
    assert_eq!(of("createOrUpdate", true), any());
    assert_eq!(of("createOrUpdate", false), Action::Create);
    assert_eq!(of("create", true), Action::Create);
    assert_eq!(of("update", false), any());
    let condition = IfMatch::parse("MA==");
    assert_eq!(of("deleteIfMatchETag", true), Action::Delete(condition));
}

#[test]
fn a_condition_without_an_etag_is_refused() {
    for mode in [
        "updateIfMatchETag",
        "deleteIfMatchETag",
        "updateTwinIfMatchETag",
    ] {
        let entry = entry(json!({"id": "d", "importMode": mode}));
        let refusal = Action::of(&entry, true).unwrap_err();
        assert_eq!(refusal.code, ErrorCode::ArgumentNull, "{mode}");
    }
}

#[test]
fn a_status_is_needed_where_an_identity_of_a_device_is_written() {
    let hub = &mut registry();
    let made = apply(hub, json!({"id": "d", "importMode": "create"}));
    assert_eq!(made, Err(ErrorCode::ArgumentNull));
    apply(hub, json!({"id": "d", "status": "enabled"})).unwrap();
    let updated = apply(hub, json!({"id": "d", "importMode": "update"}));
    assert_eq!(updated, Err(ErrorCode::ArgumentNull));
    let twin = json!({"id": "d", "importMode": "updateTwin", "tags": {"a": 1}});
    assert_eq!(apply(hub, twin), Ok(()));
    let module = json!({"id": "d", "moduleId": "m"});
    assert_eq!(apply(hub, module), Ok(()));
    assert_eq!(
        apply(hub, json!({"id": "d", "importMode": "delete"})),
        Ok(())
    );
}

#[test]
fn modules_follow_the_modes_of_devices() {
    let hub = &mut registry();
    let module = |mode: &str| json!({"id": "d", "moduleId": "m", "importMode": mode});
    let missing = apply(hub, module("create"));
    assert_eq!(missing, Err(ErrorCode::DeviceNotFound));
    apply(hub, json!({"id": "d", "status": "enabled"})).unwrap();
    assert_eq!(apply(hub, module("update")), Err(ErrorCode::ModuleNotFound));
    apply(hub, module("create")).unwrap();
    let again = apply(hub, module("create"));
    assert_eq!(again, Err(ErrorCode::ModuleAlreadyExistsOnDevice));
    let mut twin = module("updateTwin");
    twin["tags"] = json!({"a": 1});
    apply(hub, twin).unwrap();
    assert_eq!(hub.module(("d", "m")).unwrap().twin.tags["a"], 1);
    let mut stale = module("updateIfMatchETag");
    stale["eTag"] = json!("MA==");
    assert_eq!(apply(hub, stale), Err(ErrorCode::PreconditionFailed));
    apply(hub, module("delete")).unwrap();
    assert!(hub.module(("d", "m")).is_err());
}

#[test]
fn an_entry_reaches_only_the_twin_of_a_module_that_is_the_hubs() {
    let hub = &mut registry();
    edge(hub);
    let before = hub.module(("e", "$edgeAgent")).unwrap().clone();
    for mode in ["create", "createOrUpdate", "update"] {
        let agent = json!({"id": "e", "moduleId": "$edgeAgent", "importMode": mode,
            "authentication": {"type": "sas"}, "properties": {"desired": {"mode": mode}}});
        apply(hub, agent).unwrap();
        let after = hub.module(("e", "$edgeAgent")).unwrap();
        assert_eq!(after.twin.desired()["mode"], mode);
        assert_eq!(after.authentication, before.authentication);
        assert_eq!(after.etag, before.etag);
    }
    let delete = json!({"id": "e", "moduleId": "$edgeAgent", "importMode": "delete"});
    assert_eq!(apply(hub, delete), Err(ErrorCode::ArgumentInvalid));
    let made = json!({"id": "e", "moduleId": "$mine"});
    assert_eq!(apply(hub, made), Err(ErrorCode::ArgumentInvalid));
}

#[test]
fn a_failed_entry_changes_nothing() {
    let hub = &mut registry();
    apply(hub, json!({"id": "d", "status": "enabled"})).unwrap();
    let before = hub.get("d").unwrap().clone();
    let bad_twin = json!({"id": "d", "status": "disabled", "importMode": "update",
        "tags": {"a.b": 1}});
    assert_eq!(apply(hub, bad_twin), Err(ErrorCode::ArgumentInvalid));
    let stale_twin = json!({"id": "d", "status": "disabled", "importMode": "updateIfMatchETag",
        "eTag": before.etag, "twinETag": "AAAAAAAAAAk=", "tags": {"a": 1}});
    assert_eq!(apply(hub, stale_twin), Err(ErrorCode::PreconditionFailed));
    assert_eq!(*hub.get("d").unwrap(), before);
}

#[test]
fn an_export_has_everything_and_can_be_imported() {
    let hub = &mut registry();
    edge(hub);
    let scope = hub.get("e").unwrap().device_scope.clone().unwrap();
    let leaf = json!({"id": "a-leaf", "status": "disabled", "deviceScope": scope});
    apply(hub, leaf).unwrap();
    apply(
        hub,
        json!({"id": "a-leaf", "moduleId": "m", "tags": {"a": 1}}),
    )
    .unwrap();
    let records = hub.snapshot();
    let entries: Vec<_> = records.iter().flat_map(|record| record.entries()).collect();
    let ids: Vec<_> = entries
        .iter()
        .map(|entry| (entry.id.as_str(), entry.module_id.as_deref()))
        .collect();
    let expected = [
        ("a-leaf", None),
        ("a-leaf", Some("m")),
        ("e", None),
        ("e", Some("$edgeAgent")),
        ("e", Some("$edgeHub")),
    ];
    assert_eq!(ids, expected);
    assert_eq!(entries[0].parent_scopes, Some(vec![scope.clone()]));
    assert_eq!(entries[2].device_scope, Some(scope));
    assert!(entries[1].authentication.as_ref().unwrap().keys().is_some());
    assert!(entries.iter().all(|entry| entry.status.is_some()));

    let other = &mut registry();
    // The scope is the other hub's own, so the leaf comes without its parent.
    for entry in &entries[1..] {
        let entry = ExportImportDevice {
            device_scope: None,
            parent_scopes: None,
            ..entry.clone()
        };
        if entry.id == "e" {
            assert_eq!(other.apply(&entry), Ok(()), "{entry:?}");
        }
    }
    assert_eq!(other.get("e").unwrap().modules.len(), 2);
}

#[test]
fn reported_properties_come_in_by_the_switch() {
    let options = RegistryOptions {
        import_reported: true,
        ..RegistryOptions::default()
    };
    let line = json!({"id": "d", "status": "enabled", "properties": {"reported": {"rpm": 5}}});
    let hub = &mut registry();
    apply(hub, line.clone()).unwrap();
    assert!(hub.get("d").unwrap().twin.reported().is_empty());
    let hub = &mut registry().with_options(options);
    apply(hub, line).unwrap();
    assert_eq!(hub.get("d").unwrap().twin.reported()["rpm"], 5);
}
