//! Items: what a merge knows of each device at which not all were equal, and what it makes of it.
//!
//! Kept true: a planning round writes over items, and an item that was applied keeps the number
//! of its generation, so that the conflicts of what was applied stay.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hubshift_api::sides::{Credentials, SealedTriple};
use hubshift_domain::id::DeviceId;
use hubshift_domain::identity::Fingerprint;
use hubshift_domain::merge::{ConflictKind, MergedKey, Side, Triple};
use hubshift_store::StoreError;
use serde_json::{Map, Value};
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::damaged;

/// An item that is planned.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) sealed: SealedTriple,
    pub(crate) key: MergedKey,
}

/// An item as it is stored.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) device: DeviceId,
    pub(crate) round: i32,
    pub(crate) generation: i32,
    pub(crate) triple: Triple,
    pub(crate) merged: Side,
    pub(crate) credentials: Credentials,
    pub(crate) primary_before: Vec<u8>,
    pub(crate) secondary_before: Vec<u8>,
    /// What both hubs show since it was applied, if that is known.
    pub(crate) applied_print: Option<Vec<u8>>,
    pub(crate) scope_fault: Option<ConflictKind>,
    pub(crate) is_withheld: bool,
    pub(crate) is_apart: bool,
    pub(crate) state: String,
}

struct Row {
    device_id: String,
    round: i32,
    generation: i32,
    triple: Json<Triple>,
    merged: Json<Side>,
    sealed: Value,
    primary_before: Vec<u8>,
    secondary_before: Vec<u8>,
    applied_print: Option<Vec<u8>>,
    scope_fault: Option<String>,
    is_withheld: bool,
    is_apart: bool,
    state: String,
}

impl TryFrom<Row> for Item {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let device = DeviceId::new(row.device_id).map_err(|error| damaged("device_id", error))?;
        let fault = row.scope_fault.as_deref();
        Ok(Self {
            credentials: opened(&row.sealed)
                .ok_or_else(|| damaged("sealed", "not base64 by fingerprint"))?,
            device,
            round: row.round,
            generation: row.generation,
            triple: row.triple.0,
            merged: row.merged.0,
            primary_before: row.primary_before,
            secondary_before: row.secondary_before,
            applied_print: row.applied_print,
            scope_fault: fault.and_then(ConflictKind::parse),
            is_withheld: row.is_withheld,
            is_apart: row.is_apart,
            state: row.state,
        })
    }
}

impl Item {
    /// The fingerprint that a hub shows which holds `side`, if a hub showed it before.
    pub(crate) fn print_of(&self, side: &Side) -> Option<&[u8]> {
        let (primary, secondary) = (&self.triple.primary, &self.triple.secondary);
        match side.live() {
            None => Some(&[]),
            Some(_) if side.same(primary) => Some(&self.primary_before),
            Some(_) if side.same(secondary) => Some(&self.secondary_before),
            Some(_) => None,
        }
    }
}

/// Sealed credentials as they are stored.
fn closed(credentials: &Credentials) -> Value {
    let pair = |(print, sealed): (&Fingerprint, &prost::bytes::Bytes)| {
        (print.to_string(), Value::String(STANDARD.encode(sealed)))
    };
    Value::Object(credentials.iter().map(pair).collect::<Map<_, _>>())
}

fn opened(stored: &Value) -> Option<Credentials> {
    let pair = |(print, sealed): (&String, &Value)| {
        let number = u128::from_str_radix(print, 16).ok()?;
        let sealed = STANDARD.decode(sealed.as_str()?).ok()?;
        Some((Fingerprint(number.to_be_bytes()), sealed.into()))
    };
    stored.as_object()?.iter().map(pair).collect()
}

/// Whether the hubs stay different because nothing is written.
fn is_apart(planned: &Planned) -> bool {
    let triple = &planned.sealed.triple;
    planned.key.withheld && !triple.primary.same(&triple.secondary)
}

