//! The modules of a device that was held: whoever decided what becomes of it decided it of them. They
//! could not be written before.

use hubshift_api::pb::registry::ApplyItem;
use hubshift_api::records::side_state;
use hubshift_domain::epoch::Epoch;
use hubshift_domain::merge::{Along, MergedKey, Side};
use hubshift_store::{StoreError, Tx};
use prost::bytes::Bytes;
use sqlx::PgConnection;
use uuid::Uuid;

use super::super::resolve::{Case, Decision};
use super::super::{App, MergeError};
use crate::plan::{Facts, merge_device};
use crate::store::conflict::{self, NewConflict};
use crate::store::damaged;
use crate::store::item::{self, Item};

/// A module that is at both hubs what its device's decision makes of it.
#[derive(Debug)]
pub(super) struct Restored {
    item: Item,
    key: MergedKey,
    print: Vec<u8>,
    along: Option<Along>,
}

impl App {
    /// Writes the modules that go along with the decided device. One that does not come through
    /// stays as it is at both hubs, and is named in the log: its device is decided all the same.
    pub(super) async fn restore_modules(
        &self,
        case: &Case,
        decision: &Decision,
        epoch: Epoch,
        device: &Side,
    ) -> Result<Vec<Restored>, MergeError> {
        if device.is_held() {
            return Ok(Vec::new());
        }
        let items = {
            let mut connection = self.pool.acquire().await.map_err(StoreError::from)?;
            modules(&mut connection, case).await?
        };
        let mut restored = Vec::with_capacity(items.len());
        // Of a whole device the decision is that of its modules; any other only lets them be merged.
        let is_whole = case.conflict.path.is_empty();
        let along = is_whole.then_some(Along::Follows(decision.choice));
        for item in items {
            let key = self.decided(case, &item, along);
            if key.withheld {
                continue;
            }
            let asked = apply_item(case, decision, &item, &key.merged)?;
            match self.write(case, epoch, asked).await {
                Ok(result) => restored.push(Restored {
                    print: result.print.to_vec(),
                    item,
                    key,
                    along,
                }),
                Err(error) => {
                    let module = item.device.as_str();
                    tracing::warn!(module, %error, "does not go along with its device");
                }
            }
        }
        Ok(restored)
    }

    fn decided(&self, case: &Case, item: &Item, along: Option<Along>) -> MergedKey {
        let facts = Facts {
            along,
            is_out_of_reach: false,
            ..Facts::of(item, &[])
        };
        merge_device(&self.subject(&case.merge), &facts)
    }
}

impl Restored {
    /// Notes what was restored.
    pub(super) async fn note(
        &self,
        tx: &mut Tx,
        fleet: &str,
        merge_id: Uuid,
    ) -> Result<(), StoreError> {
        let module = self.item.device.as_str();
        let rows = self.key.conflicts.iter();
        let rows: Vec<NewConflict> = rows
            .map(|found| NewConflict::of_device(module, self.item.generation, found))
            .collect();
        conflict::clear(tx, merge_id, &[module.to_owned()]).await?;
        conflict::put(tx, fleet, merge_id, &rows).await?;
        item::set_along(tx, merge_id, module, self.along).await?;
        let print = Some(self.print.as_slice());
        item::applied(tx, merge_id, module, &self.key.merged, print).await?;
        conflict::applied(tx, fleet, merge_id, module, false).await
    }
}

async fn modules(connection: &mut PgConnection, case: &Case) -> Result<Vec<Item>, StoreError> {
    let row = &case.conflict;
    let mut items = Vec::new();
    for module in item::going_along(connection, row.merge_id, &row.key).await? {
        items.extend(item::get(connection, row.merge_id, &module).await?);
    }
    Ok(items)
}

fn apply_item(
    case: &Case,
    decision: &Decision,
    item: &Item,
    merged: &Side,
) -> Result<ApplyItem, MergeError> {
    let sealed = item
        .credentials
        .attach(merged)
        .map_err(|error| damaged("sealed", error))?;
    let name = format!("restore/{}/{}", decision.choice, item.device);
    Ok(ApplyItem {
        device: item.device.to_string(),
        merged: Some(side_state(&sealed)),
        primary_before: before(item, &item.primary_before),
        secondary_before: before(item, &item.secondary_before),
        item_id: Uuid::new_v5(&case.conflict.conflict_id, name.as_bytes()).to_string(),
    })
}

/// What a hub shows: what it did when that was planned, or what an earlier decision made of it.
fn before(item: &Item, planned: &[u8]) -> Bytes {
    match &item.applied_print {
        Some(print) if item.state == "applied" => Bytes::from(print.clone()),
        _ => Bytes::copy_from_slice(planned),
    }
}
