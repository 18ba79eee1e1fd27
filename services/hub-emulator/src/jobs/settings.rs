//! How jobs behave, as it was ordered. A job keeps what held when it began to run.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use crate::options::JobOptions;

/// How jobs behave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(crate) struct JobSettings {
    /// How many lines or devices a job gets done in a second; as many as it can if nothing is said.
    pub(crate) lines_per_second: Option<NonZeroU32>,
    /// Whether an export reads the registry piece by piece while it is written.
    pub(crate) export_while_written: bool,
    /// Whether all jobs are refused.
    pub(crate) no_jobs: bool,
    /// Whether a query of scheduled jobs is answered with a list.
    pub(crate) job_query_as_list: bool,
}

impl From<&JobOptions> for JobSettings {
    fn from(options: &JobOptions) -> Self {
        Self {
            lines_per_second: options.job_lines_per_second,
            export_while_written: options.export_while_written,
            no_jobs: options.no_jobs,
            job_query_as_list: options.job_query_as_list,
        }
    }
}
