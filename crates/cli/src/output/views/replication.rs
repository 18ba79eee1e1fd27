//! How far the standbys are behind.

use hubshift_api::pb::registry as pb;
use serde::Serialize;

use super::fence::state_name;
use super::{last_segment, time_text, value_name, yes};
use crate::output::{Block, View, table};

/// Replication of a fleet.
#[derive(Debug, Serialize)]
pub(crate) struct ReplicationView {
    fleet: String,
    active_hub: String,
    epoch: u64,
    hubs: Vec<HubStatusView>,
    unknown_count: u64,
}

/// One hub's part.
#[derive(Debug, Serialize)]
struct HubStatusView {
    hub: String,
    state: String,
    reachable: bool,
    last_error: String,
    watermark: Option<String>,
    staleness_seconds: f64,
    device_count: u64,
    pending_count: u64,
    verify_time: Option<String>,
    verify_epoch: u64,
    blocked: String,
    hard_fence: bool,
    fence: String,
    authority_outlives_call: bool,
    left_out_count: u64,
    left_out: Vec<String>,
}

impl From<pb::HubStatus> for HubStatusView {
    fn from(status: pb::HubStatus) -> Self {
        let (state, fence) = (status.state(), status.fence());
        Self {
            fence: state_name(fence),
            state: value_name(state.as_str_name(), "HUB_STATE_"),
            watermark: time_text(status.watermark.as_ref()),
            verify_time: time_text(status.verify_time.as_ref()),
            hub: status.hub,
            reachable: status.reachable,
            last_error: status.last_error,
            staleness_seconds: status.staleness_seconds,
            device_count: status.device_count,
            pending_count: status.pending_count,
            verify_epoch: status.verify_epoch,
            blocked: status.blocked,
            hard_fence: status.hard_fence,
            authority_outlives_call: status.authority_outlives_call,
            left_out_count: status.left_out_count,
            left_out: status.left_out,
        }
    }
}

impl From<pb::ReplicationStatus> for ReplicationView {
    fn from(status: pb::ReplicationStatus) -> Self {
        let pb::ReplicationStatus {
            fleet,
            active_hub,
            epoch,
            hubs,
            unknown_count,
        } = status;
        let hubs = hubs.into_iter().map(HubStatusView::from).collect();
        Self {
            fleet,
            active_hub,
            epoch,
            hubs,
            unknown_count,
        }
    }
}

impl HubStatusView {
    fn left_out(&self) -> Option<String> {
        let named = self.left_out.join(", ");
        (self.left_out_count > 0).then(|| format!("{}: {named}", self.left_out_count))
    }

    fn cells(&self) -> Vec<String> {
        let behind = match (self.state.as_str(), self.staleness_seconds) {
            ("active", _) => "-".to_owned(),
            (_, seconds) if seconds < 0.0 => "never complete".to_owned(),
            (_, seconds) => format!("{seconds:.1} s"),
        };
        let trouble = [&self.blocked, &self.last_error]
            .map(String::as_str)
            .join(" ");
        vec![
            self.hub.clone(),
            self.state.clone(),
            yes(self.reachable).to_owned(),
            self.device_count.to_string(),
            behind,
            self.pending_count.to_string(),
            self.verify_time.clone().unwrap_or_else(|| "-".to_owned()),
            trouble.trim().to_owned(),
        ]
    }
}

impl View for ReplicationView {
    fn human(&self) -> String {
        let block = Block::new()
            .line("fleet", last_segment(&self.fleet))
            .line("active hub", &self.active_hub)
            .line("epoch", self.epoch)
            .line("writes without a known outcome", self.unknown_count);
        let header = [
            "hub", "state", "answers", "devices", "behind", "pending", "verified", "trouble",
        ];
        let block = self.hubs.iter().fold(block, |block, hub| {
            block.maybe(&format!("cannot carry over to {}", hub.hub), hub.left_out())
        });
        let hubs = table(&header, self.hubs.iter().map(HubStatusView::cells));
        format!("{}\n\n{hubs}", block.text())
    }
}
