//! Fleets, from both of their rows: `authority.fleet` (who reigns) and `concierge.fleet` (what
//! devices are told).

use std::time::Duration;

use hubshift_domain::epoch::Epoch;
use hubshift_domain::hub_state::RegistryMode;
use hubshift_domain::route::{WavePlan, schedule};
use hubshift_store::StoreError;
use serde::Deserialize as _;
use serde_json::Value;
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::{unknown_name, unsigned};

/// A fleet.
#[derive(Debug, Clone)]
pub(crate) struct FleetRow {
    pub(crate) fleet_id: String,
    pub(crate) display_name: String,
    pub(crate) home_hub_id: String,
    pub(crate) device_count: i64,
    pub(crate) utilisation_percent: i16,
    pub(crate) poll_after_ms: i64,
    pub(crate) on_unreachable: String,
    pub(crate) waves: Value,
    pub(crate) routing_version: i64,
    pub(crate) revision: i64,
    pub(crate) epoch: i64,
    pub(crate) active_hub_id: String,
    pub(crate) registry_mode: String,
    pub(crate) frozen_until: Option<OffsetDateTime>,
    pub(crate) authority_revision: i64,
    pub(crate) create_time: OffsetDateTime,
    pub(crate) update_time: OffsetDateTime,
    /// The database's clock when the row was read.
    pub(crate) now: OffsetDateTime,
}

impl FleetRow {
    /// The epoch.
    pub(crate) fn epoch(&self) -> Epoch {
        Epoch::from_i64(self.epoch)
    }

    /// Whether the registry takes writes. A freeze that ran out thaws by itself.
    pub(crate) fn mode(&self) -> Result<RegistryMode, StoreError> {
        let mode = RegistryMode::parse(&self.registry_mode)
            .ok_or_else(|| unknown_name("registry mode", &self.registry_mode))?;
        let thawed = self.frozen_until.is_some_and(|until| until <= self.now);
        Ok(if mode == RegistryMode::Frozen && thawed {
            RegistryMode::Open
        } else {
            mode
        })
    }

    /// Who goes first, in order.
    pub(crate) fn waves(&self) -> Vec<WavePlan> {
        waves(&self.waves)
    }

    /// The window over which all its devices connect to a hub that admits so many per second.
    pub(crate) fn window(&self, rate: u32) -> Duration {
        let percent = u8::try_from(self.utilisation_percent).unwrap_or(1);
        let (_, whole) = schedule(&self.waves(), unsigned(self.device_count), percent, rate);
        whole
    }

    /// Changes with every change of either row.
    pub(crate) fn etag(&self) -> String {
        format!("{}-{}", self.authority_revision, self.revision)
    }
}

/// Waves as they are stored. One of a kind that only a newer binary knows is passed over.
pub(crate) fn waves(stored: &Value) -> Vec<WavePlan> {
    let list = stored.as_array().map_or(&[][..], Vec::as_slice);
    list.iter()
        .filter_map(|wave| WavePlan::deserialize(wave).ok())
        .collect()
}

/// One fleet.
pub(crate) async fn get(
    connection: &mut PgConnection,
    fleet_id: &str,
) -> Result<Option<FleetRow>, StoreError> {
    let row = sqlx::query_as!(
        FleetRow,
        r#"select c.fleet_id, c.display_name, c.home_hub_id, c.device_count,
                  c.utilisation_percent, c.poll_after_ms, c.on_unreachable, c.waves,
                  c.routing_version, c.revision, a.epoch, a.active_hub_id, a.registry_mode, a.frozen_until,
                  a.revision as authority_revision, c.create_time,
                  greatest(c.update_time, a.update_time) as "update_time!",
                  clock_timestamp() as "now!"
             from concierge.fleet c join authority.fleet a on a.fleet_id = c.fleet_id
            where c.fleet_id = $1"#,
        fleet_id
    )
    .fetch_optional(connection)
    .await?;
    Ok(row)
}

