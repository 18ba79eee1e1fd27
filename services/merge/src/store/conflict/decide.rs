//! What operators decided: a row in state `resolved` is a resolution.

use std::collections::HashMap;

use hubshift_domain::merge::{Choice, Conflict, Resolution};
use hubshift_store::StoreError;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

/// What an operator decided of one conflict of a device, and what it was about.
#[derive(Debug, Clone)]
pub(crate) struct Decided {
    pub(crate) conflict_id: Uuid,
    pub(crate) resolution: Resolution,
    base: Option<Value>,
    primary: Option<Value>,
    secondary: Option<Value>,
}

impl Decided {
    /// Whether it is a decision of this conflict, of these very values.
    pub(crate) fn is_of(&self, found: &Conflict) -> bool {
        let values = [&self.base, &self.primary, &self.secondary].map(Option::as_ref);
        self.resolution.path == found.path && found.is_about(values)
    }
}

/// What operators decided of these devices and about what, by device and generation.
pub(crate) async fn decisions(
    connection: &mut PgConnection,
    merge_id: Uuid,
    devices: &[String],
) -> Result<HashMap<(String, i32), Vec<Decided>>, StoreError> {
    let rows = sqlx::query!(
        "select conflict_id, key, generation, path, chosen, base, primary_value, secondary_value
           from merge.conflict
          where merge_id = $1 and scope = 'device' and key = any($2) and state = 'resolved'
          order by key, path",
        merge_id,
        devices
    )
    .fetch_all(connection)
    .await?;
    let mut decided: HashMap<_, Vec<Decided>> = HashMap::new();
    for row in rows {
        let Some(choice) = row.chosen.as_deref().and_then(Choice::parse) else {
            continue;
        };
        let of_device = decided.entry((row.key, row.generation)).or_default();
        of_device.push(Decided {
            conflict_id: row.conflict_id,
            resolution: Resolution {
                path: row.path,
                choice,
            },
            base: row.base,
            primary: row.primary_value,
            secondary: row.secondary_value,
        });
    }
    Ok(decided)
}

/// What operators decided of these devices, by device and generation.
pub(crate) async fn resolutions(
    connection: &mut PgConnection,
    merge_id: Uuid,
    devices: &[String],
) -> Result<HashMap<(String, i32), Vec<Resolution>>, StoreError> {
    let decided = decisions(connection, merge_id, devices).await?;
    let plain = |all: Vec<Decided>| -> Vec<Resolution> {
        all.into_iter().map(|one| one.resolution).collect()
    };
    Ok(decided
        .into_iter()
        .map(|(of, all)| (of, plain(all)))
        .collect())
}

/// Every decision of a merge that is not applied yet, as `device, path, choice`, sorted.
pub(crate) async fn open_decisions(
    connection: &mut PgConnection,
    merge_id: Uuid,
) -> Result<Vec<[String; 3]>, StoreError> {
    let rows = sqlx::query!(
        r#"select key, path, coalesce(chosen, '') as "chosen!" from merge.conflict
            where merge_id = $1 and scope = 'device' and state = 'resolved' and not is_applied
            order by key collate "C", path collate "C""#,
        merge_id
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| [row.key, row.path, row.chosen])
        .collect())
}

/// Writes an operator's decision.
pub(crate) async fn resolve(
    connection: &mut PgConnection,
    conflict_id: Uuid,
    choice: Choice,
    resolver: &str,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update merge.conflict
            set state = 'resolved', chosen = $2, resolver = $3, resolve_time = now()
          where conflict_id = $1",
        conflict_id,
        choice.as_str(),
        resolver
    )
    .execute(connection)
    .await?;
    Ok(())
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

/// The rows of a device that still wait for a person: a decision left them without a point.
pub(crate) async fn supersede_held(
    connection: &mut PgConnection,
    merge_id: Uuid,
    device: &str,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update merge.conflict set state = 'superseded'
          where merge_id = $1 and scope = 'device' and key = $2 and state = 'held'",
        merge_id,
        device
    )
    .execute(connection)
    .await?;
    Ok(())
}
