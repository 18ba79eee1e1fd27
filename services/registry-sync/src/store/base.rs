//! `registry.base`: what was last verified equal at the active hub and at a standby.
//!
//! Rows are written for both hubs of the pair, so that whichever of them is lost later, the other
//! one's row is the merge base. Kept true: a row advances only when both sides were read and are
//! equal (I17), and never while a hold is open. A restore sets rows back to what the backup has, so
//! that what it writes is known to be old.

use hubshift_domain::epoch::Epoch;
use hubshift_domain::id::HubId;
use hubshift_domain::identity::{CANON_VERSION, Fingerprint, Record, Stamp};
use hubshift_store::StoreError;
use serde_json::Value;
use sqlx::PgExecutor;
use time::OffsetDateTime;

use super::observed::{RecordColumns, fingerprint};
use crate::authority::damaged;

/// A merge base.
#[derive(Debug, Clone)]
pub(crate) struct Base {
    pub(crate) device_id: String,
    pub(crate) incarnation: u32,
    pub(crate) record: Record,
    pub(crate) sealed: Vec<u8>,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) stamp: Stamp,
    /// The open conflict that holds the device: at the hubs it is disabled, here it is not.
    pub(crate) hold: Option<String>,
    pub(crate) verify_time: OffsetDateTime,
}

/// Which pair of hubs, and the stamp of what we find there and did not write.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pair<'a> {
    pub(crate) fleet: &'a str,
    /// The authority.
    pub(crate) source: &'a str,
    /// The standby.
    pub(crate) target: &'a str,
    /// The epoch of what is found at the authority.
    pub(crate) found_epoch: i64,
}

/// Advances the bases of all devices in `(after, up_to]` that are equal at both hubs and whose
/// base does not say so yet. Returns how many devices' rows were written.
pub(crate) async fn advance(
    executor: impl PgExecutor<'_>,
    pair: Pair<'_>,
    after: &str,
    up_to: Option<&str>,
) -> Result<u64, StoreError> {
    let done = sqlx::query!(
        "with equal as (
             select s.device_id, s.incarnation, s.enabled, s.status_reason, s.credential_kind,
                    s.credential_fingerprint, s.sealed_credential, s.iot_edge, s.parent,
                    s.managed_by, s.tags, s.desired, s.canon_version, s.fingerprint, s.read_time
               from registry.observed s
               join registry.observed t
                 on t.fleet_id = s.fleet_id and t.hub_id = $3 and t.device_id = s.device_id
               left join registry.base bs
                 on bs.fleet_id = s.fleet_id and bs.hub_id = $2 and bs.device_id = s.device_id
               left join registry.base bt
                 on bt.fleet_id = s.fleet_id and bt.hub_id = $3 and bt.device_id = s.device_id
              where s.fleet_id = $1 and s.hub_id = $2
                and s.device_id > $5 and ($6::text is null or s.device_id <= $6)
                and s.missing_count = 0 and t.missing_count = 0
                and s.fingerprint = t.fingerprint and s.canon_version = t.canon_version
                and s.incarnation = t.incarnation
                and bs.hold is null and bt.hold is null
                and (bs.device_id is null or bs.fingerprint <> s.fingerprint
                     or bs.incarnation <> s.incarnation or bs.verify_time < s.read_time
                     or bt.device_id is null or bt.fingerprint <> s.fingerprint
                     or bt.incarnation <> s.incarnation or bt.verify_time < s.read_time)),
         stamped as (
             select e.*, coalesce(j.epoch, $4) as stamp_epoch,
                    coalesce(j.sequence, 0) as stamp_sequence,
                    coalesce(j.hub_id, $2) as stamp_origin
               from equal e
               left join lateral (
                    select j.epoch, j.sequence, j.hub_id from registry.journal j
                     where j.fleet_id = $1 and j.device_id = e.device_id and j.state = 'done'
                       and j.fingerprint = e.fingerprint
                     order by j.sequence desc limit 1) j on true)
         insert into registry.base as b
             (fleet_id, hub_id, device_id, incarnation, enabled, status_reason, credential_kind,
              credential_fingerprint, sealed_credential, iot_edge, parent, managed_by, tags,
              desired, canon_version, fingerprint, stamp_epoch, stamp_sequence, stamp_origin,
              verify_time)
         select $1, h.hub_id, e.device_id, e.incarnation, e.enabled, e.status_reason,
                e.credential_kind, e.credential_fingerprint, e.sealed_credential, e.iot_edge,
                e.parent, e.managed_by, e.tags, e.desired, e.canon_version, e.fingerprint,
                e.stamp_epoch, e.stamp_sequence, e.stamp_origin, e.read_time
           from stamped e cross join unnest(array[$2, $3]::text[]) as h(hub_id)
          order by e.device_id, h.hub_id
         on conflict on constraint registry_base_pk do update
            set incarnation = excluded.incarnation, enabled = excluded.enabled,
                status_reason = excluded.status_reason,
                credential_kind = excluded.credential_kind,
                credential_fingerprint = excluded.credential_fingerprint,
                sealed_credential = excluded.sealed_credential, iot_edge = excluded.iot_edge,
                parent = excluded.parent, managed_by = excluded.managed_by,
                tags = excluded.tags, desired = excluded.desired,
                canon_version = excluded.canon_version, fingerprint = excluded.fingerprint,
                stamp_epoch = case when b.fingerprint = excluded.fingerprint
                                        and excluded.stamp_sequence = 0
                                   then b.stamp_epoch else excluded.stamp_epoch end,
                stamp_sequence = case when b.fingerprint = excluded.fingerprint
                                           and excluded.stamp_sequence = 0
                                      then b.stamp_sequence else excluded.stamp_sequence end,
                stamp_origin = case when b.fingerprint = excluded.fingerprint
                                         and excluded.stamp_sequence = 0
                                    then b.stamp_origin else excluded.stamp_origin end,
                verify_time = excluded.verify_time
          where b.hold is null",
        pair.fleet,
        pair.source,
        pair.target,
        pair.found_epoch,
        after,
        up_to
    )
    .execute(executor)
    .await?;
    Ok(done.rows_affected() / 2)
}

