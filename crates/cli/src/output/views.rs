//! Resources as they are printed: one struct per message, its fields named as in the protobuf file.
//!
//! Kept true: every field of a struct is always there, `null` or empty when it is not set, so that
//! a program never has to ask whether a key exists.

mod adoption;
mod backup;
mod connection;
mod coverage;
mod device;
mod failover;
mod fence;
mod fleet;
mod hub;
mod merge;
mod metadata;
mod pacing;
mod pass_plan;
mod replication;
mod straggler;
mod task;

use std::time::Duration;

use hubshift_api::pb::types::{Failure, StepRecord};
use hubshift_api::{json, times};
use prost_types::Timestamp;
use serde::Serialize;
use time::format_description::well_known::Rfc3339;

pub(crate) use adoption::{AdoptionPlanView, ExtraView};
pub(crate) use backup::{BackupCheckView, BackupView};
pub(crate) use connection::{ConnectionTestView, ConnectionView, HubConnectionView};
pub(crate) use coverage::CoverageView;
pub(crate) use device::{CredentialsView, DeletedView, DeviceView};
pub(crate) use failover::FailoverView;
pub(crate) use fence::FenceView;
pub(crate) use fleet::{FleetChangeView, FleetView};
pub(crate) use hub::HubView;
pub(crate) use merge::{ConflictView, MergeStatusView, MergeView};
pub(crate) use metadata::{DocumentView, NamespaceView, PutView};
pub(crate) use pacing::CanaryView;
pub(crate) use pass_plan::PassPlanView;
pub(crate) use replication::ReplicationView;
pub(crate) use straggler::StragglersView;
pub(crate) use task::TaskView;

/// A time in RFC 3339; none when it is not set.
fn time_text(time: Option<&Timestamp>) -> Option<String> {
    times::from_timestamp(time?)?.format(&Rfc3339).ok()
}

/// A duration in seconds.
fn seconds(span: Option<&prost_types::Duration>) -> Option<f64> {
    span.map(|span| times::from_duration(span).as_secs_f64())
}

/// Seconds for a person, to the millisecond.
fn seconds_text(span: Option<f64>) -> Option<String> {
    let span = Duration::try_from_secs_f64(span?).ok()?;
    Some(format!(
        "{} s",
        (span.as_secs_f64() * 1000.0).round() / 1000.0
    ))
}

/// An enum value as the command line takes it: `HUB_STATE_READY` without its prefix, lower case.
fn value_name(name: &str, prefix: &str) -> String {
    name.strip_prefix(prefix)
        .unwrap_or(name)
        .to_ascii_lowercase()
}

/// The last segment of a resource name.
pub(crate) fn last_segment(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// A value of the wire; absent is none, an explicit null is null.
fn json_value(value: Option<&prost_types::Value>) -> Option<serde_json::Value> {
    value.map(json::from_value)
}

/// `yes` or `no`.
fn yes(flag: bool) -> &'static str {
    if flag { "yes" } else { "no" }
}

/// Why a long-running resource gave up.
#[derive(Debug, Serialize)]
pub(crate) struct FailureView {
    reason: String,
    message: String,
}

impl From<Failure> for FailureView {
    fn from(failure: Failure) -> Self {
        Self {
            reason: failure.reason,
            message: failure.message,
        }
    }
}

impl FailureView {
    fn text(&self) -> String {
        format!("{} ({})", self.message, self.reason)
    }
}

/// One journaled step.
#[derive(Debug, Serialize)]
pub(crate) struct StepView {
    step: String,
    phase: String,
    detail: String,
    time: Option<String>,
    elapsed: Option<f64>,
}

impl From<StepRecord> for StepView {
    fn from(record: StepRecord) -> Self {
        Self {
            time: time_text(record.time.as_ref()),
            elapsed: seconds(record.elapsed.as_ref()),
            step: record.step,
            phase: record.phase,
            detail: record.detail,
        }
    }
}

impl StepView {
    /// One line for a person.
    pub(crate) fn text(&self) -> String {
        let took = seconds_text(self.elapsed).map(|took| format!(" after {took}"));
        let line = format!("{} {}{}", self.step, self.phase, took.unwrap_or_default());
        if self.detail.is_empty() {
            line
        } else {
            format!("{line}: {}", self.detail)
        }
    }
}

/// The state of a task or failover, as a word.
fn task_state(state: hubshift_api::pb::types::TaskState) -> String {
    value_name(state.as_str_name(), "TASK_STATE_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_durations_and_enums_have_one_form() {
        let time = Timestamp {
            seconds: 1_700_000_000,
            nanos: 500_000_000,
        };
        assert_eq!(
            time_text(Some(&time)).as_deref(),
            Some("2023-11-14T22:13:20.5Z")
        );
        let span = prost_types::Duration {
            seconds: 1,
            nanos: 250_000_000,
        };
        assert_eq!(seconds(Some(&span)), Some(1.25));
        assert_eq!(seconds_text(Some(0.412_345)).as_deref(), Some("0.412 s"));
        assert_eq!(value_name("HUB_STATE_READY", "HUB_STATE_"), "ready");
        assert_eq!(last_segment("fleets/acme/hubs/east"), "east");
    }

    #[test]
    fn what_is_not_set_is_none() {
        assert_eq!(time_text(None), None);
        assert_eq!(seconds(None), None);
        assert_eq!(json_value(None), None);
    }
}
