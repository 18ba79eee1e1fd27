//! A hub as the management plane describes it, and what a description becomes when the hub is
//! fenced. Pure: JSON in, JSON out.

use hubshift_azure::{NoRandomness, Secret};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::outcome::{Cause, HubError};

/// What the plane itself keeps, and does not take back.
const READ_ONLY: [&str; 4] = ["id", "name", "type", "systemData"];
const READ_ONLY_PROPERTIES: [&str; 4] = ["provisioningState", "state", "hostName", "locations"];

/// A hub as a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubResource {
    /// Whether it can be reached from the internet. Where the plane says nothing, it can.
    pub public_network_access: bool,
    /// Its edition, such as `S1`.
    pub sku: String,
    /// Its units.
    pub units: u32,
    /// What it is doing; `Active` when all is well.
    pub state: String,
    /// What became of the last change: `Succeeded`, `Failed`, or a word for being under way.
    pub provisioning_state: String,
    /// Its host, if the plane says it.
    pub host: Option<String>,
}

/// A shared access policy with its keys. `Debug` shows no key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PolicyKeys {
    /// The policy's name.
    pub key_name: String,
    /// The first key.
    pub primary_key: Secret,
    /// The second key.
    pub secondary_key: Secret,
    /// What it allows, as the plane writes it.
    pub rights: String,
}

/// An answer with policies.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Policies {
    pub(super) value: Vec<PolicyKeys>,
    #[serde(default)]
    pub(super) next_link: Option<String>,
}

impl PolicyKeys {
    /// The same policy with keys that nobody has seen.
    pub(super) fn renewed(&self) -> Result<Self, NoRandomness> {
        Ok(Self {
            key_name: self.key_name.clone(),
            primary_key: Secret::generate()?,
            secondary_key: Secret::generate()?,
            rights: self.rights.clone(),
        })
    }
}

/// A description with its etag, as it was read.
pub(super) struct Described {
    pub(super) resource: HubResource,
    pub(super) etag: String,
    body: Map<String, Value>,
}

impl Described {
    /// Reads a description.
    pub(super) fn read(body: Value) -> Result<Self, HubError> {
        let Value::Object(body) = body else {
            return Err(unreadable("it is no object"));
        };
        let properties = body
            .get("properties")
            .and_then(Value::as_object)
            .ok_or_else(|| unreadable("it has no properties"))?;
        let etag = text(&body, "etag").ok_or_else(|| unreadable("it has no etag"))?;
        let sku = body.get("sku").and_then(Value::as_object);
        let units = sku.and_then(|sku| sku.get("capacity")?.as_u64());
        let resource = HubResource {
            public_network_access: text(properties, "publicNetworkAccess")
                .is_none_or(|access| !access.eq_ignore_ascii_case("Disabled")),
            sku: sku.and_then(|sku| text(sku, "name")).unwrap_or_default(),
            units: units.and_then(|n| u32::try_from(n).ok()).unwrap_or(1),
            state: text(properties, "state").unwrap_or_default(),
            provisioning_state: text(properties, "provisioningState").unwrap_or_default(),
            host: text(properties, "hostName"),
        };
        Ok(Self {
            resource,
            etag,
            body,
        })
    }

    /// The whole description to be written: all that was read, except for access and keys.
    ///
    /// The plane replaces what it has by what it is given; secrets of the hub's endpoints it
    /// shows masked and takes masked, as Azure's own command line sends them.
    pub(super) fn with(self, public_network_access: bool, policies: &[PolicyKeys]) -> Value {
        let mut body = self.body;
        for name in READ_ONLY {
            body.remove(name);
        }
        if let Some(Value::Object(properties)) = body.get_mut("properties") {
            for name in READ_ONLY_PROPERTIES {
                properties.remove(name);
            }
            let access = if public_network_access {
                "Enabled"
            } else {
                "Disabled"
            };
            properties.insert("publicNetworkAccess".to_owned(), json!(access));
            properties.insert("authorizationPolicies".to_owned(), json!(policies));
        }
        Value::Object(body)
    }
}

impl HubResource {
    /// Whether the last change is done; an error if it came to nothing.
    pub(super) fn is_settled(&self) -> Result<bool, HubError> {
        match self.provisioning_state.as_str() {
            "" | "Succeeded" => Ok(true),
            "Failed" | "Canceled" => Err(Cause::Partial(format!(
                "the change of the hub ended as {}",
                self.provisioning_state
            ))
            .into()),
            _ => Ok(false),
        }
    }
}

/// Whether the id is a hub's: eight segments, of which some are fixed.
pub(super) fn is_resource_id(id: &str) -> bool {
    let segments: Vec<&str> = id.split('/').collect();
    let [
        "",
        subscriptions,
        subscription,
        groups,
        group,
        providers,
        provider,
        hubs,
        hub,
    ] = segments[..]
    else {
        return false;
    };
    let is_name = |text: &str| {
        !text.is_empty()
            && !text.starts_with('.')
            && text
                .chars()
                .all(|c| c.is_alphanumeric() || "-._()".contains(c))
    };
    let is = |text: &str, word: &str| text.eq_ignore_ascii_case(word);
    is(subscriptions, "subscriptions")
        && is(groups, "resourceGroups")
        && is(providers, "providers")
        && is(provider, "Microsoft.Devices")
        && is(hubs, "IotHubs")
        && [subscription, group, hub].into_iter().all(is_name)
}

