//! Hubs, as devices and back ends know them.

use std::collections::BTreeMap;

use hubshift_api::pb::concierge as pb;
use serde::Serialize;

use super::{last_segment, seconds, seconds_text, value_name};
use crate::output::{Block, Row, View};

/// A hub of a fleet.
#[derive(Debug, Serialize)]
pub(crate) struct HubView {
    name: String,
    region: String,
    host: String,
    service_host: String,
    event_endpoint: String,
    labels: BTreeMap<String, String>,
    admission_per_second: u32,
    call_deadline: Option<f64>,
    read_lag: Option<f64>,
    state: String,
    index: u32,
}

impl From<pb::Hub> for HubView {
    fn from(hub: pb::Hub) -> Self {
        let state = hub.state();
        Self {
            state: value_name(state.as_str_name(), "HUB_STATE_"),
            call_deadline: seconds(hub.call_deadline.as_ref()),
            read_lag: seconds(hub.read_lag.as_ref()),
            name: hub.name,
            region: hub.region,
            host: hub.host,
            service_host: hub.service_host,
            event_endpoint: hub.event_endpoint,
            labels: hub.labels.into_iter().collect(),
            admission_per_second: hub.admission_per_second,
            index: hub.index,
        }
    }
}

impl HubView {
    /// `east:active`.
    pub(super) fn short(&self) -> String {
        format!("{}:{}", last_segment(&self.name), self.state)
    }
}

impl View for HubView {
    fn human(&self) -> String {
        let labels = self
            .labels
            .iter()
            .map(|(key, value)| format!("{key}={value}"));
        Block::new()
            .line("hub", last_segment(&self.name))
            .line("state", &self.state)
            .line("region", &self.region)
            .line("host", &self.host)
            .line("service host", &self.service_host)
            .line("events", &self.event_endpoint)
            .line("labels", labels.collect::<Vec<_>>().join(", "))
            .line("admission", format!("{}/s", self.admission_per_second))
            .maybe("call deadline", seconds_text(self.call_deadline))
            .maybe("read lag", seconds_text(self.read_lag))
            .text()
    }
}

impl Row for HubView {
    const LIST: &'static str = "hubs";
    const HEADER: &'static [&'static str] = &["hub", "state", "region", "host", "admission"];

    fn cells(&self) -> Vec<String> {
        vec![
            last_segment(&self.name).to_owned(),
            self.state.clone(),
            self.region.clone(),
            self.host.clone(),
            format!("{}/s", self.admission_per_second),
        ]
    }
}
