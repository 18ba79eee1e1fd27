//! A blob container behind a SAS URI, as import and export jobs use it.
//!
//! Speaks the six calls of the Blob service that jobs need: put a blob, put its blocks, commit
//! them, get a range, list, delete. Blobs are written and read piece by piece, so that a million
//! devices take no more memory than one piece. Nothing is durable here.
//!
//! Keeps true: the SAS is shown nowhere. It is in the URLs that are sent and in no error, log or
//! `Debug`: errors are made of kinds, status codes and the service's own error names, never of
//! the HTTP client's words, which quote URLs.
//!
//! Why not the `object_store` crate: its Azure client deletes through batches, its errors do not
//! tell which permission is missing, it waits three minutes for a store that is not there, and
//! its TLS would bring a second crypto library into the tree.

mod address;
mod container;
mod error;
mod lines;
mod reader;
mod store;
mod writer;

pub use container::Container;
pub use error::{ContainerError, Permission, ProbeError};
pub use lines::BlobLines;
pub use writer::BlobWriter;
