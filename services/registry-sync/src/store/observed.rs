//! `registry.observed`: what each hub was last seen to hold.
//!
//! A row with `missing_count > 0` is not a device: it remembers that a device was there and that
//! so many complete scans in a row asked the hub for it in vain. Every read here but the ones
//! about missing rows leaves such rows out, and so must everybody's.
//!
//! Kept true: a row never goes back to an older read, whoever writes late.

mod marks;

use hubshift_domain::identity::{CANON_VERSION, Credential, CredentialKind, Fingerprint, Record};
use hubshift_store::StoreError;
use serde_json::{Map, Value};
use sqlx::PgExecutor;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::authority::damaged;
use crate::observe::Observed;

pub(crate) use marks::{
    already_read, mark_missing, mark_seen, mark_unchanged, modules_gone, rewound_by, unlisted,
};

/// The columns that a record is made of, shared with other tables of records.
pub(crate) struct RecordColumns {
    pub(crate) enabled: bool,
    pub(crate) status_reason: Option<String>,
    pub(crate) credential_kind: String,
    pub(crate) credential_fingerprint: Vec<u8>,
    pub(crate) iot_edge: bool,
    pub(crate) parent: Option<String>,
    pub(crate) managed_by: Option<String>,
    pub(crate) tags: Value,
    pub(crate) desired: Value,
}

impl RecordColumns {
    /// The record that the columns hold.
    pub(crate) fn into_record(self) -> Result<Record, StoreError> {
        let kind = CredentialKind::parse(&self.credential_kind);
        Ok(Record {
            enabled: self.enabled,
            status_reason: self.status_reason,
            credential: Credential {
                kind: kind.ok_or_else(|| damaged("credential_kind"))?,
                fingerprint: fingerprint(&self.credential_fingerprint)?,
            },
            iot_edge: self.iot_edge,
            parent: self.parent,
            managed_by: self.managed_by,
            tags: object(self.tags),
            desired: object(self.desired),
        })
    }
}

