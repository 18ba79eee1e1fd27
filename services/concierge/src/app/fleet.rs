//! Fleets: create, read, change; and the word of back ends.

use hubshift_api::pb::concierge::{AcknowledgeEpochResponse, Fleet};
use hubshift_domain::epoch::Epoch;
use hubshift_domain::hub_state::HubState;
use hubshift_domain::id::FleetId;
use hubshift_store::idem::Request;
use hubshift_store::{StoreError, Tx, in_tx};
use serde_json::json;
use sqlx::PgConnection;

use super::once::once;
use super::{App, AppError, view};
use crate::store::audit::{self, Entry};
use crate::store::epoch::{self, Opening};
use crate::store::fleet::{self as rows, Changes, FleetRow, NewFleet};
use crate::store::hub::{self, HubRow};
use crate::store::{back_end, clock};

/// The alert of a fleet whose active hub looks dead to most of the concierges.
const ACTIVE_HUB_LOOKS_DEAD: &str = "ACTIVE_HUB_LOOKS_DEAD";

/// A new fleet with its hubs; states and the first epoch are made here.
#[derive(Debug, Clone)]
pub(crate) struct Creation {
    pub(crate) fleet: NewFleet,
    pub(crate) hubs: Vec<HubRow>,
}

/// A change of a fleet.
#[derive(Debug, Clone)]
pub(crate) struct Update {
    pub(crate) fleet_id: String,
    pub(crate) changes: Changes,
    /// Refused when the fleet's is another; `None` does not ask.
    pub(crate) etag: Option<String>,
}

impl App {
    /// One fleet.
    pub(crate) async fn get_fleet(&self, fleet_id: &str) -> Result<Fleet, AppError> {
        let mut connection = self.connection().await?;
        self.view(&mut connection, fleet_id).await
    }

    /// A page of fleets, by id.
    pub(crate) async fn list_fleets(
        &self,
        after: &str,
        limit: i64,
    ) -> Result<Vec<Fleet>, AppError> {
        let mut connection = self.connection().await?;
        let mut fleets = Vec::new();
        for row in rows::list(&mut connection, after, limit).await? {
            fleets.push(self.view_row(&mut connection, &row).await?);
        }
        Ok(fleets)
    }

    /// Creates a fleet; its active hub starts the first epoch, the others wait to be connected.
    pub(crate) async fn create_fleet(
        &self,
        request: &Request,
        creation: &Creation,
    ) -> Result<Fleet, AppError> {
        let work = in_tx(&self.pool, "create_fleet", |tx| {
            self.create(tx, request, creation)
        });
        once(&self.pool, request, work).await
    }

    async fn create(
        &self,
        mut tx: Tx,
        request: &Request,
        creation: &Creation,
    ) -> Result<(Tx, Fleet), AppError> {
        let fleet_id = creation.fleet.fleet_id.as_str();
        insert(&mut tx, creation).await?;
        self.check_route(&mut tx, fleet_id).await?;
        let fleet = self.view(&mut tx, fleet_id).await?;
        self.seal(&mut tx, request, fleet_id, "", &fleet).await?;
        Ok((tx, fleet))
    }

    /// Changes a fleet.
    pub(crate) async fn update_fleet(
        &self,
        request: &Request,
        update: &Update,
    ) -> Result<Fleet, AppError> {
        let work = in_tx(&self.pool, "update_fleet", |tx| {
            self.update(tx, request, update)
        });
        once(&self.pool, request, work).await
    }

    async fn update(
        &self,
        mut tx: Tx,
        request: &Request,
        update: &Update,
    ) -> Result<(Tx, Fleet), AppError> {
        let fleet_id = update.fleet_id.as_str();
        let known = rows::hold(&mut tx, fleet_id).await?;
        let row = if known {
            rows::get(&mut tx, fleet_id).await?
        } else {
            None
        };
        let Some(row) = row else {
            return Err(AppError::FleetNotFound(fleet_id.to_owned()));
        };
        if update.etag.as_ref().is_some_and(|etag| *etag != row.etag()) {
            return Err(AppError::EtagMismatch);
        }
        rows::update(&mut tx, fleet_id, &update.changes).await?;
        if update.changes.waves.is_some() {
            self.check_route(&mut tx, fleet_id).await?;
        }
        let fleet = self.view(&mut tx, fleet_id).await?;
        self.seal(&mut tx, request, fleet_id, "", &fleet).await?;
        Ok((tx, fleet))
    }

