//! The hub as a resource: what `GET` shows of it and what `PUT` changes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hubshift_azure::etag::IfMatch;
use hubshift_azure::quota::{Quota, Tier};
use serde::Deserialize;
use serde_json::{Map, Value, json as object};

use super::answer::Problem;
use super::id::ResourceId;
use super::keys::{self, Rule};
use crate::access::Policy;

const PUBLIC_ACCESS: &str = "publicNetworkAccess";
const POLICIES: &str = "authorizationPolicies";
/// What the hub itself says of itself, whatever is put.
const READ_ONLY: [&str; 3] = ["state", "provisioningState", "hostName"];

/// The hub as a resource.
pub(super) struct Resource {
    host: String,
    version: u64,
    location: String,
    tags: Map<String, Value>,
    sku: Sku,
    /// What was put and means nothing here: kept, so that what is read can be put back.
    properties: Map<String, Value>,
}

/// Tier and units.
#[derive(Clone, Copy, Deserialize)]
struct Sku {
    name: Tier,
    #[serde(default = "one")]
    capacity: u32,
}

/// A change, read and found good.
pub(super) struct Change {
    /// Whether anybody is let in.
    pub(super) is_public: bool,
    /// The policies that the hub is to have from now on; nothing leaves them.
    pub(super) policies: Option<Vec<Policy>>,
    location: String,
    tags: Map<String, Value>,
    sku: Sku,
    properties: Map<String, Value>,
}

/// A change as it comes.
#[derive(Deserialize)]
struct Put {
    location: String,
    #[serde(default)]
    tags: Map<String, Value>,
    sku: Sku,
    #[serde(default)]
    properties: Map<String, Value>,
}

impl Resource {
    pub(super) fn new(host: String, quota: Option<Quota>) -> Self {
        let quota = quota.unwrap_or(Quota {
            tier: Tier::S1,
            units: 1,
        });
        Self {
            host,
            version: 1,
            location: "local".to_owned(),
            tags: Map::new(),
            sku: Sku {
                name: quota.tier,
                capacity: quota.units,
            },
            properties: Map::new(),
        }
    }

    /// What `GET` shows. Keys are listed apart.
    pub(super) fn view(&self, id: &ResourceId, is_public: bool) -> Value {
        let mut properties = self.properties.clone();
        let access = if is_public { "Enabled" } else { "Disabled" };
        properties.insert(PUBLIC_ACCESS.to_owned(), access.into());
        let said = [
            ("state", "Active"),
            ("provisioningState", "Succeeded"),
            ("hostName", self.host.as_str()),
        ];
        for (name, value) in said {
            properties.insert(name.to_owned(), value.into());
        }
        object!({
            "id": id.to_string(),
            "name": id.name(),
            "type": "Microsoft.Devices/IotHubs",
            "location": self.location,
            "tags": self.tags,
            "etag": self.etag(),
            "properties": properties,
            "sku": {
                "name": self.sku.name,
                "tier": self.sku.name.family(),
                "capacity": self.sku.capacity,
            },
        })
    }

    /// Without `If-Match` a change is unconditional. Azure's documentation asks for it on updates;
    /// Terraform's provider sends none and is served.
    pub(super) fn check_etag(&self, if_match: Option<&IfMatch>) -> Result<(), Problem> {
        match if_match {
            Some(if_match) if !if_match.allows(&self.etag()) => Err(Problem::etag_mismatch()),
            _ => Ok(()),
        }
    }

    pub(super) fn apply(&mut self, change: Change) {
        self.version += 1;
        self.location = change.location;
        self.tags = change.tags;
        self.sku = change.sku;
        self.properties = change.properties;
    }

    fn etag(&self) -> String {
        STANDARD.encode(self.version.to_be_bytes())
    }
}

