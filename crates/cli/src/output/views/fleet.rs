//! Fleets.

use hubshift_api::pb::concierge as pb;
use serde::Serialize;

use super::hub::HubView;
use super::pacing::{CanaryView, WaveView};
use super::{last_segment, seconds, seconds_text, time_text, value_name};
use crate::output::{Block, Row, View, table};

/// A fleet.
#[derive(Debug, Serialize)]
pub(crate) struct FleetView {
    name: String,
    display_name: String,
    home_hub: String,
    active_hub: String,
    epoch: u64,
    routing_version: u64,
    registry_mode: String,
    hubs: Vec<HubView>,
    device_count: u64,
    utilisation_percent: u32,
    poll_after: Option<f64>,
    on_unreachable: String,
    debts: Vec<DebtView>,
    back_ends: Vec<BackEndView>,
    adoption: Option<AdoptionView>,
    etag: String,
    create_time: Option<String>,
    update_time: Option<String>,
    alerts: Vec<String>,
    waves: Vec<WaveView>,
    canary: Option<CanaryView>,
}

/// What must still be paid.
#[derive(Debug, Serialize)]
struct DebtView {
    kind: String,
    hub: String,
    failover: String,
    epoch: u64,
    create_time: Option<String>,
    error: String,
}

/// A back end that watches.
#[derive(Debug, Serialize)]
struct BackEndView {
    back_end: String,
    epoch: u64,
    acknowledge_time: Option<String>,
}

/// Where devices say they are.
#[derive(Debug, Serialize)]
pub(super) struct AdoptionView {
    polling_count: u64,
    attached_count: u64,
    registered_count: u64,
    polling_error_percent: f64,
    silent_count: u64,
    text: String,
}

impl From<pb::Adoption> for AdoptionView {
    fn from(adoption: pb::Adoption) -> Self {
        let pb::Adoption {
            polling_count,
            attached_count,
            registered_count,
            polling_error_percent,
            silent_count,
            text,
        } = adoption;
        Self {
            polling_count,
            attached_count,
            registered_count,
            polling_error_percent,
            silent_count,
            text,
        }
    }
}

impl AdoptionView {
    pub(super) fn text(&self) -> String {
        format!(
            "{} attached of {} that ask",
            self.attached_count, self.polling_count
        )
    }

    /// Who will not move by themselves; nothing where a service is too old to say it.
    fn coverage(&self) -> Option<&str> {
        Some(self.text.as_str()).filter(|text| !text.is_empty())
    }
}

impl From<pb::Fleet> for FleetView {
    fn from(fleet: pb::Fleet) -> Self {
        let mode = fleet.registry_mode();
        Self {
            registry_mode: value_name(mode.as_str_name(), "REGISTRY_MODE_"),
            poll_after: seconds(fleet.poll_after.as_ref()),
            create_time: time_text(fleet.create_time.as_ref()),
            update_time: time_text(fleet.update_time.as_ref()),
            name: fleet.name,
            display_name: fleet.display_name,
            home_hub: fleet.home_hub,
            active_hub: fleet.active_hub,
            epoch: fleet.epoch,
            routing_version: fleet.routing_version,
            hubs: fleet.hubs.into_iter().map(HubView::from).collect(),
            device_count: fleet.device_count,
            utilisation_percent: fleet.utilisation_percent,
            on_unreachable: fleet.on_unreachable,
            debts: fleet.debts.into_iter().map(DebtView::from).collect(),
            back_ends: fleet.back_ends.into_iter().map(BackEndView::from).collect(),
            adoption: fleet.adoption.map(AdoptionView::from),
            etag: fleet.etag,
            alerts: fleet.alerts,
            waves: fleet.waves.into_iter().map(WaveView::from).collect(),
            canary: fleet.canary.map(CanaryView::from),
        }
    }
}

impl From<pb::Debt> for DebtView {
    fn from(debt: pb::Debt) -> Self {
        let create_time = time_text(debt.create_time.as_ref());
        let pb::Debt {
            kind,
            hub,
            failover,
            epoch,
            error,
            ..
        } = debt;
        Self {
            kind,
            hub,
            failover,
            epoch,
            create_time,
            error,
        }
    }
}

