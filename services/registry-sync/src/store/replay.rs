//! Which journaled writes a new active hub is not known to hold.
//!
//! Per device the last write of an older epoch that was acknowledged elsewhere. It is held when
//! the base that pairs the hub with the old authority is of that write or of a later read (a
//! deletion that a merge took back is such a case), or when the hub is known to have followed a
//! deletion as late as it. Writes without an answer are not in it: who made them repeats them.
//! Without a certain outcome they bury nothing either.

use hubshift_domain::identity::{Fingerprint, Record};
use hubshift_store::StoreError;
use sqlx::PgExecutor;

use super::observed::fingerprint;
use crate::authority::damaged;

/// A journaled write to repeat.
#[derive(Debug, Clone)]
pub(crate) struct Journaled {
    pub(crate) device_id: String,
    pub(crate) incarnation: u32,
    /// What the device is to be; nothing for a deletion.
    pub(crate) wanted: Option<(Record, Vec<u8>, Fingerprint)>,
}

/// The writes after device `after`, in order of the devices' ids.
pub(crate) async fn candidates(
    executor: impl PgExecutor<'_>,
    fleet: &str,
    target: &str,
    epoch: i64,
    after: &str,
    limit: i64,
) -> Result<Vec<Journaled>, StoreError> {
    let rows = sqlx::query!(
        r#"with latest as (
               select distinct on (j.device_id) j.*
                 from registry.journal j
                where j.fleet_id = $1 and j.state = 'done' and j.response is not null
                  and j.device_id > $4
                order by j.device_id, j.sequence desc)
           select l.device_id, coalesce(l.incarnation, 1) as "incarnation!",
                  l.operation, l.record, l.sealed_credential, l.fingerprint
             from latest l
            where l.epoch < $3 and l.hub_id <> $2
              and not exists (
                      select from registry.tombstone d
                       where d.fleet_id = $1 and d.device_id = l.device_id
                         and d.incarnation >= coalesce(l.incarnation, 1)
                         and case when l.operation = 'delete' then $2 = any(d.acked_by)
                                  else d.sequence = 0 or exists (
                                      select from registry.journal e
                                       where e.fleet_id = $1 and e.sequence = d.sequence
                                         and e.state = 'done') end)
              and not exists (
                      select from registry.base b
                       where b.fleet_id = $1 and b.hub_id = $2 and b.device_id = l.device_id
                         and (b.stamp_sequence >= l.sequence or b.verify_time > l.outcome_time))
            order by l.device_id limit $5"#,
        fleet,
        target,
        epoch,
        after,
        limit
    )
    .fetch_all(executor)
    .await?;
    rows.into_iter()
        .map(|row| {
            let wanted = match row.operation.as_str() {
                "delete" => None,
                _ => Some(wanted(row.record, row.sealed_credential, row.fingerprint)?),
            };
            Ok(Journaled {
                device_id: row.device_id,
                incarnation: u32::try_from(row.incarnation).unwrap_or(1),
                wanted,
            })
        })
        .collect()
}

fn wanted(
    record: Option<serde_json::Value>,
    sealed: Option<Vec<u8>>,
    print: Option<Vec<u8>>,
) -> Result<(Record, Vec<u8>, Fingerprint), StoreError> {
    let record = record.ok_or_else(|| damaged("a journaled record"))?;
    let record = serde_json::from_value(record).map_err(|_| damaged("a journaled record"))?;
    let sealed = sealed.ok_or_else(|| damaged("a journaled credential"))?;
    let print = fingerprint(&print.ok_or_else(|| damaged("a journaled fingerprint"))?)?;
    Ok((record, sealed, print))
}
