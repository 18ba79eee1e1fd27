//! What an import did not carry out, though its job completed: from the log that the hub writes.

use std::collections::BTreeMap;

use hubshift_blob::ContainerError;
use hubshift_flow::StepError;
use hubshift_hub::{FailedLine, import_errors};

use super::Run;
use crate::jobs::{self, FilesError, LOG};
use crate::pass::Pass;
use crate::workflows::trouble::Turn;

/// How many keys are named.
const SAMPLE: usize = 10;
/// How often in a row a container that does not answer is tried.
const TRIES: u32 = 4;

/// Lines that failed. The hub's words are left out: they may be anything.
#[derive(Debug, Default, PartialEq, Eq)]
struct Failed {
    count: u64,
    /// By the hub's number or name of the error.
    codes: BTreeMap<String, u64>,
    sample: Vec<String>,
}

impl Failed {
    fn take(&mut self, line: FailedLine) {
        self.count += 1;
        *self.codes.entry(line.code).or_default() += 1;
        if self.sample.len() < SAMPLE {
            self.sample.extend(line.key);
        }
    }
}

impl Pass {
    /// The log of the import that is over. What is there is seen in the export: a log that can't be
    /// read costs words, not truth.
    pub(super) async fn read_log(&mut self, run: &Run<'_>) -> Result<Turn, StepError> {
        let (fleet, hub) = (run.cx.fleet.as_str(), run.jobs.hub_id.as_str());
        match failed(&run.row.container_ref).await {
            Ok(found) if found.count > 0 => {
                metrics::counter!("hubshift_seed_failed_lines_total").increment(found.count);
                let Failed {
                    count,
                    codes,
                    sample,
                } = found;
                tracing::warn!(
                    fleet,
                    hub,
                    count,
                    ?codes,
                    ?sample,
                    "lines that were not imported"
                );
            }
            Ok(_) => {}
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(fleet, hub, error, "the import's log is not read");
            }
        }
        self.seed.next_file();
        Ok(Turn::More)
    }

    /// What to do about blobs that can't be worked with: try again, or go on by calls.
    pub(super) fn files_failed(
        &mut self,
        run: &Run<'_>,
        error: FilesError,
        is_export: bool,
    ) -> Result<Turn, StepError> {
        match error {
            FilesError::Store(error) => Err(error.into()),
            FilesError::Container(error @ ContainerError::Unreachable(_))
                if run.cx.attempt < TRIES =>
            {
                Err(StepError::Unknown(error.into()))
            }
            error => {
                let (fleet, hub) = (run.cx.fleet.as_str(), run.jobs.hub_id.as_str());
                let error = &error as &dyn std::error::Error;
                tracing::warn!(fleet, hub, error, "the container fails, calls do the rest");
                self.seed.give_up(is_export);
                Ok(Turn::More)
            }
        }
    }
}

async fn failed(container_ref: &str) -> Result<Failed, FilesError> {
    let mut failed = Failed::default();
    let container = jobs::container(container_ref)?;
    let Some(mut lines) = container.lines(LOG).await? else {
        return Ok(failed);
    };
    while let Some(line) = lines.next().await {
        for line in import_errors(&line?) {
            failed.take(line);
        }
    }
    Ok(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_counted_by_code_and_ten_keys_are_kept() {
        let mut failed = Failed::default();
        let log: String = (0..12)
            .map(|n| {
                format!(
                    "{{\"deviceId\":\"d-{n}\",\"errorCode\":409001,\"errorStatus\":\"s3cret\"}}\n"
                )
            })
            .chain([
                "no JSON\n".to_owned(),
                "{\"errorCode\":400012}\n".to_owned(),
            ])
            .collect();
        for line in import_errors(&log) {
            failed.take(line);
        }
        assert_eq!((failed.count, failed.sample.len()), (13, SAMPLE));
        assert_eq!(failed.codes["409001"], 12);
        assert_eq!(failed.codes["400012"], 1);
        assert!(!format!("{failed:?}").contains("s3cret"));
    }
}
