//! Devices of a comparison become items with their conflicts.

use std::collections::HashMap;

use hubshift_api::sides::SealedTriple;
use hubshift_domain::merge::{
    MergedKey, Rescue, Resolution, Triple, record_value, reseed, side_value,
};
use hubshift_store::StoreError;
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Facts, Subject, is_apart, merge_device};
use crate::store::conflict::{self, NewConflict, OpenRow};
use crate::store::item::{self, Earlier, Item, Planned};
use crate::store::rescued;

/// Plans a batch of devices. Doing it again writes the same rows.
pub(crate) async fn take(
    connection: &mut PgConnection,
    subject: &Subject<'_>,
    round: i32,
    batch: Vec<SealedTriple>,
) -> Result<(), StoreError> {
    let devices: Vec<String> = batch
        .iter()
        .map(|sealed| sealed.device.to_string())
        .collect();
    let merge_id = subject.merge_id;
    let earlier = item::earlier(connection, merge_id, &devices).await?;
    let open = conflict::open_rows(connection, merge_id, &devices).await?;
    if subject.is_rewound {
        rescue(connection, subject, &batch).await?;
    }
    let mut items = Vec::with_capacity(batch.len());
    let mut found = Vec::new();
    let mut left = Left::default();
    for sealed in batch {
        let device = sealed.device.to_string();
        let before = earlier.get(&device);
        if before.is_some_and(|before| is_done(before, &sealed.triple)) {
            continue;
        }
        let generation = before.map_or(0, |before| before.generation);
        let is_sent = before.is_some_and(|before| before.is_sent);
        let open = open
            .get(&(device, generation))
            .map_or(&[][..], Vec::as_slice);
        let key = merge_decided(subject, &sealed, open);
        left.sort(open, &key, is_sent);
        let generation = generation + i32::from(is_sent);
        found.extend(rows(sealed.device.as_str(), generation, &key));
        let is_apart = is_apart(&facts(&sealed, &[]), &key);
        items.push(Planned {
            sealed,
            key,
            is_apart,
        });
    }
    item::put(connection, merge_id, round, &items).await?;
    left.store(connection).await?;
    conflict::clear(connection, merge_id, &devices).await?;
    conflict::put(connection, subject.fleet, merge_id, &found).await
}

/// Merges a device with the decisions that stand. One falls when the plan has no such conflict of
/// the very values that it was made on: it says nothing of others.
fn merge_decided(subject: &Subject<'_>, sealed: &SealedTriple, open: &[OpenRow]) -> MergedKey {
    let all: Vec<Resolution> = open.iter().filter_map(OpenRow::resolution).collect();
    let key = merge_device(subject, &facts(sealed, &all));
    let standing = open.iter().filter(|row| is_in(row, &key));
    let standing: Vec<Resolution> = standing.filter_map(OpenRow::resolution).collect();
    match standing.len() == all.len() {
        true => key,
        false => merge_device(subject, &facts(sealed, &standing)),
    }
}

/// What is known of a device before the others are: its place among them is looked at when all are
/// there.
fn facts<'a>(sealed: &'a SealedTriple, decided: &'a [Resolution]) -> Facts<'a> {
    Facts {
        device: sealed.device.as_str(),
        triple: &sealed.triple,
        decided,
        fault: None,
        along: None,
        is_out_of_reach: sealed.is_out_of_reach,
    }
}

fn is_in(row: &OpenRow, key: &MergedKey) -> bool {
    key.conflicts.iter().any(|found| row.is_of(found))
}

/// What becomes of the rows that an earlier round left open, but for those that are just written
/// anew.
#[derive(Debug, Default)]
struct Left {
    fallen: Vec<Uuid>,
    kept: Vec<Uuid>,
    carried: Vec<Uuid>,
}

impl Left {
    /// Of a device that was sent, a hub may hold the merge by now, and nobody else what lost in it:
    /// only what the new plan says again is not kept.
    fn sort(&mut self, open: &[OpenRow], key: &MergedKey, is_sent: bool) {
        for row in open {
            let is_decision = row.resolution().is_some();
            match (is_sent, is_in(row, key)) {
                (true, false) => self.kept.push(row.conflict_id),
                (true, true) if is_decision => self.carried.push(row.conflict_id),
                (false, false) if is_decision => self.fallen.push(row.conflict_id),
                (true, true) | (false, _) => {}
            }
        }
    }

    async fn store(&self, connection: &mut PgConnection) -> Result<(), StoreError> {
        conflict::supersede(connection, &self.fallen).await?;
        conflict::keep(connection, &self.kept).await?;
        conflict::carry(connection, &self.carried).await
    }
}

/// Whether this merge applied the device and it is everywhere as it was left: a comparison also
/// names devices that are equal and held.
fn is_done(before: &Earlier, triple: &Triple) -> bool {
    let places = [&triple.base, &triple.primary, &triple.secondary];
    before
        .applied
        .as_ref()
        .is_some_and(|applied| places.into_iter().all(|place| place.same(applied)))
}

/// Merges one device again, from what was read of it, and writes what it became.
pub(crate) async fn remerge(
    connection: &mut PgConnection,
    subject: &Subject<'_>,
    item: &mut Item,
    decided: &[Resolution],
) -> Result<MergedKey, StoreError> {
    let facts = Facts::of(item, decided);
    let key = merge_device(subject, &facts);
    (item.is_withheld, item.is_apart) = (key.withheld, is_apart(&facts, &key));
    item.merged = key.merged.clone();
    item::update(connection, subject.merge_id, item).await?;
    let device = item.device.to_string();
    let found = rows(&device, item.generation, &key);
    conflict::clear(connection, subject.merge_id, &[device]).await?;
    conflict::put(connection, subject.fleet, subject.merge_id, &found).await?;
    Ok(key)
}

/// The decisions about one item, out of those of a batch.
pub(super) fn decisions_of<'a>(
    decided: &'a HashMap<(String, i32), Vec<Resolution>>,
    item: &Item,
) -> &'a [Resolution] {
    decided
        .get(&(item.device.to_string(), item.generation))
        .map_or(&[], Vec::as_slice)
}

fn rows(device: &str, generation: i32, key: &MergedKey) -> Vec<NewConflict> {
    let row = |found| NewConflict::of_device(device, generation, found);
    key.conflicts.iter().map(row).collect()
}

async fn rescue(
    connection: &mut PgConnection,
    subject: &Subject<'_>,
    batch: &[SealedTriple],
) -> Result<(), StoreError> {
    let rescued = batch.iter().filter_map(|sealed| {
        let record = rescued_value(&sealed.triple)?;
        Some((sealed.device.to_string(), record))
    });
    let (devices, records): (Vec<_>, Vec<_>) = rescued.unzip();
    rescued::put(connection, subject.merge_id, &devices, &records).await
}

/// A line of the rescue report: the record without secrets, and why it is there.
fn rescued_value(triple: &Triple) -> Option<Value> {
    let Rescue { reason, side } = reseed(triple).rescue?;
    let mut value = match side.live() {
        Some(live) => record_value(&live.record),
        None => side_value(&side).unwrap_or(Value::Null),
    };
    if let Value::Object(members) = &mut value {
        members.insert("rescued".to_owned(), json!(reason));
    }
    Some(value)
}
