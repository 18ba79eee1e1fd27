//! The methods that exist, from the compiled-in descriptors.
//!
//! Metrics and spans name a method only if it is one of these, so that a caller who makes names
//! up cannot fill the metrics.

use std::collections::HashMap;
use std::sync::LazyLock;

use prost::Message as _;
use prost_types::FileDescriptorSet;

/// A method as labels, and what the deadline needs to know of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Method {
    /// Full name of the service: `hubshift.registry.v1.DeviceService`.
    pub(super) service: String,
    /// Name of the method: `GetDevice`.
    pub(super) method: String,
    /// Whether the client streams its request.
    pub(super) streams_request: bool,
}

static METHODS: LazyLock<HashMap<String, Method>> = LazyLock::new(|| {
    let sets = [
        hubshift_api::DESCRIPTORS,
        tonic_health::pb::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
    ];
    sets.into_iter().flat_map(methods).collect()
});

static UNKNOWN: LazyLock<Method> = LazyLock::new(|| Method {
    service: "unknown".to_owned(),
    method: "unknown".to_owned(),
    streams_request: false,
});

/// The method that a request's path names; one called `unknown` if there is none.
pub(super) fn find(path: &str) -> &'static Method {
    METHODS.get(path).unwrap_or(&UNKNOWN)
}

/// Every method of a descriptor set by its path. A set that does not decode has none.
fn methods(set: &[u8]) -> Vec<(String, Method)> {
    let files = FileDescriptorSet::decode(set).unwrap_or_default().file;
    let mut found = Vec::new();
    for file in &files {
        for service in &file.service {
            let name = format!("{}.{}", file.package(), service.name());
            for method in &service.method {
                let path = format!("/{name}/{}", method.name());
                let (service, method, streams_request) = (
                    name.clone(),
                    method.name().to_owned(),
                    method.client_streaming(),
                );
                found.push((
                    path,
                    Method {
                        service,
                        method,
                        streams_request,
                    },
                ));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_of_every_descriptor_set_are_known_and_no_others() {
        assert_eq!(find("/grpc.health.v1.Health/Check").method, "Check");
        let info = find("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo");
        assert!(info.streams_request);
        assert!(
            METHODS
                .keys()
                .any(|path| path.starts_with("/hubshift.concierge.v1."))
        );
        assert_eq!(find("/grpc.health.v1.Health/Nonsense").service, "unknown");
    }
}
