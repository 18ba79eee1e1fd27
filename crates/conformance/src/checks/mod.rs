//! The checks, an area each.

mod bulk;
mod configurations;
mod edge;
mod errors;
mod etags;
mod identities;
mod jobs;
mod keys;
mod limits;
mod modules;
mod query;
mod twins;

use crate::check::Check;

/// The wildcard as all of Microsoft's clients send it.
const ANY: &str = "\"*\"";

const AREAS: [&[Check]; 12] = [
    identities::CHECKS,
    keys::CHECKS,
    etags::CHECKS,
    twins::CHECKS,
    limits::CHECKS,
    bulk::CHECKS,
    query::CHECKS,
    modules::CHECKS,
    edge::CHECKS,
    configurations::CHECKS,
    jobs::CHECKS,
    errors::CHECKS,
];

/// All of them, in the order in which they run.
pub(crate) fn all() -> impl Iterator<Item = &'static Check> {
    AREAS.into_iter().flatten()
}

/// How many there are.
pub fn count() -> usize {
    all().count()
}
