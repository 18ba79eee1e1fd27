//! What was measured in a failover.

use hubshift_api::pb::concierge as pb;
use serde::Serialize;

use crate::output::Block;
use crate::output::views::fleet::AdoptionView;
use crate::output::views::{seconds, seconds_text, time_text};

/// A report; fields are filled as their steps are done.
#[derive(Debug, Serialize)]
pub(super) struct ReportView {
    epoch: u64,
    commit_time: Option<String>,
    control_plane: Option<f64>,
    published_replicas: u32,
    live_replicas: u32,
    replayed_count: u64,
    late_landing_count: u64,
    late_change_count: u64,
    registry_closed: Option<f64>,
    adoption: Option<AdoptionView>,
    rpo_bound_seconds: f64,
    rpo_window_open: bool,
    verified_count: u64,
    source_digest: String,
    target_digest: String,
    debts: Vec<String>,
}

impl From<pb::FailoverReport> for ReportView {
    fn from(report: pb::FailoverReport) -> Self {
        Self {
            commit_time: time_text(report.commit_time.as_ref()),
            control_plane: seconds(report.control_plane.as_ref()),
            registry_closed: seconds(report.registry_closed.as_ref()),
            adoption: report.adoption.map(AdoptionView::from),
            epoch: report.epoch,
            published_replicas: report.published_replicas,
            live_replicas: report.live_replicas,
            replayed_count: report.replayed_count,
            late_landing_count: report.late_landing_count,
            late_change_count: report.late_change_count,
            rpo_bound_seconds: report.rpo_bound_seconds,
            rpo_window_open: report.rpo_window_open,
            verified_count: report.verified_count,
            source_digest: report.source_digest,
            target_digest: report.target_digest,
            debts: report.debts,
        }
    }
}

impl ReportView {
    /// The epoch that was committed; 0 before.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// As text for people; empty before the epoch is committed.
    pub(super) fn human(&self) -> String {
        if self.epoch == 0 {
            return String::new();
        }
        Block::new()
            .line("epoch", self.epoch)
            .maybe("committed", self.commit_time.as_ref())
            .maybe("control plane", seconds_text(self.control_plane))
            .line(
                "published",
                format!("{} of {}", self.published_replicas, self.live_replicas),
            )
            .line("replayed", self.replayed_count)
            .line(
                "late",
                format!(
                    "{} landed, {} changed",
                    self.late_landing_count, self.late_change_count
                ),
            )
            .maybe("registry closed", seconds_text(self.registry_closed))
            .maybe("adoption", self.adoption.as_ref().map(AdoptionView::text))
            .line("loss bound", self.bound())
            .line("verified", self.digests())
            .line("debts", self.debts.join(", "))
            .text()
    }

    fn bound(&self) -> String {
        let end = if self.rpo_window_open {
            ", and the window is still open"
        } else {
            ""
        };
        format!("{} s{end}", self.rpo_bound_seconds)
    }

    fn digests(&self) -> String {
        if self.source_digest.is_empty() && self.target_digest.is_empty() {
            return String::new();
        }
        let equal = self.source_digest == self.target_digest;
        let word = if equal { "equal" } else { "different" };
        format!("{} records, digests {word}", self.verified_count)
    }
}
