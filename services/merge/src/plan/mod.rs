//! Making a plan: what the rules of the domain say of each device, kept as items and conflicts,
//! and the id and numbers of the whole.
//!
//! Durable: `merge.item`, `merge.conflict`, `merge.rescued`. Kept true: the same facts, policy
//! and decisions give the same plan id (I11); a device is always merged from what was read of it,
//! with all decisions about it, never from an earlier result.

mod graph;
mod key;
mod settle;
mod take;

use hubshift_domain::merge::Policy;
use uuid::Uuid;

pub(crate) use key::{Facts, is_apart, merge_device};
pub(crate) use settle::{Settled, settle};
pub(crate) use take::{remerge, take};

/// Which merge is planned, and by which rules.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) merge_id: Uuid,
    pub(crate) fleet: &'a str,
    /// Slug of the recovered hub.
    pub(crate) primary: &'a str,
    /// Slug of the active hub.
    pub(crate) secondary: &'a str,
    /// Whether the recovered hub is reseeded instead of merged.
    pub(crate) is_rewound: bool,
    pub(crate) policy: &'a Policy,
}