/// Writes items of a round; each waits to be applied.
pub(crate) async fn put(
    connection: &mut PgConnection,
    merge_id: Uuid,
    round: i32,
    items: &[Planned],
) -> Result<(), StoreError> {
    let triples = json_all(items, |item| serde_json::to_value(&item.sealed.triple))?;
    let merged = json_all(items, |item| serde_json::to_value(&item.key.merged))?;
    let sealed: Vec<Value> = items.iter().map(|item| closed(&item.sealed.credentials)).collect();
    let print = |print: Option<Fingerprint>| print.map(|p| p.0.to_vec()).unwrap_or_default();
    sqlx::query!(
        "insert into merge.item
                (merge_id, round, device_id, triple, merged, sealed, primary_before,
                 secondary_before, is_withheld, is_apart)
         select $1, $2, d.*
           from unnest($3::text[], $4::jsonb[], $5::jsonb[], $6::jsonb[], $7::bytea[],
                       $8::bytea[], $9::boolean[], $10::boolean[]) as d
         on conflict on constraint merge_item_pk do update
            set round = excluded.round, triple = excluded.triple, merged = excluded.merged,
                sealed = excluded.sealed, primary_before = excluded.primary_before,
                secondary_before = excluded.secondary_before,
                is_withheld = excluded.is_withheld, is_apart = excluded.is_apart,
                scope_fault = null, rank = 0, state = 'planned', detail = ''",
        merge_id,
        round,
        &names(items),
        &triples,
        &merged,
        &sealed,
        &items.iter().map(|item| print(item.sealed.primary_before)).collect::<Vec<_>>(),
        &items.iter().map(|item| print(item.sealed.secondary_before)).collect::<Vec<_>>(),
        &items.iter().map(|item| item.key.withheld).collect::<Vec<_>>(),
        &items.iter().map(is_apart).collect::<Vec<_>>()
    )
    .execute(connection)
    .await?;
    Ok(())
}

fn names(items: &[Planned]) -> Vec<String> {
    items.iter().map(|item| item.sealed.device.to_string()).collect()
}

fn json_all(
    items: &[Planned],
    json: impl Fn(&Planned) -> serde_json::Result<Value>,
) -> Result<Vec<Value>, StoreError> {
    let encoded = items.iter().map(json).collect::<Result<_, _>>();
    encoded.map_err(|error| StoreError::Bug(sqlx::Error::Encode(error.into())))
}

/// Writes what an item became after a decision or a look at the hierarchy.
pub(crate) async fn update(
    connection: &mut PgConnection,
    merge_id: Uuid,
    item: &Item,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update merge.item
            set merged = $3, is_withheld = $4, is_apart = $5, scope_fault = $6
          where merge_id = $1 and device_id = $2",
        merge_id,
        item.device.as_str(),
        Json(&item.merged) as _,
        item.is_withheld,
        item.is_apart,
        item.scope_fault.map(ConflictKind::as_str)
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// How often each of these devices was applied in this merge.
pub(crate) async fn generations(
    connection: &mut PgConnection,
    merge_id: Uuid,
    devices: &[String],
) -> Result<HashMap<String, i32>, StoreError> {
    let rows = sqlx::query!(
        "select device_id, generation from merge.item
          where merge_id = $1 and device_id = any($2)",
        merge_id,
        devices
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.device_id, row.generation)).collect())
}

/// The devices of a round's end: those that it did not see are equal by now.
pub(crate) async fn forget_unseen(
    connection: &mut PgConnection,
    merge_id: Uuid,
    round: i32,
) -> Result<(), StoreError> {
    sqlx::query!(
        "delete from merge.item
          where merge_id = $1 and round < $2 and state <> 'applied' and generation = 0",
        merge_id,
        round
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "update merge.item set state = 'applied', detail = ''
          where merge_id = $1 and round < $2 and state <> 'applied'",
        merge_id,
        round
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Items after `after`, by the bytes of their ids.
pub(crate) async fn page(
    connection: &mut PgConnection,
    merge_id: Uuid,
    after: &str,
    limit: i64,
) -> Result<Vec<Item>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        r#"select device_id, round, generation, triple as "triple: Json<Triple>",
                  merged as "merged: Json<Side>", sealed, primary_before, secondary_before,
                  applied_print, scope_fault, is_withheld, is_apart, state
             from merge.item
            where merge_id = $1 and device_id collate "C" > $2
            order by device_id collate "C" limit $3"#,
        merge_id,
        after,
        limit
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(Item::try_from).collect()
}

/// Reads one item.
pub(crate) async fn get(
    connection: &mut PgConnection,
    merge_id: Uuid,
    device: &str,
) -> Result<Option<Item>, StoreError> {
    let row = sqlx::query_as!(
        Row,
        r#"select device_id, round, generation, triple as "triple: Json<Triple>",
                  merged as "merged: Json<Side>", sealed, primary_before, secondary_before,
                  applied_print, scope_fault, is_withheld, is_apart, state
             from merge.item where merge_id = $1 and device_id = $2"#,
        merge_id,
        device
    )
    .fetch_optional(connection)
    .await?;
    row.map(Item::try_from).transpose()
}

/// The next items to apply, all of one rank.
pub(crate) async fn next_open(
    connection: &mut PgConnection,
    merge_id: Uuid,
    limit: i64,
) -> Result<Vec<Item>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        r#"select device_id, round, generation, triple as "triple: Json<Triple>",
                  merged as "merged: Json<Side>", sealed, primary_before, secondary_before,
                  applied_print, scope_fault, is_withheld, is_apart, state
             from merge.item
            where merge_id = $1 and state = 'planned' and not is_withheld
              and rank = (select min(rank) from merge.item
                           where merge_id = $1 and state = 'planned' and not is_withheld)
            order by device_id collate "C" limit $2"#,
        merge_id,
        limit
    )
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(Item::try_from).collect()
}