fn text(object: &Map<String, Value>, name: &str) -> Option<String> {
    Some(object.get(name)?.as_str()?.to_owned())
}

fn unreadable(what: &str) -> HubError {
    Cause::Unreadable(format!("the hub's description: {what}")).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body() -> Value {
        json!({
            "id": "/subscriptions/s/x", "name": "east", "type": "Microsoft.Devices/IotHubs",
            "location": "westeurope", "tags": {"team": "iot"}, "etag": "AAAA",
            "sku": {"name": "S2", "tier": "Standard", "capacity": 3},
            "properties": {
                "state": "Active", "provisioningState": "Succeeded", "hostName": "east.example",
                "publicNetworkAccess": "Enabled",
                "routing": {"endpoints": {"eventHubs": [{"connectionString": "****"}]}},
            },
        })
    }

    fn policy() -> PolicyKeys {
        PolicyKeys {
            key_name: "iothubowner".to_owned(),
            primary_key: Secret::new("canary1"),
            secondary_key: Secret::new("canary2"),
            rights: "RegistryWrite, ServiceConnect".to_owned(),
        }
    }

    #[test]
    fn a_description_is_read() {
        let described = Described::read(body()).unwrap();
        assert_eq!(described.etag, "AAAA");
        let expected = HubResource {
            public_network_access: true,
            sku: "S2".to_owned(),
            units: 3,
            state: "Active".to_owned(),
            provisioning_state: "Succeeded".to_owned(),
            host: Some("east.example".to_owned()),
        };
        assert_eq!(described.resource, expected);
        assert!(Described::read(json!({"etag": "A"})).is_err());
        assert!(Described::read(json!([])).is_err());
    }

    #[test]
    fn access_is_open_unless_the_plane_says_otherwise() {
        let access = |value: Value| {
            let mut body = body();
            body["properties"]["publicNetworkAccess"] = value;
            Described::read(body)
                .unwrap()
                .resource
                .public_network_access
        };
        assert!(access(Value::Null));
        assert!(access(json!("Enabled")));
        assert!(!access(json!("disabled")));
    }

    #[test]
    fn what_is_written_is_what_was_read_but_for_access_and_keys() {
        let written = Described::read(body()).unwrap().with(false, &[policy()]);
        let mut expected = body();
        for name in READ_ONLY {
            expected.as_object_mut().unwrap().remove(name);
        }
        let properties = expected["properties"].as_object_mut().unwrap();
        for name in READ_ONLY_PROPERTIES {
            properties.remove(name);
        }
        properties["publicNetworkAccess"] = json!("Disabled");
        let keys = json!([{
            "keyName": "iothubowner", "primaryKey": "canary1", "secondaryKey": "canary2",
            "rights": "RegistryWrite, ServiceConnect",
        }]);
        properties.insert("authorizationPolicies".to_owned(), keys);
        assert_eq!(written, expected);
    }

    #[test]
    fn a_renewed_policy_allows_the_same_with_other_keys() {
        let (old, new) = (policy(), policy().renewed().unwrap());
        assert_eq!((&new.key_name, &new.rights), (&old.key_name, &old.rights));
        assert_ne!(new.primary_key, old.primary_key);
        assert_ne!(new.secondary_key, old.secondary_key);
        assert_ne!(new.primary_key, new.secondary_key);
        assert!(!format!("{old:?}").contains("canary"));
    }

    #[test]
    fn only_hubs_have_a_hubs_id() {
        let hub = "/subscriptions/0-1/resourceGroups/r.g_(1)/providers/Microsoft.Devices/IotHubs/h";
        assert!(is_resource_id(hub));
        assert!(is_resource_id(&hub.to_ascii_lowercase()));
        for bad in [
            "",
            "/subscriptions/0-1",
            "subscriptions/s/resourceGroups/g/providers/Microsoft.Devices/IotHubs/h",
            &hub.replace("IotHubs", "provisioningServices"),
            &hub.replace("/h", "/"),
            &format!("{hub}/listkeys"),
            &hub.replace("0-1", ".."),
            &hub.replace("0-1", "a?b"),
        ] {
            assert!(!is_resource_id(bad), "{bad}");
        }
    }

    #[test]
    fn a_change_is_under_way_until_it_ended() {
        let with = |state: &str| {
            let mut resource = Described::read(body()).unwrap().resource;
            resource.provisioning_state = state.to_owned();
            resource.is_settled()
        };
        assert_eq!(with("Succeeded"), Ok(true));
        assert_eq!(with("Transitioning"), Ok(false));
        assert!(matches!(with("Failed"), Err(HubError::Unknown(_))));
    }
}
