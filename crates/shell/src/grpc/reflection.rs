//! Reflection, v1 and v1alpha: what this listener offers, to `grpcurl` and the like. Older tools
//! know the second alone.

use tonic::service::Routes;
use tonic_reflection::server::{Builder, Error};

const V1: &str = "grpc.reflection.v1.ServerReflection";

/// Adds the reflection services to the routes; they list `names` and v1 itself.
pub(super) fn add_to(routes: Routes, names: &[&'static str]) -> Routes {
    match both(routes.clone(), names) {
        Ok(routes) => routes,
        Err(error) => {
            // Only descriptors that the build broke get here; serving goes on without them.
            tracing::error!(%error, "reflection is off: the descriptors do not decode");
            routes
        }
    }
}

fn both(routes: Routes, names: &[&'static str]) -> Result<Routes, Error> {
    let v1 = builder(names).build_v1()?;
    let v1alpha = builder(names).build_v1alpha()?;
    Ok(routes.add_service(v1).add_service(v1alpha))
}

fn builder<'a>(names: &[&'static str]) -> Builder<'a> {
    let builder = Builder::configure()
        .register_encoded_file_descriptor_set(hubshift_api::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        // The details of an error, so that tools show its reason and not its bytes.
        .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
        .with_service_name(V1);
    names
        .iter()
        .fold(builder, |builder, name| builder.with_service_name(*name))
}
