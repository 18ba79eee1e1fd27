//! How registry-sync reaches a hub. The secret itself never comes here, only where it is kept.

use hubshift_api::pb::registry as pb;
use serde::Serialize;

use super::fence::FenceView;
use super::hub::HubView;
use super::time_text;
use crate::output::{Block, View};

/// A way to a hub.
#[derive(Debug, Serialize)]
pub(crate) struct ConnectionView {
    name: String,
    adapter: String,
    secret_ref: String,
    ca_ref: String,
    host: String,
    contact_time: Option<String>,
    last_error: String,
    budget: BudgetView,
    job_container_ref: String,
    management_ref: String,
    without_modules: bool,
    without_configurations: bool,
}

/// How much of the hub's quota is registry-sync's.
#[derive(Debug, Serialize)]
struct BudgetView {
    tier: String,
    units: u32,
    share_percent: u32,
    daily_message_percent: u32,
}

impl From<pb::Budget> for BudgetView {
    fn from(budget: pb::Budget) -> Self {
        Self {
            tier: budget.tier,
            units: budget.units,
            share_percent: budget.share_percent,
            daily_message_percent: budget.daily_message_percent,
        }
    }
}

impl BudgetView {
    fn text(&self) -> String {
        if self.tier.is_empty() {
            return "tier not known: limits are learned from refusals".to_owned();
        }
        format!(
            "{} % of {} x {}, and {} % of its messages a day for queries",
            self.share_percent, self.tier, self.units, self.daily_message_percent
        )
    }
}

impl From<pb::Connection> for ConnectionView {
    fn from(connection: pb::Connection) -> Self {
        Self {
            contact_time: time_text(connection.contact_time.as_ref()),
            name: connection.name,
            adapter: connection.adapter,
            secret_ref: connection.secret_ref,
            ca_ref: connection.ca_ref,
            host: connection.host,
            last_error: connection.last_error,
            budget: connection.budget.unwrap_or_default().into(),
            job_container_ref: connection.job_container_ref,
            management_ref: connection.management_ref,
            without_modules: connection.without_modules,
            without_configurations: connection.without_configurations,
        }
    }
}

impl ConnectionView {
    /// The kinds of records that the hub is never asked for.
    fn left_out(&self) -> Option<String> {
        let kinds = [
            (self.without_modules, "modules"),
            (self.without_configurations, "configurations"),
        ];
        let kinds: Vec<&str> = kinds
            .into_iter()
            .filter_map(|(is_left_out, kind)| is_left_out.then_some(kind))
            .collect();
        (!kinds.is_empty()).then(|| kinds.join(", "))
    }
}

impl View for ConnectionView {
    fn human(&self) -> String {
        Block::new()
            .line("connection", &self.name)
            .line("adapter", &self.adapter)
            .line("connects to", &self.host)
            .line("secret", &self.secret_ref)
            .line("authority", &self.ca_ref)
            .line("budget", self.budget.text())
            .line("job container", &self.job_container_ref)
            .line("management", &self.management_ref)
            .maybe("not asked for", self.left_out())
            .maybe("last contact", self.contact_time.as_ref())
            .line("last error", &self.last_error)
            .text()
    }
}

/// A hub with its connection and its fence, if it has them.
#[derive(Debug, Serialize)]
pub(crate) struct HubConnectionView {
    hub: HubView,
    connection: Option<ConnectionView>,
    fence: Option<FenceView>,
}

impl HubConnectionView {
    /// All parts.
    pub(crate) fn new(
        hub: HubView,
        connection: Option<pb::Connection>,
        fence: Option<pb::FenceStatus>,
    ) -> Self {
        Self {
            hub,
            connection: connection.map(ConnectionView::from),
            fence: fence.map(FenceView::from),
        }
    }
}

impl View for HubConnectionView {
    fn human(&self) -> String {
        let connection = match &self.connection {
            Some(connection) => connection.human(),
            None => "not connected yet: `hubshift hub connect` does it".to_owned(),
        };
        let mut parts = vec![self.hub.human(), connection];
        parts.extend(self.fence.as_ref().map(FenceView::human));
        parts.join("\n\n")
    }
}

/// What a hub said when it was tried.
#[derive(Debug, Serialize)]
pub(crate) struct ConnectionTestView {
    /// `fleets/{fleet}/hubs/{hub}/connection`.
    pub(crate) name: String,
    /// Devices that the hub counts.
    pub(crate) device_count: u64,
}

impl View for ConnectionTestView {
    fn human(&self) -> String {
        format!("the hub answers: it counts {} devices", self.device_count)
    }
}
