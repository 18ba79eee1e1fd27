//! Imports and exports: what a job needs before it is taken on, and the task that carries it out.
//!
//! The containers are tried before the job is made: what the hub may not do there is told at
//! once. An identity of the hub's opens nothing here, so a container without a SAS must be open
//! to all.

mod configurations;
mod error_log;
mod export;
mod import;
mod import_line;
mod pieces;
mod records;

use std::sync::Arc;

use hubshift_azure::{ErrorCode, JobProperties, JobType, Secret};
use hubshift_blob::{Container, ContainerError};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use crate::answer::Refusal;
use crate::app::App;
use export::Export;
use import::Import;

pub(crate) use records::Transfers;

/// A job whose containers can be used.
pub(crate) enum Transfer {
    Export(Export),
    Import(Import),
}

/// Why a job ended early. Shown in its record, so without any SAS.
#[derive(Debug, thiserror::Error)]
enum JobFailure {
    #[error(transparent)]
    Container(#[from] ContainerError),
    #[error("there is no blob {0} in the input container")]
    NoInput(String),
    #[error("a line cannot be written")]
    Line(#[from] serde_json::Error),
}

impl Transfer {
    /// Checks what was asked for and tries its containers.
    pub(crate) async fn open(asked: &JobProperties) -> Result<Self, Refusal> {
        match asked.kind {
            Some(JobType::Export) => Export::open(asked).await.map(Self::Export),
            Some(JobType::Import) => Import::open(asked).await.map(Self::Import),
            Some(_) => {
                let words = "type must be export or import";
                Err(Refusal::new(ErrorCode::ArgumentInvalid, words))
            }
            None => Err(Refusal::new(ErrorCode::ArgumentNull, "type is missing")),
        }
    }
}

/// Carries a job out and notes what became of it. One that is cancelled was noted already.
pub(super) async fn run(app: Arc<App>, id: String, transfer: Transfer, cancel: CancellationToken) {
    app.jobs.transfers.running(&id);
    let work = async {
        match transfer {
            Transfer::Export(export) => export.carry_out(&app, &id).await,
            Transfer::Import(import) => import.carry_out(&app, &id).await,
        }
    };
    match cancel.run_until_cancelled(work).await {
        Some(Ok(())) => app.jobs.transfers.ended(&id, None),
        Some(Err(failure)) => {
            info!(job = id, %failure, "a job failed");
            app.jobs.transfers.ended(&id, Some(failure.to_string()));
        }
        None => debug!(job = id, "a job was cancelled"),
    }
}

/// Opens and tries a container; `side` is `input` or `output`.
async fn container(side: &str, uri: Option<&Secret>) -> Result<Container, Refusal> {
    let Some(uri) = uri else {
        let words = format!("{side}BlobContainerUri is missing");
        return Err(Refusal::new(ErrorCode::ArgumentNull, words));
    };
    let invalid = |why: String| {
        let words = format!("The {side} blob container cannot be used ({why}).");
        Refusal::new(ErrorCode::BlobContainerValidationError, words)
    };
    let container = Container::open(uri).map_err(|error| invalid(error.to_string()))?;
    container
        .probe()
        .await
        .map_err(|found| invalid(found.to_string()))?;
    Ok(container)
}

/// Part of a whole in percent. Only a job that is over has 100.
fn percent(part: usize, whole: usize) -> u8 {
    let percent = (part * 100).checked_div(whole).unwrap_or(0);
    u8::try_from(percent.min(99)).unwrap_or(99)
}
