//! Durable work: each file is one kind of task. A task's state keeps its [`report::Report`].

pub(crate) mod adoption;
pub(crate) mod adoption_plan;
pub(crate) mod backup;
pub(crate) mod drain;
pub(crate) mod fence;
pub(crate) mod pass;
pub(crate) mod replay;
pub(crate) mod report;
pub(crate) mod restore;
pub(crate) mod scan;
pub(crate) mod trouble;
pub(crate) mod verify;
