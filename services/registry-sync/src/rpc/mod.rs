//! The wire: one file per service. Handlers convert, call, convert.

pub(crate) mod adoption;
pub(crate) mod apply;
pub(crate) mod attachment;
pub(crate) mod backup;
pub(crate) mod connection;
pub(crate) mod context;
pub(crate) mod device;
pub(crate) mod divergence;
pub(crate) mod fence;
pub(crate) mod find;
pub(crate) mod replication;
pub(crate) mod status;
pub(crate) mod task;
