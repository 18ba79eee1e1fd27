//! The protobuf APIs as Rust types, and the conversions between wire and domain.
//!
//! Nothing generated is committed: `build.rs` compiles `proto/`. Errors on the wire are made by
//! [`fault`] alone.

pub mod enums;
pub mod fault;
pub mod json;
pub mod records;
pub mod sides;
pub mod times;
pub mod validate;

/// Generated types, by package: `pb::registry` is `hubshift.registry.v1`.
pub mod pb {
    pub use generated::hubshift::concierge::v1 as concierge;
    pub use generated::hubshift::merge::v1 as merge;
    pub use generated::hubshift::registry::v1 as registry;
    pub use generated::hubshift::r#type::v1 as types;

    /// The nesting that generated code expects of its packages.
    #[allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]
    mod generated {
        pub mod hubshift {
            pub mod concierge {
                pub mod v1 {
                    tonic::include_proto!("hubshift.concierge.v1");
                }
            }
            pub mod merge {
                pub mod v1 {
                    tonic::include_proto!("hubshift.merge.v1");
                }
            }
            pub mod registry {
                pub mod v1 {
                    tonic::include_proto!("hubshift.registry.v1");
                }
            }
            pub mod r#type {
                pub mod v1 {
                    tonic::include_proto!("hubshift.r#type.v1");
                }
            }
        }
    }
}

/// The descriptors of every package, for reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
