//! Keys at which base, recovered hub and active hub are not all equal, over several tables at
//! once, in the order of the bytes of their ids: the order in which a merge plans.

use hubshift_domain::epoch::Epoch;
use hubshift_domain::id::{FleetId, HubId};
use hubshift_domain::identity::{Incarnation, Stamp};
use hubshift_domain::merge::{Tombstone, TombstoneReason};
use hubshift_store::StoreError;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::authority::damaged;

/// Lets the rest of the transaction see one state of the database.
pub(crate) async fn pin(connection: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::query!("set transaction isolation level repeatable read, read only")
        .execute(connection)
        .await?;
    Ok(())
}

/// Whether a scan saw all of this hub.
pub(crate) async fn is_complete(
    connection: &mut PgConnection,
    fleet: &FleetId,
    hub: &HubId,
    scan: Uuid,
) -> Result<bool, StoreError> {
    let complete = sqlx::query_scalar!(
        r#"select exists (select from registry.scan
                           where scan_id = $1 and fleet_id = $2 and hub_id = $3
                             and state = 'complete') as "complete!""#,
        scan,
        fleet.as_str(),
        hub.as_str()
    )
    .fetch_one(connection)
    .await?;
    Ok(complete)
}

/// Ids after `after` at which not all are equal, or that a tombstone or a hold speaks of.
pub(crate) async fn keys(
    connection: &mut PgConnection,
    fleet: &FleetId,
    primary: &HubId,
    secondary: &HubId,
    after: &str,
    limit: i64,
) -> Result<Vec<String>, StoreError> {
    let keys = sqlx::query_scalar!(
        r#"with b as (
               select device_id, incarnation, fingerprint, hold from registry.base
                where fleet_id = $1 and hub_id = $2),
           p as (
               select device_id, incarnation, fingerprint from registry.observed
                where fleet_id = $1 and hub_id = $2 and missing_count = 0),
           s as (
               select device_id, incarnation, fingerprint from registry.observed
                where fleet_id = $1 and hub_id = $3 and missing_count = 0)
           select device_id as "device_id!"
             from b full join p using (device_id) full join s using (device_id)
            where device_id collate "C" > $4
              and (b.fingerprint is distinct from p.fingerprint
                   or s.fingerprint is distinct from p.fingerprint
                   or b.incarnation is distinct from p.incarnation
                   or s.incarnation is distinct from p.incarnation
                   or b.hold is not null
                   or exists (select from registry.tombstone t
                               where t.fleet_id = $1
                                 and t.device_id = coalesce(
                                         b.device_id, p.device_id, s.device_id)
                                 and t.incarnation >= least(
                                         b.incarnation, p.incarnation, s.incarnation)))
            order by device_id collate "C" limit $5"#,
        fleet.as_str(),
        primary.as_str(),
        secondary.as_str(),
        after,
        limit
    )
    .fetch_all(connection)
    .await?;
    Ok(keys)
}

/// Those of the keys that are modules of a device which is disabled at one of two hubs.
pub(crate) async fn out_of_reach(
    connection: &mut PgConnection,
    fleet: &FleetId,
    hubs: [&HubId; 2],
    keys: &[String],
) -> Result<Vec<String>, StoreError> {
    let modules = sqlx::query_scalar!(
        r#"select k.device_id as "device_id!"
             from unnest($4::text[]) as k(device_id)
            where strpos(k.device_id, '/') > 1
              and exists (select from registry.observed d
                           where d.fleet_id = $1 and d.hub_id in ($2, $3)
                             and d.device_id = split_part(k.device_id, '/', 1)
                             and d.missing_count = 0 and not d.enabled)"#,
        fleet.as_str(),
        hubs[0].as_str(),
        hubs[1].as_str(),
        keys
    )
    .fetch_all(connection)
    .await?;
    Ok(modules)
}

/// The latest tombstone of a device.
#[derive(Debug, Clone)]
pub(crate) struct Grave {
    /// Which device.
    pub(crate) device_id: String,
    /// What is known of its end.
    pub(crate) tombstone: Tombstone,
    /// Hubs at which it is known to be gone.
    pub(crate) acked_by: Vec<String>,
}

/// The latest tombstones of these devices.
pub(crate) async fn graves(
    connection: &mut PgConnection,
    fleet: &FleetId,
    devices: &[String],
) -> Result<Vec<Grave>, StoreError> {
    let rows = sqlx::query!(
        "select distinct on (device_id) device_id, incarnation, reason, epoch, sequence, origin,
                acked_by
           from registry.tombstone
          where fleet_id = $1 and device_id = any($2)
          order by device_id, incarnation desc",
        fleet.as_str(),
        devices
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|row| {
            let reason = TombstoneReason::parse(&row.reason).ok_or_else(|| damaged("reason"))?;
            let origin = HubId::new(row.origin).map_err(|_| damaged("origin"))?;
            let epoch = Epoch::from_i64(row.epoch);
            let stamp = Stamp {
                epoch,
                sequence: row.sequence,
                origin,
            };
            let incarnation = u32::try_from(row.incarnation).unwrap_or(1);
            Ok(Grave {
                device_id: row.device_id,
                tombstone: Tombstone {
                    incarnation,
                    stamp,
                    reason,
                },
                acked_by: row.acked_by,
            })
        })
        .collect()
}

/// Removes the tombstones that speak of this life of a device and that stood when both hubs were
/// looked at: an operator decided that it lives. A later one is a new deletion.
pub(crate) async fn exhume(
    connection: &mut PgConnection,
    fleet: &FleetId,
    device: &str,
    life: Incarnation,
    looked_at: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query!(
        "delete from registry.tombstone
          where fleet_id = $1 and device_id = $2 and incarnation >= $3 and create_time < $4",
        fleet.as_str(),
        device,
        life.cast_signed(),
        looked_at
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Whether a back end changes a device, or changed it since a time. A change at either of the two
/// hubs of which nobody knows the outcome counts: it may turn out to have happened.
pub(crate) async fn was_changed(
    connection: &mut PgConnection,
    fleet: &FleetId,
    hubs: [&HubId; 2],
    device: &str,
    since: OffsetDateTime,
) -> Result<bool, StoreError> {
    let changed = sqlx::query_scalar!(
        r#"select exists (
               select from registry.journal
                where fleet_id = $1 and device_id = $2
                  and (state = 'intent'
                       or (state = 'unknown' and hub_id in ($4, $5))
                       or (state = 'done' and outcome_time >= $3))) as "changed!""#,
        fleet.as_str(),
        device,
        since,
        hubs[0].as_str(),
        hubs[1].as_str()
    )
    .fetch_one(connection)
    .await?;
    Ok(changed)
}

/// Removes the bases of a device that is known to be at neither of two hubs.
pub(crate) async fn remove_bases(
    connection: &mut PgConnection,
    fleet: &FleetId,
    hubs: [&HubId; 2],
    device: &str,
) -> Result<(), StoreError> {
    sqlx::query!(
        "delete from registry.base
          where fleet_id = $1 and hub_id in ($2, $3) and device_id = $4",
        fleet.as_str(),
        hubs[0].as_str(),
        hubs[1].as_str(),
        device
    )
    .execute(connection)
    .await?;
    Ok(())
}
