//! Reflection v1: what this listener offers, to `grpcurl` and the like.

use tonic::service::Routes;
use tonic_reflection::server::Builder;

const SELF: &str = "grpc.reflection.v1.ServerReflection";

/// Adds the reflection service to the routes; it lists `names` and itself.
pub(super) fn add_to(routes: Routes, names: &[&'static str]) -> Routes {
    let mut builder = Builder::configure()
        .register_encoded_file_descriptor_set(hubshift_api::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .with_service_name(SELF);
    for name in names {
        builder = builder.with_service_name(*name);
    }
    match builder.build_v1() {
        Ok(service) => routes.add_service(service),
        Err(error) => {
            // Only descriptors that the build broke get here; serving goes on without them.
            tracing::error!(%error, "reflection is off: the descriptors do not decode");
            routes
        }
    }
}
