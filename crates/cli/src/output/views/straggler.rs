//! Devices that are still connected to a hub.

use hubshift_api::pb::registry as pb;
use prost_types::Timestamp;
use serde::Serialize;

use super::{last_segment, time_text};
use crate::output::{Block, View, table};

/// What the hub's word is worth.
const NOTE: &str = "the hub's own list, which may be minutes old: it knows connections by MQTT and \
                    AMQP alone, learns late of one that broke, and its queries lag";

/// Who is connected to a hub, as it says.
#[derive(Debug, Serialize)]
pub(crate) struct StragglersView {
    fleet: String,
    hub: String,
    read_time: Option<String>,
    /// How many are named here; more follow if there is a token.
    count: usize,
    devices: Vec<StragglerView>,
    next_page_token: String,
    note: &'static str,
}

#[derive(Debug, Serialize)]
struct StragglerView {
    device_id: String,
    last_activity_time: Option<String>,
}

impl StragglersView {
    /// What a hub said when it was read; the token is empty when that is all.
    pub(crate) fn new(
        fleet: String,
        hub: String,
        read_time: Option<Timestamp>,
        devices: Vec<pb::ConnectedDevice>,
        next_page_token: String,
    ) -> Self {
        let devices: Vec<_> = devices.into_iter().map(StragglerView::from).collect();
        Self {
            fleet,
            hub,
            read_time: time_text(read_time.as_ref()),
            count: devices.len(),
            devices,
            next_page_token,
            note: NOTE,
        }
    }

    fn count_text(&self) -> String {
        match self.next_page_token.as_str() {
            "" => self.count.to_string(),
            _ => format!("more than {}", self.count),
        }
    }
}

impl From<pb::ConnectedDevice> for StragglerView {
    fn from(device: pb::ConnectedDevice) -> Self {
        Self {
            last_activity_time: time_text(device.last_activity_time.as_ref()),
            device_id: device.device_id,
        }
    }
}

impl View for StragglersView {
    fn human(&self) -> String {
        let block = Block::new()
            .line("fleet", last_segment(&self.fleet))
            .line("hub", &self.hub)
            .line("still connected", self.count_text())
            .maybe("read", self.read_time.as_ref())
            .line("note", self.note);
        let mut text = block.text();
        if !self.devices.is_empty() {
            let cells = |device: &StragglerView| {
                let last = device.last_activity_time.clone();
                vec![
                    device.device_id.clone(),
                    last.unwrap_or_else(|| "never".to_owned()),
                ]
            };
            let rows = table(&["device", "last activity"], self.devices.iter().map(cells));
            text = format!("{text}\n\n{rows}");
        }
        if !self.next_page_token.is_empty() {
            text.push_str(&format!("\nmore: --page-token {}", self.next_page_token));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(ids: &[&str], next: &str) -> StragglersView {
        let device = |id: &&str| pb::ConnectedDevice {
            device_id: (*id).to_owned(),
            last_activity_time: None,
        };
        let read = Timestamp {
            seconds: 1_700_000_000,
            nanos: 0,
        };
        let devices = ids.iter().map(device).collect();
        let (fleet, hub) = ("fleets/acme".to_owned(), "east".to_owned());
        StragglersView::new(fleet, hub, Some(read), devices, next.to_owned())
    }

    #[test]
    fn they_are_named_counted_and_dated_and_the_hubs_word_is_weighed() {
        let text = view(&["d-1", "d-2"], "").human();
        for part in [
            "still connected  2",
            "d-1",
            "never",
            "2023-11-14T22:13:20Z",
            "MQTT",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(view(&["d-1"], "t").human().contains("more than 1"));
        let nobody = view(&[], "").human();
        assert!(
            nobody.contains("still connected  0") && !nobody.contains("DEVICE"),
            "{nobody}"
        );
    }
}
