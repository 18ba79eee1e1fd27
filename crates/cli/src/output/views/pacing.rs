//! Who goes first, and who tries the standby.

use hubshift_api::pb::concierge as pb;
use serde::Serialize;

use super::{time_text, value_name};
use crate::output::{Block, View};

/// A class of devices that goes before those after it.
#[derive(Debug, Serialize)]
pub(crate) struct WaveView {
    name: String,
    prefixes: Vec<String>,
    percent: u32,
    device_count: u64,
}

impl From<pb::Wave> for WaveView {
    fn from(wave: pb::Wave) -> Self {
        let pb::Wave {
            name,
            prefixes,
            percent,
            device_count,
        } = wave;
        Self {
            name,
            prefixes,
            percent,
            device_count,
        }
    }
}

impl WaveView {
    /// `pumps (pump-, valve-)`, `tenth (10 %)`.
    pub(super) fn text(&self) -> String {
        if self.prefixes.is_empty() {
            format!("{} ({} %)", self.name, self.percent)
        } else {
            format!("{} ({})", self.name, self.prefixes.join(", "))
        }
    }
}

/// A part of a fleet that is attached to a standby for a limited time.
#[derive(Debug, Serialize)]
pub(crate) struct CanaryView {
    canary: String,
    hub: String,
    percent: u32,
    device_count: u64,
    state: String,
    end_cause: String,
    epoch: u64,
    start_time: Option<String>,
    until_time: Option<String>,
    end_time: Option<String>,
}

impl From<pb::Canary> for CanaryView {
    fn from(canary: pb::Canary) -> Self {
        let state = canary.state();
        Self {
            state: value_name(state.as_str_name(), "CANARY_STATE_"),
            start_time: time_text(canary.start_time.as_ref()),
            until_time: time_text(canary.until_time.as_ref()),
            end_time: time_text(canary.end_time.as_ref()),
            canary: canary.canary,
            hub: canary.hub,
            percent: canary.percent,
            device_count: canary.device_count,
            end_cause: canary.end_cause,
            epoch: canary.epoch,
        }
    }
}

impl CanaryView {
    /// `1000 devices at west, running`.
    pub(super) fn text(&self) -> String {
        let how = match self.end_cause.as_str() {
            "" => self.state.clone(),
            cause => format!("{} ({cause})", self.state),
        };
        format!("{} devices at {}, {how}", self.device_count, self.hub)
    }
}

impl View for CanaryView {
    fn human(&self) -> String {
        let percent = (self.percent > 0).then(|| format!("{} %", self.percent));
        Block::new()
            .line("canary", &self.canary)
            .line("hub", &self.hub)
            .maybe("part", percent)
            .line("devices", self.device_count)
            .line("state", &self.state)
            .line("ended because", &self.end_cause)
            .line("epoch", self.epoch)
            .maybe("began", self.start_time.as_ref())
            .maybe("ends by itself", self.until_time.as_ref())
            .maybe("ended", self.end_time.as_ref())
            .text()
    }
}