/// Both hubs are as merged; `print` is what they show, if that is known.
pub(crate) async fn applied(
    connection: &mut PgConnection,
    merge_id: Uuid,
    device: &str,
    merged: &Side,
    print: Option<&[u8]>,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update merge.item
            set state = 'applied', detail = '', merged = $3, applied_print = $4,
                generation = generation + case when state = 'applied' then 0 else 1 end
          where merge_id = $1 and device_id = $2",
        merge_id,
        device,
        Json(merged) as _,
        print
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A hub refused an item, or is not as it was planned.
pub(crate) async fn not_applied(
    connection: &mut PgConnection,
    merge_id: Uuid,
    device: &str,
    state: &str,
    detail: &str,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update merge.item set state = $3, detail = $4
          where merge_id = $1 and device_id = $2 and state = 'planned'",
        merge_id,
        device,
        state,
        detail
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Items in a state: how many, and the first of them with what was said.
pub(crate) async fn in_state(
    connection: &mut PgConnection,
    merge_id: Uuid,
    state: &str,
    limit: i64,
) -> Result<(u64, Vec<(String, String)>), StoreError> {
    let rows = sqlx::query!(
        r#"select device_id, detail, count(*) over () as "count!" from merge.item
            where merge_id = $1 and state = $2 order by device_id limit $3"#,
        merge_id,
        state,
        limit
    )
    .fetch_all(connection)
    .await?;
    let count = rows.first().map_or(0, |row| super::unsigned(row.count));
    Ok((count, rows.into_iter().map(|row| (row.device_id, row.detail)).collect()))
}

/// Devices at which nothing is written although the hubs differ: the first of them.
pub(crate) async fn apart(
    connection: &mut PgConnection,
    merge_id: Uuid,
    limit: i64,
) -> Result<Vec<String>, StoreError> {
    let devices = sqlx::query_scalar!(
        "select device_id from merge.item
          where merge_id = $1 and is_apart and state = 'planned' order by device_id limit $2",
        merge_id,
        limit
    )
    .fetch_all(connection)
    .await?;
    Ok(devices)
}

/// A device's place in the hierarchy.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) device: String,
    /// Whether it lives after the merge.
    pub(crate) is_live: bool,
    /// Its parent after the merge; of one that goes, the parent that it had.
    pub(crate) parent: Option<String>,
    pub(crate) scope_fault: Option<String>,
    pub(crate) rank: i32,
}

/// The places of all devices of a merge.
pub(crate) async fn places(
    connection: &mut PgConnection,
    merge_id: Uuid,
) -> Result<Vec<Place>, StoreError> {
    let places = sqlx::query_as!(
        Place,
        r#"select device_id as device, coalesce(merged ? 'live', false) as "is_live!",
                  case when merged ? 'live' then merged -> 'live' -> 'record' ->> 'parent'
                       else coalesce(triple -> 'secondary' -> 'live' -> 'record' ->> 'parent',
                                     triple -> 'primary' -> 'live' -> 'record' ->> 'parent')
                   end as parent,
                  scope_fault, rank
             from merge.item where merge_id = $1"#,
        merge_id
    )
    .fetch_all(connection)
    .await?;
    Ok(places)
}

/// Writes the order in which items are applied.
pub(crate) async fn set_ranks(
    connection: &mut PgConnection,
    merge_id: Uuid,
    devices: &[String],
    ranks: &[i32],
) -> Result<(), StoreError> {
    sqlx::query!(
        "update merge.item i set rank = d.rank
           from unnest($2::text[], $3::integer[]) as d (device_id, rank)
          where i.merge_id = $1 and i.device_id = d.device_id",
        merge_id,
        devices,
        ranks
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Whether a later merge of the fleet applied this device.
pub(crate) async fn was_merged_later(
    connection: &mut PgConnection,
    fleet: &str,
    merge_id: Uuid,
    device: &str,
) -> Result<bool, StoreError> {
    let later = sqlx::query_scalar!(
        r#"select exists (
               select from merge.item i join merge.merge m using (merge_id)
                where m.fleet_id = $1 and i.device_id = $3 and m.merge_id > $2
                  and i.generation > 0) as "later!""#,
        fleet,
        merge_id,
        device
    )
    .fetch_one(connection)
    .await?;
    Ok(later)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sealed_credentials_read_back() {
        let pair = (Fingerprint([0xa5; 16]), prost::bytes::Bytes::from_static(b"\x00sealed"));
        let credentials: Credentials = [pair].into_iter().collect();
        assert_eq!(opened(&closed(&credentials)), Some(credentials));
        assert_eq!(opened(&serde_json::json!({"xyz": "AA=="})), None);
    }
}
