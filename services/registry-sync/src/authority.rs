//! What the concierge decided about a fleet: its epoch, its active hub, what each hub is to it.
//!
//! Read anew for every use; a decision that depends on it is guarded again where it takes effect,
//! by `authority.assert_intent`.

use std::time::Duration;

use hubshift_domain::epoch::Epoch;
use hubshift_domain::hub_state::{HubState, RegistryMode};
use hubshift_domain::id::{FleetId, HubId};
use hubshift_store::StoreError;
use sqlx::PgPool;
use time::OffsetDateTime;

use crate::store;

/// Somebody knows a higher epoch than the database.
pub(crate) const EPOCH_FORGOTTEN: &str = "EPOCH_FORGOTTEN";

/// What to do then.
pub(crate) const FORGOTTEN: &str = "a higher epoch was served than the database knows, so nobody \
     knows who reigns and nothing is written; a forced move that overrides this commits a higher \
     one: see \"After a restore or a promotion\" in docs/runbook.md";

/// A fleet as the concierge has it.
#[derive(Debug, Clone)]
pub(crate) struct FleetView {
    pub(crate) fleet: FleetId,
    pub(crate) epoch: Epoch,
    pub(crate) active_hub: HubId,
    pub(crate) registry_mode: RegistryMode,
    pub(crate) frozen_until: Option<OffsetDateTime>,
    /// When the row last changed: while settling, when the epoch was committed.
    pub(crate) update_time: OffsetDateTime,
    /// Whether somebody knows a higher epoch than this one.
    pub(crate) is_forgotten: bool,
    /// The database's clock when this was read.
    pub(crate) now: OffsetDateTime,
    pub(crate) hubs: Vec<HubView>,
}

/// A hub of a fleet.
#[derive(Debug, Clone)]
pub(crate) struct HubView {
    pub(crate) hub_id: HubId,
    /// Its number within epochs.
    pub(crate) index: u16,
    pub(crate) state: HubState,
    /// The last epoch in which it was active; 0 for never.
    pub(crate) last_active_epoch: Epoch,
    /// How long a call to it may take, from the start of its intent. What was given up may land
    /// later where the hub says so: [`hubshift_hub::Hub::afterlife`].
    pub(crate) call_deadline: Duration,
    /// How old its listing may be.
    pub(crate) read_lag: Duration,
}

impl FleetView {
    /// One of its hubs.
    pub(crate) fn hub(&self, hub: &HubId) -> Option<&HubView> {
        self.hubs.iter().find(|view| &view.hub_id == hub)
    }

    /// Whether the registry takes writes now: a freeze that ran out thaws by itself.
    pub(crate) fn effective_mode(&self) -> RegistryMode {
        match (self.registry_mode, self.frozen_until) {
            (RegistryMode::Frozen, Some(until)) if until <= self.now => RegistryMode::Open,
            (mode, _) => mode,
        }
    }

    /// The stamp's epoch of a change that we find at a hub and did not make: the hub's own last
    /// reign, and the current one for the hub that reigns now.
    pub(crate) fn found_epoch(&self, hub: &HubId) -> Epoch {
        match self.hub(hub) {
            _ if hub == &self.active_hub => self.epoch,
            Some(view) => view.last_active_epoch,
            None => Epoch::default(),
        }
    }
}

/// A fleet, if the concierge knows it.
pub(crate) async fn fleet(pool: &PgPool, fleet: &FleetId) -> Result<Option<FleetView>, StoreError> {
    let Some(row) = store::authority::fleet(pool, fleet.as_str()).await? else {
        return Ok(None);
    };
    let hubs = store::authority::hubs(pool, fleet.as_str()).await?;
    Ok(Some(FleetView {
        fleet: fleet.clone(),
        epoch: Epoch::from_i64(row.epoch),
        active_hub: HubId::new(row.active_hub_id).map_err(|_| damaged("active_hub_id"))?,
        registry_mode: RegistryMode::parse(&row.registry_mode)
            .ok_or_else(|| damaged("registry_mode"))?,
        frozen_until: row.frozen_until,
        update_time: row.update_time,
        is_forgotten: row.is_forgotten,
        now: row.now,
        hubs: hubs.into_iter().map(hub).collect::<Result<_, _>>()?,
    }))
}

fn hub(row: store::authority::HubRow) -> Result<HubView, StoreError> {
    Ok(HubView {
        hub_id: HubId::new(row.hub_id).map_err(|_| damaged("hub_id"))?,
        index: u16::try_from(row.hub_index).map_err(|_| damaged("hub_index"))?,
        state: HubState::parse(&row.state).ok_or_else(|| damaged("hub state"))?,
        last_active_epoch: Epoch::from_i64(row.last_active_epoch),
        call_deadline: millis(row.call_deadline_ms),
        read_lag: millis(row.read_lag_ms),
    })
}

fn millis(value: i64) -> Duration {
    Duration::from_millis(u64::try_from(value).unwrap_or(0))
}

/// A value that this binary does not know, perhaps from a newer one.
pub(crate) fn damaged(what: &str) -> StoreError {
    StoreError::Bug(sqlx::Error::Decode(
        format!("{what} is not known to this binary").into(),
    ))
}
