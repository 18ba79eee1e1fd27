//! The SQL of the answer side: everything that devices are told, read whole in one read-only
//! transaction, and what this replica writes back (`write`).
//!
//! A name that this binary does not know was written by a newer one: it is read as the careful
//! choice, so that one fleet's news never keeps the others from being refreshed.

pub(crate) mod write;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use hubshift_domain::epoch::Epoch;
use hubshift_domain::hub_state::{HubState, RegistryMode};
use hubshift_domain::id::{FleetId, HubId, IdError};
use hubshift_store::StoreError;
use sqlx::{PgConnection, PgPool};

use super::{canary, fleet, unsigned};
use crate::table::{CanaryEntry, DebtEntry, FleetFacts, HubEntry, Read};

/// Reads everything at one moment.
pub(crate) async fn read(pool: &PgPool) -> Result<Read, StoreError> {
    let mut tx = pool
        .begin_with("begin isolation level repeatable read read only")
        .await?;
    let now = sqlx::query_scalar!(r#"select now() as "now!""#)
        .fetch_one(&mut *tx)
        .await?;
    let hubs = hubs(&mut tx).await?;
    let debts = debts(&mut tx).await?;
    let canaries = canaries(&mut tx).await?;
    let fleets = fleets(&mut tx, hubs, debts, canaries).await?;
    let routes = routes(&mut tx).await?;
    tx.commit().await?;
    Ok(Read {
        now,
        fleets,
        routes,
    })
}

type ByFleet<T> = HashMap<String, Vec<T>>;

async fn fleets(
    connection: &mut PgConnection,
    mut hubs: ByFleet<HubEntry>,
    mut debts: ByFleet<DebtEntry>,
    mut canaries: HashMap<String, CanaryEntry>,
) -> Result<Vec<FleetFacts>, StoreError> {
    let rows = sqlx::query!(
        r#"select c.fleet_id, c.display_name, c.home_hub_id, c.device_count,
                  c.utilisation_percent, c.poll_after_ms, c.on_unreachable, c.waves,
                  c.routing_version, c.revision, c.create_time, a.epoch, a.active_hub_id,
                  a.revision as authority_revision,
                  greatest(c.update_time, a.update_time) as "update_time!",
                  case when a.registry_mode = 'frozen' and a.frozen_until <= now() then 'open'
                       else a.registry_mode end as "registry_mode!",
                  coalesce(e.open_time, c.create_time) as "epoch_opened!",
                  coalesce((select max(w.epoch) from concierge.epoch_witness w
                             where w.fleet_id = c.fleet_id), 0) as "witnessed!"
             from concierge.fleet c
             join authority.fleet a on a.fleet_id = c.fleet_id
             left join concierge.epoch e on e.fleet_id = c.fleet_id and e.epoch = a.epoch
            order by c.fleet_id"#
    )
    .fetch_all(connection)
    .await?;
    let mut fleets = Vec::with_capacity(rows.len());
    for row in rows {
        fleets.push(FleetFacts {
            hubs: hubs.remove(&row.fleet_id).unwrap_or_default(),
            debts: debts.remove(&row.fleet_id).unwrap_or_default(),
            canary: canaries.remove(&row.fleet_id),
            waves: fleet::waves(&row.waves),
            fleet_id: FleetId::new(row.fleet_id).map_err(corrupt)?,
            display_name: row.display_name,
            home_hub: HubId::new(row.home_hub_id).map_err(corrupt)?,
            active_hub: HubId::new(row.active_hub_id).map_err(corrupt)?,
            epoch: Epoch::from_i64(row.epoch),
            routing_version: unsigned(row.routing_version),
            registry_mode: RegistryMode::parse(&row.registry_mode)
                .unwrap_or(RegistryMode::Settling),
            device_count: unsigned(row.device_count),
            utilisation_percent: u8::try_from(row.utilisation_percent).unwrap_or(1),
            poll_after: millis(row.poll_after_ms),
            on_unreachable: row.on_unreachable.into(),
            epoch_opened: row.epoch_opened,
            create_time: row.create_time,
            update_time: row.update_time,
            revision: unsigned(row.revision),
            authority_revision: unsigned(row.authority_revision),
            is_forgotten: row.witnessed > row.epoch,
        });
    }
    Ok(fleets)
}

async fn hubs(connection: &mut PgConnection) -> Result<ByFleet<HubEntry>, StoreError> {
    let rows = sqlx::query!(
        "select h.fleet_id, h.hub_id, h.hub_index, a.state, h.region, h.host, h.service_host,
                h.event_endpoint, h.labels, h.admission_per_second, a.call_deadline_ms,
                a.read_lag_ms
           from concierge.hub h
           join authority.hub a on a.fleet_id = h.fleet_id and a.hub_id = h.hub_id
          order by h.fleet_id, h.hub_index"
    )
    .fetch_all(connection)
    .await?;
    let mut hubs = ByFleet::new();
    for row in rows {
        let hub = HubEntry {
            hub_id: HubId::new(row.hub_id).map_err(corrupt)?,
            index: u16::try_from(row.hub_index).unwrap_or(0),
            state: HubState::parse(&row.state).unwrap_or(HubState::Quarantined),
            region: row.region,
            host: row.host,
            service_host: row.service_host,
            event_endpoint: row.event_endpoint,
            labels: serde_json::from_value::<BTreeMap<_, _>>(row.labels).unwrap_or_default(),
            admission_per_second: u32::try_from(row.admission_per_second).unwrap_or(1),
            call_deadline: millis(row.call_deadline_ms),
            read_lag: millis(row.read_lag_ms),
        };
        hubs.entry(row.fleet_id).or_default().push(hub);
    }
    Ok(hubs)
}

async fn debts(connection: &mut PgConnection) -> Result<ByFleet<DebtEntry>, StoreError> {
    let rows = sqlx::query!(
        "select fleet_id, kind, hub_id, failover_id, epoch, create_time
           from concierge.debt where pay_time is null
          order by fleet_id, create_time, kind, hub_id, epoch"
    )
    .fetch_all(connection)
    .await?;
    let mut debts = ByFleet::new();
    for row in rows {
        let debt = DebtEntry {
            kind: row.kind,
            hub: HubId::new(row.hub_id).map_err(corrupt)?,
            failover: row.failover_id,
            epoch: Epoch::from_i64(row.epoch),
            create_time: row.create_time,
        };
        debts.entry(row.fleet_id).or_default().push(debt);
    }
    Ok(debts)
}

/// The canaries that run. One that this binary can't read is none.
async fn canaries(
    connection: &mut PgConnection,
) -> Result<HashMap<String, CanaryEntry>, StoreError> {
    let rows = canary::all_running(connection).await?;
    let readable = rows.into_iter().filter_map(|row| {
        let entry = row.entry().ok()?;
        Some((row.fleet_id, entry))
    });
    Ok(readable.collect())
}

/// Routes of the current epochs and routing versions that are still good, newest first.
async fn routes(
    connection: &mut PgConnection,
) -> Result<HashMap<FleetId, Vec<String>>, StoreError> {
    let rows = sqlx::query!(
        "select r.fleet_id, r.jws
           from concierge.route r
           join concierge.fleet c
             on c.fleet_id = r.fleet_id and c.routing_version = r.routing_version
           join authority.fleet a on a.fleet_id = r.fleet_id and a.epoch = r.epoch
          where r.not_after > now()
          order by r.fleet_id, r.issue_time desc"
    )
    .fetch_all(connection)
    .await?;
    let mut routes: HashMap<FleetId, Vec<String>> = HashMap::new();
    for row in rows {
        let fleet = FleetId::new(row.fleet_id).map_err(corrupt)?;
        routes.entry(fleet).or_default().push(row.jws);
    }
    Ok(routes)
}

/// An id that no request could have stored.
fn corrupt(error: IdError) -> StoreError {
    StoreError::Bug(sqlx::Error::Decode(error.into()))
}

fn millis(number: i64) -> Duration {
    Duration::from_millis(unsigned(number))
}
