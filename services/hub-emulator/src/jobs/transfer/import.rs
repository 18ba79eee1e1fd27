//! An import: the lines of a blob, each applied for itself.
//!
//! The job is `completed` with no failure reason however many lines failed: those are in
//! `importErrors.log`, which is written only if there are any. An older log is left as it is.

use hubshift_azure::{DEVICES_BLOB, ExportImportDevice, ImportError, JobProperties};
use hubshift_blob::{BlobLines, Container, ContainerError};

use super::error_log::ErrorLog;
use super::{JobFailure, configurations, container, import_line};
use crate::answer::Refusal;
use crate::app::App;
use crate::jobs::pace::Pace;
use crate::registry::Registry;

/// An import that can be read, and its log that can be written.
pub(crate) struct Import {
    input: Container,
    blob: String,
    /// The blob of configurations, if they are part of it.
    configurations: Option<String>,
    output: Container,
}

impl Import {
    pub(super) async fn open(asked: &JobProperties) -> Result<Self, Refusal> {
        let (from, to) = (
            asked.input_blob_container_uri.as_ref(),
            asked.output_blob_container_uri.as_ref(),
        );
        let input = container("input", from).await?;
        let output = if from == to {
            input.clone()
        } else {
            container("output", to).await?
        };
        let blob = asked.input_blob_name.as_deref().unwrap_or(DEVICES_BLOB);
        Ok(Self {
            input,
            blob: blob.to_owned(),
            configurations: configurations::blob(asked),
            output,
        })
    }

    pub(super) async fn carry_out(&self, app: &App, id: &str) -> Result<(), JobFailure> {
        let mut log = ErrorLog::new(&self.output);
        let result = self.apply_all(app, id, &mut log).await;
        // A job that fails has applied lines too, and tells which of them it has not.
        let logged = log.finish().await;
        result?;
        logged?;
        Ok(())
    }

    async fn apply_all(
        &self,
        app: &App,
        id: &str,
        log: &mut ErrorLog<'_>,
    ) -> Result<(), JobFailure> {
        let Some(mut lines) = self.input.lines(&self.blob).await? else {
            return Err(JobFailure::NoInput(self.blob.clone()));
        };
        let mut pace = Pace::new(app.jobs.settings().lines_per_second);
        let mut number = 1;
        loop {
            let batch = read_batch(&mut lines, pace.batch()).await?;
            if batch.is_empty() {
                break;
            }
            pace.wait().await;
            for error in apply(app, number, &batch) {
                log.write(&error).await?;
            }
            number += batch.len();
            app.jobs.transfers.progress(id, lines.percent());
        }
        if let Some(blob) = &self.configurations {
            configurations::import(app, &self.input, blob, log).await?;
        }
        Ok(())
    }
}

async fn read_batch(lines: &mut BlobLines, most: usize) -> Result<Vec<String>, ContainerError> {
    let mut batch = Vec::new();
    while batch.len() < most {
        match lines.next().await {
            Some(line) => batch.push(line?),
            None => break,
        }
    }
    Ok(batch)
}

/// Applies lines, of which the first has this number, under the registry's lock.
fn apply(app: &App, first: usize, batch: &[String]) -> Vec<ImportError> {
    let entries: Vec<_> = (first..)
        .zip(batch)
        .filter(|(_, text)| !text.trim().is_empty())
        .map(|(number, text)| import_line::read(text, number))
        .collect();
    let mut registry = app.registry();
    entries
        .into_iter()
        .filter_map(|entry| {
            entry
                .and_then(|entry| apply_one(&mut registry, &entry))
                .err()
        })
        .collect()
}

fn apply_one(registry: &mut Registry, entry: &ExportImportDevice) -> Result<(), ImportError> {
    registry
        .apply(entry)
        .map_err(|refusal| import_line::refused(&entry.id, entry.module_id.as_deref(), refusal))
}
