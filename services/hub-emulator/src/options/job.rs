//! How jobs behave.

use std::num::NonZeroU32;

/// How jobs behave.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct JobOptions {
    /// Lines, or devices of a scheduled job, that a job gets done in a second [default: no limit]
    #[arg(long, env = "HUB_EMULATOR_JOB_LINES_PER_SECOND", value_name = "NUMBER")]
    pub job_lines_per_second: Option<NonZeroU32>,

    /// Export the registry piece by piece while it is written, instead of as it was at one moment
    #[arg(long, env = "HUB_EMULATOR_EXPORT_WHILE_WRITTEN")]
    pub export_while_written: bool,

    /// Refuse all jobs, as a hub of the Basic tier may do
    #[arg(long, env = "HUB_EMULATOR_NO_JOBS")]
    pub no_jobs: bool,

    /// Let import and export jobs be asked for with a policy of all rights only
    #[arg(long, env = "HUB_EMULATOR_STRICT_JOB_ACCESS")]
    pub strict_job_access: bool,

    /// Answer a query of scheduled jobs with a list, instead of the object of the API description
    #[arg(long, env = "HUB_EMULATOR_JOB_QUERY_AS_LIST")]
    pub job_query_as_list: bool,
}
