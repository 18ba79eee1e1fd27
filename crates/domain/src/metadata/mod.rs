//! Application documents: what a back end stores beside a device, written at either region.
//!
//! A document is one branch until two regions write it apart; then version vectors say which
//! branches are concurrent, and the namespace's policy brings them together or keeps them all.
//! A merge is a function of the set of branches and of the base: never of their order. What was
//! written for a deleted life of a device is parked, not applied.

mod document;
mod join;
mod merge;
mod vector;
mod write;

pub use document::{Branch, DocumentClash, Dropped, MergedDocument, NamespacePolicy};
pub use merge::merge_branches;
pub use vector::{Dominance, VersionVector};
pub use write::{Authority, Write, Written, write};