/// The bases of these devices at a hub, in order of their ids.
pub(crate) async fn get_many(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    hub: &str,
    devices: &[String],
) -> Result<Vec<Base>, StoreError> {
    let rows = sqlx::query!(
        "select device_id, incarnation, enabled, status_reason, credential_kind,
                credential_fingerprint, sealed_credential, iot_edge, parent, managed_by, tags,
                desired, fingerprint, stamp_epoch, stamp_sequence, stamp_origin, hold, verify_time
           from registry.base
          where fleet_id = $1 and hub_id = $2 and device_id = any($3) order by device_id",
        fleet,
        hub,
        devices
    )
    .fetch_all(executor)
    .await?;
    rows.into_iter()
        .map(|row| {
            let record = RecordColumns {
                enabled: row.enabled,
                status_reason: row.status_reason,
                credential_kind: row.credential_kind,
                credential_fingerprint: row.credential_fingerprint,
                iot_edge: row.iot_edge,
                parent: row.parent,
                managed_by: row.managed_by,
                tags: row.tags,
                desired: row.desired,
            };
            Ok(Base {
                device_id: row.device_id,
                incarnation: u32::try_from(row.incarnation).unwrap_or(1),
                record: record.into_record()?,
                sealed: row.sealed_credential,
                fingerprint: fingerprint(&row.fingerprint)?,
                stamp: Stamp {
                    epoch: Epoch::from_i64(row.stamp_epoch),
                    sequence: row.stamp_sequence,
                    origin: HubId::new(row.stamp_origin).map_err(|_| damaged("stamp_origin"))?,
                },
                hold: row.hold,
                verify_time: row.verify_time,
            })
        })
        .collect()
}

/// Writes one device's base at one hub, both sides having been verified by the caller.
pub(crate) async fn put(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    hub: &str,
    base: &Base,
) -> Result<(), StoreError> {
    let record = &base.record;
    sqlx::query!(
        "insert into registry.base
             (fleet_id, hub_id, device_id, incarnation, enabled, status_reason, credential_kind,
              credential_fingerprint, sealed_credential, iot_edge, parent, tags, desired,
              canon_version, fingerprint, stamp_epoch, stamp_sequence, stamp_origin, hold,
              verify_time, managed_by)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
                 $19, $20, $21)
         on conflict on constraint registry_base_pk do update
            set incarnation = excluded.incarnation, enabled = excluded.enabled,
                status_reason = excluded.status_reason,
                credential_kind = excluded.credential_kind,
                credential_fingerprint = excluded.credential_fingerprint,
                sealed_credential = excluded.sealed_credential, iot_edge = excluded.iot_edge,
                parent = excluded.parent, managed_by = excluded.managed_by,
                tags = excluded.tags, desired = excluded.desired,
                canon_version = excluded.canon_version, fingerprint = excluded.fingerprint,
                stamp_epoch = excluded.stamp_epoch, stamp_sequence = excluded.stamp_sequence,
                stamp_origin = excluded.stamp_origin, hold = excluded.hold,
                verify_time = excluded.verify_time",
        fleet,
        hub,
        base.device_id,
        i32::try_from(base.incarnation).unwrap_or(i32::MAX),
        record.enabled,
        record.status_reason,
        record.credential.kind.as_str(),
        &record.credential.fingerprint.0[..],
        base.sealed,
        record.iot_edge,
        record.parent,
        Value::Object(record.tags.clone()),
        Value::Object(record.desired.clone()),
        CANON_VERSION,
        &base.fingerprint.0[..],
        base.stamp.epoch.as_i64(),
        base.stamp.sequence,
        base.stamp.origin.as_str(),
        base.hold,
        base.verify_time,
        record.managed_by
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Removes the bases of what is buried and known to be gone at both hubs of a pair.
pub(crate) async fn remove_buried(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    source: &str,
    target: &str,
) -> Result<u64, StoreError> {
    let done = sqlx::query!(
        "delete from registry.base b
          using registry.tombstone t
          where b.fleet_id = $1 and b.hub_id in ($2, $3) and t.fleet_id = $1
            and t.device_id = b.device_id and t.incarnation >= b.incarnation
            and t.acked_by @> array[$2, $3]::text[]",
        fleet,
        source,
        target
    )
    .execute(executor)
    .await?;
    Ok(done.rows_affected())
}

/// Devices after `after` that the base of a hub knows, of which nothing was observed there, and
/// that nobody deleted.
pub(crate) async fn unobserved(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    hub: &str,
    after: &str,
    limit: i64,
) -> Result<Vec<String>, StoreError> {
    let devices = sqlx::query_scalar!(
        "select b.device_id from registry.base b
          where b.fleet_id = $1 and b.hub_id = $2 and b.device_id > $3
            and not exists (
                select from registry.observed o
                 where o.fleet_id = $1 and o.hub_id = $2 and o.device_id = b.device_id)
            and not exists (
                select from registry.tombstone t
                 where t.fleet_id = $1 and t.device_id = b.device_id
                   and t.incarnation >= b.incarnation)
          order by b.device_id limit $4",
        fleet,
        hub,
        after,
        limit
    )
    .fetch_all(executor)
    .await?;
    Ok(devices)
}