impl Change {
    /// Reads a change. `PUT` replaces: who does not say that the network is closed opens it. Left
    /// out policies stay, because `GET` does not show them; both are inferred.
    pub(super) fn read(body: &[u8]) -> Result<Self, Problem> {
        let put: Put = serde_json::from_slice(body).map_err(|_| {
            let words = "the body must be a hub with location, sku and properties";
            Problem::bad_request("InvalidRequestContent", words)
        })?;
        let mut properties = put.properties;
        let is_public = is_public(properties.remove(PUBLIC_ACCESS))?;
        let policies = policies(properties.remove(POLICIES))?;
        properties.retain(|name, _| !READ_ONLY.contains(&name.as_str()));
        Ok(Self {
            is_public,
            policies,
            location: put.location,
            tags: put.tags,
            sku: put.sku,
            properties,
        })
    }
}

fn is_public(value: Option<Value>) -> Result<bool, Problem> {
    let text = match &value {
        None | Some(Value::Null) => return Ok(true),
        Some(value) => value.as_str().unwrap_or_default(),
    };
    if text.eq_ignore_ascii_case("Enabled") {
        Ok(true)
    } else if text.eq_ignore_ascii_case("Disabled") {
        Ok(false)
    } else {
        let words = "publicNetworkAccess must be Enabled or Disabled";
        Err(Problem::bad_request("InvalidRequestContent", words))
    }
}

fn policies(value: Option<Value>) -> Result<Option<Vec<Policy>>, Problem> {
    let value = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(value) => value,
    };
    // The error's text could quote a key.
    let rules: Vec<Rule> = serde_json::from_value(value).map_err(|_| {
        let words = "authorizationPolicies must be a list with keyName and rights";
        Problem::bad_request("InvalidRequestContent", words)
    })?;
    keys::read(rules).map(Some)
}

fn one() -> u32 {
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Devices/IotHubs/h";

    fn view(resource: &Resource, is_public: bool) -> Value {
        resource.view(&ID.parse().unwrap(), is_public)
    }

    fn change(body: &Value) -> Result<Change, Problem> {
        Change::read(body.to_string().as_bytes())
    }

    #[test]
    fn what_is_read_can_be_put_back_with_one_word_changed() {
        let mut resource = Resource::new("hub:8443".to_owned(), None);
        let mut body = view(&resource, true);
        assert_eq!(body["properties"]["hostName"], "hub:8443");
        assert_eq!(body["sku"]["tier"], "Standard");
        body["properties"]["publicNetworkAccess"] = "Disabled".into();
        body["properties"]["minTlsVersion"] = "1.2".into();
        body["tags"]["owner"] = "us".into();
        let change = change(&body).unwrap();
        assert!(!change.is_public);
        assert!(change.policies.is_none());
        resource.apply(change);
        let seen = view(&resource, false);
        assert_eq!(seen["properties"], body["properties"]);
        assert_eq!(seen["tags"]["owner"], "us");
        assert_ne!(seen["etag"], body["etag"]);
    }

    #[test]
    fn an_old_etag_is_refused() {
        let mut resource = Resource::new("h".to_owned(), None);
        let etag = resource.etag();
        let change = change(&view(&resource, true)).unwrap();
        assert_eq!(resource.check_etag(Some(&IfMatch::parse(&etag))), Ok(()));
        resource.apply(change);
        let old = resource.check_etag(Some(&IfMatch::parse(&etag)));
        assert_eq!(old, Err(Problem::etag_mismatch()));
        assert_eq!(resource.check_etag(None), Ok(()));
        assert_eq!(resource.check_etag(Some(&IfMatch::Any)), Ok(()));
    }

    #[test]
    fn half_a_resource_is_refused() {
        assert!(change(&object!({"properties": {}})).is_err());
        let with = |properties: Value| {
            let sku = object!({"name": "S1", "capacity": 1});
            change(&object!({"location": "x", "sku": sku, "properties": properties}))
        };
        assert!(with(object!({})).unwrap().is_public);
        assert!(with(object!({"publicNetworkAccess": "Maybe"})).is_err());
        assert!(with(object!({"publicNetworkAccess": 1})).is_err());
        assert!(with(object!({"authorizationPolicies": [{"keyName": "x"}]})).is_err());
        assert!(
            with(object!({"authorizationPolicies": []}))
                .unwrap()
                .policies
                .is_some()
        );
    }
}
