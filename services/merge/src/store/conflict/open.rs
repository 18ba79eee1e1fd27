//! Rows that nothing applied yet, and what becomes of them when their device is planned again or
//! their merge ends.

use std::collections::HashMap;

use hubshift_domain::merge::{Choice, Conflict, Resolution};
use hubshift_store::StoreError;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

/// A row of a device that nothing applied.
#[derive(Debug, Clone)]
pub(crate) struct OpenRow {
    pub(crate) conflict_id: Uuid,
    path: String,
    decided: Option<Choice>,
    base: Option<Value>,
    primary: Option<Value>,
    secondary: Option<Value>,
}

impl OpenRow {
    /// Whether it is the row of this conflict, of these very values.
    pub(crate) fn is_of(&self, found: &Conflict) -> bool {
        let values = [&self.base, &self.primary, &self.secondary].map(Option::as_ref);
        self.path == found.path && found.is_about(values)
    }

    /// What an operator decided.
    pub(crate) fn resolution(&self) -> Option<Resolution> {
        let path = self.path.clone();
        self.decided.map(|choice| Resolution { path, choice })
    }
}

/// The rows of these devices that nothing applied, by device and generation.
pub(crate) async fn open_rows(
    connection: &mut PgConnection,
    merge_id: Uuid,
    devices: &[String],
) -> Result<HashMap<(String, i32), Vec<OpenRow>>, StoreError> {
    let rows = sqlx::query!(
        "select conflict_id, key, generation, path, state, chosen, base, primary_value,
                secondary_value
           from merge.conflict
          where merge_id = $1 and scope = 'device' and key = any($2) and not is_applied
            and state in ('auto', 'held', 'resolved')
          order by key, path",
        merge_id,
        devices
    )
    .fetch_all(connection)
    .await?;
    let mut open: HashMap<_, Vec<OpenRow>> = HashMap::new();
    for row in rows {
        let decided = row.chosen.filter(|_| row.state == "resolved");
        let of_device = open.entry((row.key, row.generation)).or_default();
        of_device.push(OpenRow {
            conflict_id: row.conflict_id,
            path: row.path,
            decided: decided.as_deref().and_then(Choice::parse),
            base: row.base,
            primary: row.primary_value,
            secondary: row.secondary_value,
        });
    }
    Ok(open)
}

/// Decisions fall: what they were about is not what it was.
pub(crate) async fn supersede(
    connection: &mut PgConnection,
    fallen: &[Uuid],
) -> Result<(), StoreError> {
    sqlx::query!(
        "update merge.conflict set state = 'superseded' where conflict_id = any($1)",
        fallen
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Decisions go along into the next generation of their devices.
pub(crate) async fn carry(
    connection: &mut PgConnection,
    carried: &[Uuid],
) -> Result<(), StoreError> {
    sqlx::query!(
        "update merge.conflict set generation = generation + 1 where conflict_id = any($1)",
        carried
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Keeps rows whose values may have been written over at a hub. They hold nothing any more: the
/// next plan of their device does.
pub(crate) async fn keep(connection: &mut PgConnection, kept: &[Uuid]) -> Result<(), StoreError> {
    sqlx::query!(
        "update merge.conflict
            set is_applied = true, state = case state when 'held' then 'auto' else state end
          where conflict_id = any($1)",
        kept
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The same for all rows of items of earlier rounds that were sent and are not applied.
pub(crate) async fn keep_sent(
    connection: &mut PgConnection,
    merge_id: Uuid,
    round: i32,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update merge.conflict c
            set is_applied = true,
                state = case c.state when 'held' then 'auto' else c.state end
           from merge.item i
          where c.merge_id = $1 and c.scope = 'device' and not c.is_applied
            and c.state in ('auto', 'held', 'resolved')
            and i.merge_id = c.merge_id and i.device_id = c.key and i.round < $2
            and i.was_sent and i.state <> 'applied'",
        merge_id,
        round
    )
    .execute(connection)
    .await?;
    Ok(())
}
