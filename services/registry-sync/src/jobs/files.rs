//! The blobs of a job: how they are called, and that none of them stays. They hold keys.
//!
//! Names are made of the job's id and never otherwise: whoever removes them need not know how far
//! it came. The log's name is the hub's own, so that hubs should have a container each.

use hubshift_azure::IMPORT_ERRORS_BLOB;
use hubshift_blob::{Container, ContainerError};
use hubshift_store::StoreError;
use uuid::Uuid;

use crate::deps::Deps;
use crate::hubs::{HubsError, job_container};
use crate::store;
use crate::store::import_job::JobRow;

/// Where a hub writes which lines of an import failed.
pub(crate) const LOG: &str = IMPORT_ERRORS_BLOB;

/// Why blobs could not be worked with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FilesError {
    /// Nobody says where they are.
    #[error(transparent)]
    Hubs(#[from] HubsError),
    /// The container can't be used.
    #[error(transparent)]
    Container(#[from] ContainerError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The blob of a job's file, numbered from 1.
pub(crate) fn import_blob(job: Uuid, file: i32) -> String {
    format!("hubshift-seed-{job}-{file}.txt")
}

/// The blob that a job's export is written to.
pub(crate) fn export_blob(job: Uuid) -> String {
    format!("hubshift-seed-{job}-export.txt")
}

/// Opens the container that a reference names.
pub(crate) fn container(reference: &str) -> Result<Container, FilesError> {
    Ok(Container::open(&job_container(reference)?)?)
}

/// Removes all blobs of a job that is over, and notes that none is left.
pub(crate) async fn clean(deps: &Deps, row: &JobRow) -> Result<(), FilesError> {
    let container = container(&row.container_ref)?;
    for blob in blobs(row.job_id, row.file_count) {
        container.delete(&blob).await?;
    }
    store::import_job::cleaned(&deps.pool, row.job_id).await?;
    Ok(())
}

fn blobs(job: Uuid, files: i32) -> Vec<String> {
    let files = (1..=files).map(|file| import_blob(job, file));
    let rest = [export_blob(job), LOG.to_owned()];
    files.chain(rest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_blob_of_a_job_is_named_by_it_but_for_the_hubs_log() {
        let (job, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let all = blobs(job, 2);
        assert_eq!(all.len(), 4);
        assert!(all.contains(&import_blob(job, 2)) && all.contains(&export_blob(job)));
        let shared: Vec<_> = blobs(other, 2)
            .into_iter()
            .filter(|blob| all.contains(blob))
            .collect();
        assert_eq!(shared, [LOG]);
    }
}
