//! The protobuf APIs as Rust types, and the conversions between wire and domain.
//!
//! Nothing generated is committed: `build.rs` compiles `proto/`. Errors on the wire are made by
//! [`fault`] alone.

pub mod enums;
pub mod fault;
pub mod json;
pub mod sides;
pub mod times;
pub mod validate;

#[allow(missing_docs, clippy::all, clippy::pedantic)]
/// Generated types, by package.
pub mod pb {
    /// `hubshift.concierge.v1`.
    pub mod concierge {
        tonic::include_proto!("hubshift.concierge.v1");
    }
    /// `hubshift.registry.v1`.
    pub mod registry {
        tonic::include_proto!("hubshift.registry.v1");
    }
    /// `hubshift.merge.v1`.
    pub mod merge {
        tonic::include_proto!("hubshift.merge.v1");
    }
    /// `hubshift.type.v1`.
    pub mod types {
        tonic::include_proto!("hubshift.r#type.v1");
    }
}

/// The descriptors of every package, for reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
