use std::sync::Arc;

use super::*;
use crate::registry::record::sample;

/// What a client sends of a device's place.
fn body(iot_edge: bool, scope: Option<&str>, parents: &[&str]) -> IdentityBody {
    IdentityBody {
        iot_edge,
        device_scope: scope.map(str::to_owned),
        parent_scopes: parents.iter().map(|scope| (*scope).to_owned()).collect(),
        ..IdentityBody::default()
    }
}

/// A hub whose devices are written one after the other.
struct Hub {
    records: Records,
    marks: Marks,
}

impl Hub {
    fn new() -> Self {
        Self {
            records: Records::new(),
            marks: Marks::new().unwrap(),
        }
    }

    fn write(&mut self, id: &str, body: &IdentityBody) -> Result<Place, Refusal> {
        let old = self.records.get(id).map(Arc::as_ref);
        let place = place(&self.records, id, old, body, &mut self.marks)?;
        let record = Record {
            iot_edge: body.iot_edge,
            device_scope: place.device_scope.clone(),
            parent_scopes: place.parent_scopes.clone(),
            ..sample(id)
        };
        self.records.insert(id.to_owned(), Arc::new(record));
        Ok(place)
    }

    /// Makes an Edge device and returns its scope.
    fn edge(&mut self, id: &str, parents: &[&str]) -> String {
        let place = self.write(id, &body(true, None, parents)).unwrap();
        place.device_scope.unwrap()
    }

    fn refused(&mut self, id: &str, body: &IdentityBody) -> String {
        let refusal = self.write(id, body).unwrap_err();
        assert_eq!(refusal.code, ErrorCode::InvalidDeviceScope);
        refusal.words
    }
}

#[test]
fn the_hub_makes_the_scope_of_an_edge_device_and_ignores_a_given_one() {
    let mut hub = Hub::new();
    let given = body(true, Some("ms-azure-iot-edge://other-1"), &[]);
    let scope = hub.write("e-1", &given).unwrap().device_scope.unwrap();
    let ticks = scope.strip_prefix("ms-azure-iot-edge://e-1-").unwrap();
    assert_eq!(ticks.len(), 18);
    assert!(ticks.bytes().all(|digit| digit.is_ascii_digit()));
}

#[test]
fn a_leaf_hangs_by_its_scope_and_is_detached_without_one() {
    let mut hub = Hub::new();
    let scope = hub.edge("e", &[]);
    let attached = hub.write("leaf", &body(false, Some(&scope), &[])).unwrap();
    assert_eq!(attached.parent_scopes, std::slice::from_ref(&scope));
    assert_eq!(attached.device_scope, Some(scope.clone()));
    let by_parents = hub.write("leaf", &body(false, None, &[&scope])).unwrap();
    assert_eq!(by_parents, Place::default());
}

#[test]
fn an_edge_device_says_its_own_scope_on_every_update() {
    let mut hub = Hub::new();
    let top = hub.edge("top", &[]);
    let own = hub.edge("e", &[&top]);
    for silent in [None, Some(top.as_str())] {
        let words = hub.refused("e", &body(true, silent, &[&top]));
        assert_eq!(words, "Device scope is immutable");
    }
    let detached = hub.write("e", &body(true, Some(&own), &[])).unwrap();
    assert_eq!(detached.parent_scopes, Vec::<String>::new());
    assert_eq!(detached.device_scope, Some(own));
}

#[test]
fn a_leaf_becomes_an_edge_device_and_back() {
    let mut hub = Hub::new();
    let top = hub.edge("top", &[]);
    hub.write("d", &body(false, Some(&top), &[])).unwrap();
    hub.refused("d", &body(true, Some(&top), &[]));
    let place = hub.write("d", &body(true, None, &[&top])).unwrap();
    assert_ne!(place.device_scope, Some(top.clone()));
    assert_eq!(place.parent_scopes, std::slice::from_ref(&top));
    let own = place.device_scope.unwrap();
    let leaf = hub.write("d", &body(false, Some(&own), &[&top])).unwrap();
    assert_eq!(leaf, Place::default());
}

#[test]
fn a_scope_that_nobody_has_is_refused_but_may_be_kept() {
    let mut hub = Hub::new();
    hub.refused("leaf", &body(false, Some("ms-azure-iot-edge://e-1"), &[]));
    let scope = hub.edge("e", &[]);
    let leaf = body(false, Some(&scope), &[]);
    hub.write("leaf", &leaf).unwrap();
    hub.records.remove("e");
    assert!(hub.write("leaf", &leaf).is_ok());
    hub.refused("other", &leaf);
    // A device of the same name is another one.
    assert_ne!(hub.edge("e", &[]), scope);
    hub.refused("other", &leaf);
}

#[test]
fn a_device_that_outlived_its_parent_keeps_a_scope_that_a_hub_made() {
    let scope = "ms-azure-iot-edge://gone-1-635928930091746067";
    let leaf = orphaned(&sample("leaf"), scope).unwrap();
    assert_eq!(leaf.device_scope.as_deref(), Some(scope));
    assert_eq!(leaf.parent_scopes, [scope]);
    let edge = Record {
        iot_edge: true,
        device_scope: Some("its-own".to_owned()),
        ..sample("e")
    };
    let edge = orphaned(&edge, scope).unwrap();
    assert_eq!(edge.device_scope.as_deref(), Some("its-own"));
    assert_eq!(edge.parent_scopes, [scope]);
    for other in [
        "",
        "gone-1",
        "ms-azure-iot-edge://gone",
        "ms-azure-iot-edge://gone-x",
    ] {
        assert!(orphaned(&sample("leaf"), other).is_err(), "{other}");
    }
}

#[test]
fn the_tree_stays_a_tree() {
    let mut hub = Hub::new();
    let top = hub.edge("top", &[]);
    let middle = hub.edge("middle", &[&top]);
    let low = hub.edge("low", &[&middle]);
    for below in [&top, &middle, &low] {
        hub.refused("top", &body(true, Some(&top), &[below]));
    }
    hub.refused("low", &body(true, Some(&low), &[&middle, &top]));
    assert!(hub.write("low", &body(true, Some(&low), &[&top])).is_ok());
}
