//! Durable work: the merge.

pub(crate) mod merge;
