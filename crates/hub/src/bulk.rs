//! Import and export jobs: all records of a hub at once, through a blob container.
//!
//! A hub runs one such job at a time. A job that is said to be completed may have left out lines:
//! they stand in `importErrors.log` in the container, and nowhere else.

use async_trait::async_trait;
use hubshift_azure::Secret;

use crate::outcome::Outcome;

/// What a job does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobKind {
    /// It reads a blob and writes the registry.
    Import,
    /// It reads the registry and writes a blob.
    Export,
    /// Another kind, which shares the hub's one slot or not.
    Other,
}

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobStatus {
    /// It waits or runs.
    Running,
    /// It came to its end; lines of an import may have failed all the same.
    Completed,
    /// It gave up.
    Failed,
    /// Somebody ended it.
    Cancelled,
}

/// A job as the hub shows it. The hub does not say which container it uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// The hub's name for it.
    pub id: String,
    /// What it does.
    pub kind: JobKind,
    /// How far it is.
    pub status: JobStatus,
    /// The blob that it reads or writes, if the hub says so.
    pub blob: Option<String>,
    /// How much of it is done, in percent, if the hub says so.
    pub progress: Option<u32>,
    /// Why it failed, in the hub's words, without anything that opens the container.
    pub failure: Option<String>,
}

/// A hub that can read and write its registry through a blob container.
///
/// `container` is the container's URI with a signature that allows to read, write, delete, list
/// and create; it is in no error and no log.
#[async_trait]
pub trait BulkHub: Send + Sync {
    /// Begins to import a blob of lines, as [`crate::import_line`] writes them: the job's id.
    ///
    /// When that is unknown, [`Self::jobs`] tells whether one runs. Another job that has the slot
    /// is `Throttled`.
    async fn start_import(&self, container: &Secret, blob: &str) -> Outcome<String>;

    /// Begins to export everything into a blob, keys included: the job's id.
    async fn start_export(&self, container: &Secret, blob: &str) -> Outcome<String>;

    /// A job; nothing if the hub says that there is none.
    async fn job(&self, id: &str) -> Outcome<Option<Job>>;

    /// All jobs that the hub remembers.
    async fn jobs(&self) -> Outcome<Vec<Job>>;

    /// Ends a job that waits or runs. What it did until then stays.
    async fn cancel_job(&self, id: &str) -> Outcome<()>;
}
