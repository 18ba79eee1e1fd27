//! Hubs, as devices and back ends know them.

use std::collections::BTreeMap;

use hubshift_api::pb::concierge as pb;
use serde::Serialize;

use super::{last_segment, seconds, seconds_text, time_text, value_name};
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
    observations: Vec<ObservationView>,
}

/// How it looks from one concierge.
#[derive(Debug, Serialize)]
struct ObservationView {
    from: String,
    alive: bool,
    since: Option<String>,
    error: String,
    seen_time: Option<String>,
    stale: bool,
}

impl From<pb::HubObservation> for ObservationView {
    fn from(seen: pb::HubObservation) -> Self {
        Self {
            since: time_text(seen.since.as_ref()),
            seen_time: time_text(seen.seen_time.as_ref()),
            from: seen.from,
            alive: seen.alive,
            error: seen.error,
            stale: seen.stale,
        }
    }
}

impl ObservationView {
    /// `from west since 2026-01-01T12:03:00Z (connect timed out)`.
    fn text(&self) -> String {
        let since = self.since.as_deref().unwrap_or("?");
        let error = match self.error.as_str() {
            "" => String::new(),
            error => format!(" ({error})"),
        };
        let stale = if self.stale { ", said long ago" } else { "" };
        format!("from {} since {since}{error}{stale}", self.from)
    }
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
            observations: hub
                .observations
                .into_iter()
                .map(ObservationView::from)
                .collect(),
        }
    }
}

impl HubView {
    /// `east:active`.
    pub(super) fn short(&self) -> String {
        format!("{}:{}", last_segment(&self.name), self.state)
    }

    /// Each concierge that sees it dead.
    pub(super) fn dead(&self) -> impl Iterator<Item = String> {
        let dead = self.observations.iter().filter(|seen| !seen.alive);
        dead.map(move |seen| format!("hub {} {}", last_segment(&self.name), seen.text()))
    }

    /// `2 of 3`: who sees it alive, of those whose word is fresh.
    fn alive(&self) -> String {
        let fresh = || self.observations.iter().filter(|seen| !seen.stale);
        match fresh().count() {
            0 => "-".to_owned(),
            all => format!("{} of {all}", fresh().filter(|seen| seen.alive).count()),
        }
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
            .line("alive from", self.alive())
            .line("looks dead", self.dead().collect::<Vec<_>>().join("; "))
            .maybe("call deadline", seconds_text(self.call_deadline))
            .maybe("read lag", seconds_text(self.read_lag))
            .text()
    }
}

impl Row for HubView {
    const LIST: &'static str = "hubs";
    const HEADER: &'static [&'static str] =
        &["hub", "state", "region", "host", "admission", "alive from"];

    fn cells(&self) -> Vec<String> {
        vec![
            last_segment(&self.name).to_owned(),
            self.state.clone(),
            self.region.clone(),
            self.host.clone(),
            format!("{}/s", self.admission_per_second),
            self.alive(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(from: &str, alive: bool, stale: bool) -> pb::HubObservation {
        pb::HubObservation {
            from: from.into(),
            alive,
            error: if alive { "" } else { "connect timed out" }.into(),
            since: Some(prost_types::Timestamp {
                seconds: 1_700_000_000,
                nanos: 0,
            }),
            stale,
            ..Default::default()
        }
    }

    #[test]
    fn a_hub_that_looks_dead_says_from_where_and_since_when() {
        let hub = HubView::from(pb::Hub {
            name: "fleets/acme/hubs/east".into(),
            observations: vec![
                seen("east", true, false),
                seen("west", false, false),
                seen("north", true, true),
            ],
            ..Default::default()
        });
        assert_eq!(hub.alive(), "1 of 2");
        let dead: Vec<String> = hub.dead().collect();
        let text = "hub east from west since 2023-11-14T22:13:20Z (connect timed out)";
        assert_eq!(dead, [text]);
        assert_eq!(hub.cells().len(), HubView::HEADER.len());
        let json = serde_json::to_value(&hub).unwrap();
        assert_eq!(json["observations"][1]["alive"], false);
    }
}