/// Fleets by id, after `after`.
pub(crate) async fn list(
    connection: &mut PgConnection,
    after: &str,
    limit: i64,
) -> Result<Vec<FleetRow>, StoreError> {
    let rows = sqlx::query_as!(
        FleetRow,
        r#"select c.fleet_id, c.display_name, c.home_hub_id, c.device_count,
                  c.utilisation_percent, c.poll_after_ms, c.on_unreachable, c.waves,
                  c.routing_version, c.revision, a.epoch, a.active_hub_id, a.registry_mode, a.frozen_until,
                  a.revision as authority_revision, c.create_time,
                  greatest(c.update_time, a.update_time) as "update_time!",
                  clock_timestamp() as "now!"
             from concierge.fleet c join authority.fleet a on a.fleet_id = c.fleet_id
            where c.fleet_id > $1 order by c.fleet_id limit $2"#,
        after,
        limit
    )
    .fetch_all(connection)
    .await?;
    Ok(rows)
}

/// What a fleet is created with.
#[derive(Debug, Clone)]
pub(crate) struct NewFleet {
    pub(crate) fleet_id: String,
    pub(crate) display_name: String,
    pub(crate) home_hub_id: String,
    pub(crate) active_hub_id: String,
    pub(crate) epoch: Epoch,
    pub(crate) device_count: i64,
    pub(crate) utilisation_percent: i16,
    pub(crate) poll_after_ms: i64,
    pub(crate) on_unreachable: String,
    pub(crate) waves: Value,
}

/// Adds a fleet without its hubs.
pub(crate) async fn insert(
    connection: &mut PgConnection,
    fleet: &NewFleet,
) -> Result<(), StoreError> {
    sqlx::query!(
        "insert into concierge.fleet
            (fleet_id, display_name, home_hub_id, device_count, utilisation_percent,
             poll_after_ms, on_unreachable, waves)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        fleet.fleet_id,
        fleet.display_name,
        fleet.home_hub_id,
        fleet.device_count,
        fleet.utilisation_percent,
        fleet.poll_after_ms,
        fleet.on_unreachable,
        fleet.waves
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "insert into authority.fleet (fleet_id, epoch, active_hub_id) values ($1, $2, $3)",
        fleet.fleet_id,
        fleet.epoch.as_i64(),
        fleet.active_hub_id
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// What an operator may change; `None` stays.
#[derive(Debug, Clone, Default)]
pub(crate) struct Changes {
    pub(crate) display_name: Option<String>,
    pub(crate) device_count: Option<i64>,
    pub(crate) utilisation_percent: Option<i16>,
    pub(crate) poll_after_ms: Option<i64>,
    pub(crate) waves: Option<Value>,
}

impl Changes {
    /// Whether devices are told something else by it.
    fn reaches_devices(&self) -> bool {
        self.device_count.is_some()
            || self.utilisation_percent.is_some()
            || self.poll_after_ms.is_some()
            || self.waves.is_some()
    }
}

/// Changes a fleet.
pub(crate) async fn update(
    connection: &mut PgConnection,
    fleet_id: &str,
    changes: &Changes,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update concierge.fleet
            set display_name = coalesce($2, display_name),
                device_count = coalesce($3, device_count),
                utilisation_percent = coalesce($4, utilisation_percent),
                poll_after_ms = coalesce($5, poll_after_ms),
                waves = coalesce($6, waves),
                routing_version = routing_version + case when $7 then 1 else 0 end,
                revision = revision + 1, update_time = clock_timestamp()
          where fleet_id = $1",
        fleet_id,
        changes.display_name,
        changes.device_count,
        changes.utilisation_percent,
        changes.poll_after_ms,
        changes.waves,
        changes.reaches_devices()
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Holds a fleet's routing row, so that two changes of it come one after the other.
pub(crate) async fn hold(
    connection: &mut PgConnection,
    fleet_id: &str,
) -> Result<bool, StoreError> {
    let row = sqlx::query_scalar!(
        "select fleet_id from concierge.fleet where fleet_id = $1 for update",
        fleet_id
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.is_some())
}

/// Tells devices something new; returns the routing version that says it.
pub(crate) async fn raise_routing_version(
    connection: &mut PgConnection,
    fleet_id: &str,
) -> Result<i64, StoreError> {
    let version = sqlx::query_scalar!(
        "update concierge.fleet
            set routing_version = routing_version + 1, revision = revision + 1,
                update_time = clock_timestamp()
          where fleet_id = $1 returning routing_version",
        fleet_id
    )
    .fetch_one(connection)
    .await?;
    Ok(version)
}