impl From<pb::BackEnd> for BackEndView {
    fn from(back_end: pb::BackEnd) -> Self {
        let acknowledge_time = time_text(back_end.acknowledge_time.as_ref());
        Self {
            back_end: back_end.back_end,
            epoch: back_end.epoch,
            acknowledge_time,
        }
    }
}

impl FleetView {
    fn debts_text(&self) -> String {
        let texts = self.debts.iter().map(|debt| match debt.error.as_str() {
            "" => format!("{} {}", debt.kind, debt.hub),
            error => format!("{} {} ({error})", debt.kind, debt.hub),
        });
        texts.collect::<Vec<_>>().join(", ")
    }

    fn waves_text(&self) -> String {
        let texts = self.waves.iter().map(WaveView::text);
        texts.collect::<Vec<_>>().join(", then ")
    }

    fn back_ends_text(&self) -> String {
        let texts = self
            .back_ends
            .iter()
            .map(|b| format!("{} at epoch {}", b.back_end, b.epoch));
        texts.collect::<Vec<_>>().join(", ")
    }
}

impl View for FleetView {
    fn human(&self) -> String {
        let block = Block::new()
            .line("fleet", last_segment(&self.name))
            .line("display name", &self.display_name)
            .line("active hub", &self.active_hub)
            .line("home hub", &self.home_hub)
            .line("epoch", self.epoch)
            .line("registry", &self.registry_mode)
            .line("devices", self.device_count)
            .maybe("adoption", self.adoption.as_ref().map(AdoptionView::text))
            .maybe(
                "coverage",
                self.adoption.as_ref().and_then(AdoptionView::coverage),
            )
            .line("utilisation", format!("{} %", self.utilisation_percent))
            .line("first go", self.waves_text())
            .maybe("canary", self.canary.as_ref().map(CanaryView::text))
            .maybe("poll after", seconds_text(self.poll_after))
            .line("debts", self.debts_text())
            .line("back ends", self.back_ends_text())
            .line("alerts", self.alerts.join(", "));
        let dead = self.hubs.iter().flat_map(HubView::dead);
        let block = dead.fold(block, |block, text| block.line("looks dead", text));
        let hubs = table(HubView::HEADER, self.hubs.iter().map(Row::cells));
        format!("{}\n\n{hubs}", block.text())
    }
}

impl Row for FleetView {
    const LIST: &'static str = "fleets";
    const HEADER: &'static [&'static str] = &[
        "fleet", "active", "home", "epoch", "registry", "devices", "debts", "alerts",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            last_segment(&self.name).to_owned(),
            self.active_hub.clone(),
            self.home_hub.clone(),
            self.epoch.to_string(),
            self.registry_mode.clone(),
            self.device_count.to_string(),
            self.debts_text(),
            self.alerts.join(", "),
        ]
    }
}

/// One state of a watched fleet.
#[derive(Debug, Serialize)]
pub(crate) struct FleetChangeView {
    fleet: Option<FleetView>,
    revision: u64,
    heartbeat: bool,
}

impl From<pb::WatchFleetResponse> for FleetChangeView {
    fn from(change: pb::WatchFleetResponse) -> Self {
        let pb::WatchFleetResponse {
            fleet,
            revision,
            heartbeat,
        } = change;
        Self {
            fleet: fleet.map(FleetView::from),
            revision,
            heartbeat,
        }
    }
}

impl View for FleetChangeView {
    fn human(&self) -> String {
        let Some(fleet) = &self.fleet else {
            return format!("revision {}", self.revision);
        };
        let hubs = fleet.hubs.iter().map(HubView::short);
        let alerts = fleet
            .alerts
            .iter()
            .chain(fleet.debts.iter().map(|debt| &debt.kind));
        let line = format!(
            "revision {}  epoch {}  active {}  registry {}  {}  {}",
            self.revision,
            fleet.epoch,
            fleet.active_hub,
            fleet.registry_mode,
            hubs.collect::<Vec<_>>().join(" "),
            alerts.cloned().collect::<Vec<_>>().join(" "),
        );
        line.trim_end().to_owned()
    }
}