    /// Stores a back end's word about the epoch that it acts on.
    pub(crate) async fn acknowledge_epoch(
        &self,
        request: &Request,
        fleet_id: &str,
        back_end: &str,
        epoch: Epoch,
    ) -> Result<AcknowledgeEpochResponse, AppError> {
        let work = in_tx(&self.pool, "acknowledge_epoch", |mut tx| async move {
            if rows::get(&mut tx, fleet_id).await?.is_none() {
                return Err(AppError::FleetNotFound(fleet_id.to_owned()));
            }
            if !epoch::exists(&mut tx, fleet_id, epoch).await? {
                return Err(AppError::EpochUnknown(epoch.0));
            }
            back_end::acknowledge(&mut tx, fleet_id, back_end, epoch.as_i64()).await?;
            let answer = AcknowledgeEpochResponse {};
            let detail = format!("{back_end} acts on epoch {epoch}");
            self.seal(&mut tx, request, fleet_id, &detail, &answer)
                .await?;
            Ok((tx, answer))
        });
        once(&self.pool, request, work).await
    }

    /// A fleet as operators see it, with what this transaction made of it.
    pub(super) async fn view(
        &self,
        connection: &mut PgConnection,
        id: &str,
    ) -> Result<Fleet, AppError> {
        match rows::get(connection, id).await? {
            Some(row) => Ok(self.view_row(connection, &row).await?),
            None => Err(AppError::FleetNotFound(id.to_owned())),
        }
    }

    async fn view_row(
        &self,
        connection: &mut PgConnection,
        row: &FleetRow,
    ) -> Result<Fleet, StoreError> {
        let alerts = FleetId::new(row.fleet_id.as_str()).map(|fleet| self.table.alerts(&fleet));
        let mut alerts = alerts.unwrap_or_default();
        if self.observers.is_dead(&row.fleet_id, &row.active_hub_id) {
            alerts.push(ACTIVE_HUB_LOOKS_DEAD.to_owned());
        }
        view::fleet(connection, row, alerts).await
    }

    /// Stores answer and audit line, in the transaction of the effect.
    pub(super) async fn seal<R: prost::Message>(
        &self,
        connection: &mut PgConnection,
        request: &Request,
        fleet_id: &str,
        detail: &str,
        answer: &R,
    ) -> Result<(), AppError> {
        let entry = Entry {
            caller: &request.caller,
            method: request.method,
            fleet_id,
            request_id: request.request_id,
            detail,
        };
        audit::insert(connection, &entry).await?;
        if request.record(connection, answer).await? {
            Ok(())
        } else {
            Err(AppError::Raced)
        }
    }
}

/// Writes a fleet, its hubs and its first epoch.
async fn insert(connection: &mut PgConnection, creation: &Creation) -> Result<(), AppError> {
    let fleet = &creation.fleet;
    let exists = |error: StoreError| {
        let taken = ["concierge_fleet_pk", "authority_fleet_pk"];
        if taken.iter().any(|name| error.is_constraint(name)) {
            return AppError::FleetExists(fleet.fleet_id.clone());
        }
        error.into()
    };
    rows::insert(connection, fleet).await.map_err(exists)?;
    for hub in &creation.hubs {
        let is_active = hub.hub_id == fleet.active_hub_id;
        let state = if is_active {
            HubState::Active
        } else {
            HubState::Provisioning
        };
        let row = HubRow {
            state: state.as_str().to_owned(),
            ..hub.clone()
        };
        let taken = |error: StoreError| {
            if error.is_constraint("concierge_hub_host_unique") {
                return AppError::HubHostTaken(hub.host.clone());
            }
            error.into()
        };
        let epoch = is_active.then_some(fleet.epoch);
        hub::insert(connection, &fleet.fleet_id, &row, epoch)
            .await
            .map_err(taken)?;
    }
    let opening = Opening {
        fleet_id: &fleet.fleet_id,
        epoch: fleet.epoch,
        hub_id: &fleet.active_hub_id,
        failover_id: None,
        cut: &json!({}),
        at: clock::now(connection).await?,
    };
    Ok(epoch::open(connection, &opening).await?)
}