/// A stored fingerprint.
pub(crate) fn fingerprint(bytes: &[u8]) -> Result<Fingerprint, StoreError> {
    Fingerprint::from_slice(bytes).ok_or_else(|| damaged("fingerprint"))
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// Stores what was read at a hub. With a scan, the rows are marked as seen by it.
pub(crate) async fn upsert(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    hub: &str,
    scan_id: Option<Uuid>,
    rows: &[Observed],
) -> Result<(), StoreError> {
    let mut rows: Vec<&Observed> = rows.iter().collect();
    // One order for all writers, so that none of them waits for each other in a circle.
    rows.sort_by(|a, b| a.device_id.cmp(&b.device_id));
    let text = |of: fn(&Observed) -> &str| -> Vec<String> {
        rows.iter().map(|row| of(row).to_owned()).collect()
    };
    let reasons: Vec<Option<String>> = rows
        .iter()
        .map(|row| row.record.status_reason.clone())
        .collect();
    let parents: Vec<Option<String>> = rows.iter().map(|row| row.record.parent.clone()).collect();
    let managers: Vec<Option<String>> = rows
        .iter()
        .map(|row| row.record.managed_by.clone())
        .collect();
    let json = |of: fn(&Record) -> &Map<String, Value>| -> Vec<Value> {
        rows.iter()
            .map(|row| Value::Object(of(&row.record).clone()))
            .collect()
    };
    let incarnations: Vec<i32> = rows
        .iter()
        .map(|row| i32::try_from(row.incarnation).unwrap_or(i32::MAX))
        .collect();
    let versions: Vec<i64> = rows.iter().map(|row| row.twin_version).collect();
    let desired_versions: Vec<i64> = rows.iter().map(|row| row.desired_version).collect();
    let enabled: Vec<bool> = rows.iter().map(|row| row.record.enabled).collect();
    let edges: Vec<bool> = rows.iter().map(|row| row.record.iot_edge).collect();
    let credentials: Vec<Vec<u8>> = rows
        .iter()
        .map(|row| row.record.credential.fingerprint.0.to_vec())
        .collect();
    let sealed: Vec<Vec<u8>> = rows.iter().map(|row| row.sealed.clone()).collect();
    let prints: Vec<Vec<u8>> = rows.iter().map(|row| row.fingerprint.0.to_vec()).collect();
    let times: Vec<OffsetDateTime> = rows.iter().map(|row| row.read_time).collect();
    sqlx::query!(
        "insert into registry.observed as o
             (fleet_id, hub_id, device_id, generation_id, incarnation, identity_etag, twin_etag,
              twin_version, desired_version, enabled, status_reason, credential_kind,
              credential_fingerprint, sealed_credential, iot_edge, parent, managed_by, tags,
              desired, canon_version, fingerprint, scan_id, read_time, update_time)
         select $1, $2, r.device_id, r.generation_id, r.incarnation, r.identity_etag, r.twin_etag,
                r.twin_version, r.desired_version, r.enabled, r.status_reason, r.credential_kind,
                r.credential_fingerprint, r.sealed_credential, r.iot_edge, r.parent,
                r.managed_by, r.tags, r.desired, $3, r.fingerprint, $4, r.read_time,
                clock_timestamp()
           from unnest($5::text[], $6::text[], $7::integer[], $8::text[], $9::text[],
                       $10::bigint[], $11::bigint[], $12::boolean[], $13::text[], $14::text[],
                       $15::bytea[], $16::bytea[], $17::boolean[], $18::text[], $19::jsonb[],
                       $20::jsonb[], $21::bytea[], $22::timestamptz[], $23::text[])
                as r(device_id, generation_id, incarnation, identity_etag, twin_etag,
                     twin_version, desired_version, enabled, status_reason, credential_kind,
                     credential_fingerprint, sealed_credential, iot_edge, parent, tags,
                     desired, fingerprint, read_time, managed_by)
         on conflict on constraint registry_observed_pk do update
            set generation_id = excluded.generation_id, incarnation = excluded.incarnation,
                identity_etag = excluded.identity_etag, twin_etag = excluded.twin_etag,
                twin_version = excluded.twin_version, desired_version = excluded.desired_version,
                enabled = excluded.enabled, status_reason = excluded.status_reason,
                credential_kind = excluded.credential_kind,
                credential_fingerprint = excluded.credential_fingerprint,
                sealed_credential = excluded.sealed_credential, iot_edge = excluded.iot_edge,
                parent = excluded.parent, managed_by = excluded.managed_by,
                tags = excluded.tags, desired = excluded.desired,
                canon_version = excluded.canon_version, fingerprint = excluded.fingerprint,
                scan_id = greatest(o.scan_id, excluded.scan_id), missing_count = 0,
                read_time = excluded.read_time, update_time = excluded.update_time
          where o.read_time <= excluded.read_time",
        fleet,
        hub,
        CANON_VERSION,
        scan_id,
        &text(|row| &row.device_id),
        &text(|row| &row.generation_id),
        &incarnations,
        &text(|row| &row.identity_etag),
        &text(|row| &row.twin_etag),
        &versions,
        &desired_versions,
        &enabled,
        &reasons as &[Option<String>],
        &text(|row| row.record.credential.kind.as_str()),
        &credentials,
        &sealed,
        &edges,
        &parents as &[Option<String>],
        &json(|record| &record.tags),
        &json(|record| &record.desired),
        &prints,
        &times,
        &managers as &[Option<String>]
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// What a hub holds of these devices, in order of their ids.
pub(crate) async fn get_many(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    hub: &str,
    devices: &[String],
) -> Result<Vec<Observed>, StoreError> {
    let rows = sqlx::query!(
        "select device_id, generation_id, incarnation, identity_etag, twin_etag, twin_version,
                desired_version, enabled, status_reason, credential_kind, credential_fingerprint,
                sealed_credential, iot_edge, parent, managed_by, tags, desired, fingerprint,
                read_time
           from registry.observed
          where fleet_id = $1 and hub_id = $2 and missing_count = 0 and device_id = any($3)
          order by device_id",
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
            Ok(Observed {
                device_id: row.device_id,
                generation_id: row.generation_id,
                incarnation: u32::try_from(row.incarnation).unwrap_or(1),
                identity_etag: row.identity_etag,
                twin_etag: row.twin_etag,
                twin_version: row.twin_version,
                desired_version: row.desired_version,
                record: record.into_record()?,
                sealed: row.sealed_credential,
                fingerprint: fingerprint(&row.fingerprint)?,
                read_time: row.read_time,
            })
        })
        .collect()
}

/// What a hub holds of one device.
pub(crate) async fn get(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    hub: &str,
    device: &str,
) -> Result<Option<Observed>, StoreError> {
    Ok(get_many(executor, fleet, hub, &[device.to_owned()])
        .await?
        .pop())
}

/// Those of the keys that a hub holds.
pub(crate) async fn present(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    hub: &str,
    keys: &[String],
) -> Result<Vec<String>, StoreError> {
    let present = sqlx::query_scalar!(
        "select device_id from registry.observed
          where fleet_id = $1 and hub_id = $2 and missing_count = 0 and device_id = any($3)",
        fleet,
        hub,
        keys
    )
    .fetch_all(executor)
    .await?;
    Ok(present)
}

/// Forgets devices that are known to be gone since a read that began at `read_time`.
pub(crate) async fn remove(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    hub: &str,
    devices: &[String],
    read_time: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query!(
        "delete from registry.observed
          where fleet_id = $1 and hub_id = $2 and device_id = any($3) and read_time <= $4",
        fleet,
        hub,
        devices,
        read_time
    )
    .execute(executor)
    .await?;
    Ok(())
}

/// Notes that a hub said that it has no such device. Without a tombstone the row stays, as one that
/// is missing: it is the only evidence from which a deletion past us can be inferred.
pub(crate) async fn note_gone(
    connection: &mut sqlx::PgConnection,
    fleet: &str,
    hub: &str,
    devices: &[String],
    read_time: OffsetDateTime,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update registry.observed
            set missing_count = greatest(missing_count, 1)
          where fleet_id = $1 and hub_id = $2 and device_id = any($3) and read_time <= $4",
        fleet,
        hub,
        devices,
        read_time
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "delete from registry.observed o
          where fleet_id = $1 and hub_id = $2 and device_id = any($3) and read_time <= $4
            and exists (select from registry.tombstone t
                         where t.fleet_id = $1 and t.device_id = o.device_id
                           and t.incarnation >= o.incarnation and $2 = any(t.acked_by))",
        fleet,
        hub,
        devices,
        read_time
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// How many records a hub holds, and the exclusive or of their fingerprints. Modules of disabled
/// devices are not in that: nobody can make them equal before their devices are enabled.
pub(crate) async fn digest(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    hub: &str,
) -> Result<(i64, Fingerprint), StoreError> {
    let row = sqlx::query!(
        r#"select count(*) as "count!",
                  bit_xor(('x' || encode(o.fingerprint, 'hex'))::bit(128))
                      filter (where d.device_id is null)::text as digest
             from registry.observed o
             left join registry.observed d
               on d.fleet_id = $1 and d.hub_id = $2 and strpos(o.device_id, '/') > 1
              and d.device_id = split_part(o.device_id, '/', 1)
              and d.missing_count = 0 and not d.enabled
            where o.fleet_id = $1 and o.hub_id = $2 and o.missing_count = 0"#,
        fleet,
        hub
    )
    .fetch_one(executor)
    .await?;
    Ok((row.count, digest_of_bits(row.digest.as_deref())?))
}

/// How many devices a hub holds, without modules and configurations.
pub(crate) async fn device_count(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    hub: &str,
) -> Result<i64, StoreError> {
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from registry.observed
            where fleet_id = $1 and hub_id = $2 and missing_count = 0
              and strpos(device_id, '/') = 0"#,
        fleet,
        hub
    )
    .fetch_one(executor)
    .await?;
    Ok(count)
}

/// A digest as PostgreSQL prints 128 bits; nothing is the digest of no devices.
pub(crate) fn digest_of_bits(bits: Option<&str>) -> Result<Fingerprint, StoreError> {
    let Some(bits) = bits else {
        return Ok(Fingerprint::default());
    };
    let number = u128::from_str_radix(bits, 2).map_err(|_| damaged("digest"))?;
    Ok(Fingerprint(number.to_be_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_read_back_as_bytes_from_the_left() {
        let bits = format!("{:0128b}", 0x0102_u128 << 112);
        let digest = digest_of_bits(Some(&bits)).unwrap();
        assert_eq!(&digest.0[..3], &[1, 2, 0]);
        assert_eq!(digest_of_bits(None).unwrap(), Fingerprint::default());
        assert!(digest_of_bits(Some("x")).is_err());
    }
}
