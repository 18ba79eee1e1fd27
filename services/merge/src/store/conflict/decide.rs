//! What operators decided: a row in state `resolved` is a resolution.

use std::collections::{BTreeMap, HashMap};

use hubshift_domain::merge::{Choice, Resolution};
use hubshift_store::StoreError;
use sqlx::PgConnection;
use uuid::Uuid;

/// What operators decided of these devices, by device and generation.
pub(crate) async fn resolutions(
    connection: &mut PgConnection,
    merge_id: Uuid,
    devices: &[String],
) -> Result<HashMap<(String, i32), Vec<Resolution>>, StoreError> {
    let rows = sqlx::query!(
        "select key, generation, path, chosen from merge.conflict
          where merge_id = $1 and scope = 'device' and key = any($2) and state = 'resolved'
          order by key, path",
        merge_id,
        devices
    )
    .fetch_all(connection)
    .await?;
    let mut decided: HashMap<_, Vec<Resolution>> = HashMap::new();
    for row in rows {
        let choice = row.chosen.as_deref().and_then(Choice::parse);
        if let Some(choice) = choice {
            let of_device = decided.entry((row.key, row.generation)).or_default();
            of_device.push(Resolution {
                path: row.path,
                choice,
            });
        }
    }
    Ok(decided)
}

/// What operators decided of whole devices, the last word of each.
pub(crate) async fn whole_decisions(
    connection: &mut PgConnection,
    merge_id: Uuid,
) -> Result<BTreeMap<String, Choice>, StoreError> {
    let rows = sqlx::query!(
        "select distinct on (key) key, chosen from merge.conflict
          where merge_id = $1 and scope = 'device' and path = '' and state = 'resolved'
            and strpos(key, '/') = 0
          order by key, generation desc",
        merge_id
    )
    .fetch_all(connection)
    .await?;
    let decided = rows.into_iter().filter_map(|row| {
        let choice = row.chosen.as_deref().and_then(Choice::parse)?;
        Some((row.key, choice))
    });
    Ok(decided.collect())
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
