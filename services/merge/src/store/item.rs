//! Items: what a merge knows of each device at which not all were equal, and what it makes of it.
//!
//! Kept true: a planning round writes over items, and an item that was applied, or may have been,
//! keeps the number of its generation, so that the conflicts of what was applied stay. So do the
//! sealed credentials of all that was ever planned from.

mod place;
mod progress;

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hubshift_api::sides::{Credentials, SealedTriple};
use hubshift_domain::id::RecordKey;
use hubshift_domain::identity::Fingerprint;
use hubshift_domain::merge::{Along, ConflictKind, MergedKey, Side, Triple};
use hubshift_store::StoreError;
use serde_json::{Map, Value};
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

pub(crate) use place::{Place, going_along, places, set_along, set_ranks};
pub(crate) use progress::{
    apart, applied, close_sent, forget_try, forget_unseen, in_state, later_sides, not_applied,
    sending,
};

use super::damaged;

/// An item that is planned.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) sealed: SealedTriple,
    pub(crate) key: MergedKey,
    /// Whether the hubs stay different because nothing is written.
    pub(crate) is_apart: bool,
}

/// An item as it is stored.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    pub(crate) device: RecordKey,
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
    /// How a module goes along with its device.
    pub(crate) along: Option<Along>,
    /// Whether it is a module that can be neither read nor written at one of the hubs.
    pub(crate) is_out_of_reach: bool,
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
    along: Option<String>,
    is_out_of_reach: bool,
    is_withheld: bool,
    is_apart: bool,
    state: String,
}

impl TryFrom<Row> for Item {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let device = RecordKey::new(row.device_id).map_err(|error| damaged("device_id", error))?;
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
            along: row.along.as_deref().and_then(Along::parse),
            is_out_of_reach: row.is_out_of_reach,
            is_withheld: row.is_withheld,
            is_apart: row.is_apart,
            state: row.state,
        })
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

/// Writes items of a round; each waits to be applied. One that was sent and is not applied counts
/// as applied before: nobody knows what the hubs hold of it.
pub(crate) async fn put(
    connection: &mut PgConnection,
    merge_id: Uuid,
    round: i32,
    items: &[Planned],
) -> Result<(), StoreError> {
    let triples = json_all(items, |item| serde_json::to_value(&item.sealed.triple))?;
    let merged = json_all(items, |item| serde_json::to_value(&item.key.merged))?;
    let sealed: Vec<Value> = items
        .iter()
        .map(|item| closed(&item.sealed.credentials))
        .collect();
    let print = |print: Option<Fingerprint>| print.map(|p| p.0.to_vec()).unwrap_or_default();
    sqlx::query!(
        "insert into merge.item
                (merge_id, round, device_id, triple, merged, sealed, primary_before,
                 secondary_before, is_withheld, is_apart, is_out_of_reach)
         select $1, $2, d.*
           from unnest($3::text[], $4::jsonb[], $5::jsonb[], $6::jsonb[], $7::bytea[],
                       $8::bytea[], $9::boolean[], $10::boolean[], $11::boolean[]) as d
         on conflict on constraint merge_item_pk do update
            set round = excluded.round, triple = excluded.triple, merged = excluded.merged,
                sealed = merge.item.sealed || excluded.sealed,
                primary_before = excluded.primary_before,
                secondary_before = excluded.secondary_before,
                is_withheld = excluded.is_withheld, is_apart = excluded.is_apart,
                is_out_of_reach = excluded.is_out_of_reach,
                scope_fault = null, along = null, rank = 0, state = 'planned', detail = '',
                generation = merge.item.generation + case
                    when merge.item.was_sent and merge.item.state <> 'applied' then 1 else 0 end,
                was_sent = false",
        merge_id,
        round,
        &names(items),
        &triples,
        &merged,
        &sealed,
        &items
            .iter()
            .map(|item| print(item.sealed.primary_before))
            .collect::<Vec<_>>(),
        &items
            .iter()
            .map(|item| print(item.sealed.secondary_before))
            .collect::<Vec<_>>(),
        &items
            .iter()
            .map(|item| item.key.withheld)
            .collect::<Vec<_>>(),
        &items.iter().map(|item| item.is_apart).collect::<Vec<_>>(),
        &items
            .iter()
            .map(|item| item.sealed.is_out_of_reach)
            .collect::<Vec<_>>()
    )
    .execute(connection)
    .await?;
    Ok(())
}

fn names(items: &[Planned]) -> Vec<String> {
    items
        .iter()
        .map(|item| item.sealed.device.to_string())
        .collect()
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
            set merged = $3, is_withheld = $4, is_apart = $5, scope_fault = $6, along = $7
          where merge_id = $1 and device_id = $2",
        merge_id,
        item.device.as_str(),
        Json(&item.merged) as _,
        item.is_withheld,
        item.is_apart,
        item.scope_fault.map(ConflictKind::as_str),
        item.along.map(Along::as_str)
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// What this merge did to a device before.
#[derive(Debug, Clone)]
pub(crate) struct Earlier {
    /// How often it was applied.
    pub(crate) generation: i32,
    /// What it is since; `None` when it waits to be applied.
    pub(crate) applied: Option<Side>,
    /// Whether it was sent and is not applied: a hub may have been written.
    pub(crate) is_sent: bool,
}

/// What this merge did to these devices before, in earlier rounds.
pub(crate) async fn earlier(
    connection: &mut PgConnection,
    merge_id: Uuid,
    devices: &[String],
) -> Result<HashMap<String, Earlier>, StoreError> {
    let rows = sqlx::query!(
        r#"select device_id, generation, state, was_sent, merged as "merged: Json<Side>"
             from merge.item where merge_id = $1 and device_id = any($2)"#,
        merge_id,
        devices
    )
    .fetch_all(connection)
    .await?;
    let rows = rows.into_iter().map(|row| {
        let applied = (row.state == "applied").then_some(row.merged.0);
        let earlier = Earlier {
            generation: row.generation,
            is_sent: row.was_sent && applied.is_none(),
            applied,
        };
        (row.device_id, earlier)
    });
    Ok(rows.collect())
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
                  applied_print, scope_fault, along, is_out_of_reach, is_withheld, is_apart, state
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
                  applied_print, scope_fault, along, is_out_of_reach, is_withheld, is_apart, state
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
                  applied_print, scope_fault, along, is_out_of_reach, is_withheld, is_apart, state
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sealed_credentials_read_back() {
        let pair = (
            Fingerprint([0xa5; 16]),
            prost::bytes::Bytes::from_static(b"\x00sealed"),
        );
        let credentials: Credentials = [pair].into_iter().collect();
        assert_eq!(opened(&closed(&credentials)), Some(credentials));
        assert_eq!(opened(&serde_json::json!({"xyz": "AA=="})), None);
    }
}
