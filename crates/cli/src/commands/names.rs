//! Resource names from what a person types: the bare id, or the whole name.

use hubshift_domain::id::{FleetId, HubId};

use crate::exit::CliError;

/// `fleets/{fleet}/{collection}/{id}` of a bare id; a whole name stays as it is.
pub(super) fn child(fleet: &FleetId, collection: &str, id: &str) -> String {
    if id.starts_with("fleets/") {
        id.to_owned()
    } else {
        fleet.child_name(collection, id)
    }
}

/// A device's name; its id may be anything but a path.
pub(super) fn device(fleet: &FleetId, id: &str) -> String {
    child(fleet, "devices", id)
}

/// `fleets/{fleet}/hubs/{hub}`.
pub(super) fn hub(fleet: &FleetId, slug: &str) -> Result<String, CliError> {
    let bare = slug.rsplit('/').next().unwrap_or(slug);
    let hub = HubId::new(bare).map_err(|error| CliError::usage(error.to_string()))?;
    Ok(fleet.hub_name(&hub))
}

/// `fleets/{fleet}/hubs/{hub}/connection`.
pub(super) fn connection(fleet: &FleetId, slug: &str) -> Result<String, CliError> {
    Ok(format!("{}/connection", hub(fleet, slug)?))
}

/// `fleets/{fleet}/namespaces/{namespace}`.
pub(super) fn namespace(fleet: &FleetId, namespace: &str) -> String {
    child(fleet, "namespaces", namespace)
}

/// `fleets/{fleet}/namespaces/{namespace}/documents/{key}`.
pub(super) fn document(fleet: &FleetId, space: &str, key: &str) -> String {
    format!("{}/documents/{key}", namespace(fleet, space))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_become_names_and_names_stay() {
        let fleet = FleetId::new("acme").unwrap();
        assert_eq!(child(&fleet, "merges", "m1"), "fleets/acme/merges/m1");
        assert_eq!(
            child(&fleet, "merges", "fleets/b/merges/m2"),
            "fleets/b/merges/m2"
        );
        assert_eq!(
            connection(&fleet, "east").unwrap(),
            "fleets/acme/hubs/east/connection"
        );
        assert_eq!(
            document(&fleet, "sites", "a"),
            "fleets/acme/namespaces/sites/documents/a"
        );
        assert_eq!(hub(&fleet, "East").unwrap_err().code(), 64);
    }
}
