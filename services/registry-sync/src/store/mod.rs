//! The SQL of schema `registry`, one file per table. Reads of `authority` stand in their own file.

pub(crate) mod adoption;
pub(crate) mod authority;
pub(crate) mod backup;
pub(crate) mod base;
pub(crate) mod budget;
pub(crate) mod compare;
pub(crate) mod connection;
pub(crate) mod divergence;
pub(crate) mod fence;
pub(crate) mod fleet_key;
pub(crate) mod hint;
pub(crate) mod import_job;
pub(crate) mod incarnation;
pub(crate) mod intent;
pub(crate) mod journal;
pub(crate) mod kinds;
pub(crate) mod left_out;
pub(crate) mod observed;
pub(crate) mod out_of_reach;
pub(crate) mod plan;
pub(crate) mod replay;
pub(crate) mod replication;
pub(crate) mod scan;
pub(crate) mod seed;
pub(crate) mod step_fence;
pub(crate) mod tombstone;
