//! What every part of the service works with, wired once at start.

use std::sync::Arc;

use hubshift_domain::hub_state::Purpose;
use hubshift_domain::id::{FleetId, HubId};
use sqlx::PgPool;
use tokio::sync::Notify;

use crate::authority::FleetView;
use crate::backup::Vault;
use crate::budget::Lane;
use crate::config::Config;
use crate::hubs::{Hubs, HubsError};
use crate::seal::{FleetKeys, KeyError, Keyring};
use crate::write::WriteCx;

/// What every part of the service works with.
#[derive(Debug)]
pub(crate) struct Deps {
    pub(crate) config: Config,
    pub(crate) pool: PgPool,
    pub(crate) keyring: Keyring,
    pub(crate) hubs: Hubs,
    /// Where backups are kept; nothing when no store is configured.
    pub(crate) vault: Option<Vault>,
    /// Tells the sync that the journal has something new for the standbys.
    pub(crate) sync: Arc<Notify>,
    /// Tells the workflow engine that something is due.
    pub(crate) flow: Arc<Notify>,
}

/// Why a hub can't be written to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriterError {
    /// The hub can't be had.
    #[error(transparent)]
    Hub(#[from] HubsError),
    /// The fleet's keys can't be had.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl Deps {
    /// A fleet's keys.
    pub(crate) async fn keys(&self, fleet: &FleetId) -> Result<Arc<FleetKeys>, KeyError> {
        self.keyring.fleet(&self.pool, fleet).await
    }

    /// What a write to a hub needs, under the epoch of `view`.
    pub(crate) async fn writer(
        &self,
        view: &FleetView,
        hub_id: &HubId,
        purpose: Purpose,
    ) -> Result<WriteCx, WriterError> {
        let state = view.hub(hub_id).ok_or(HubsError::NoHub)?;
        let hub = self.hubs.get(&view.fleet, hub_id, lane(purpose)).await?;
        Ok(WriteCx {
            pool: self.pool.clone(),
            keys: self.keys(&view.fleet).await?,
            fleet: view.fleet.clone(),
            hub_id: hub_id.clone(),
            epoch: view.epoch,
            purpose,
            call_deadline: state.call_deadline + hub.afterlife(),
            hub,
        })
    }
}

/// Back ends wait for what they provision. What is written for any other purpose is one of many.
fn lane(purpose: Purpose) -> Lane {
    match purpose {
        Purpose::Provision => Lane::Person,
        Purpose::Replicate | Purpose::Merge | Purpose::Replay | Purpose::Restore => Lane::Task,
    }
}
