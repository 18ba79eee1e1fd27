//! How far items are: applied, moved meanwhile, refused; and what a round of planning forgets.

use hubshift_domain::merge::Side;
use hubshift_store::StoreError;
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use crate::store::unsigned;

/// Forgets what an earlier try of this round planned: the hubs may have moved since.
pub(crate) async fn forget_try(
    connection: &mut PgConnection,
    merge_id: Uuid,
    round: i32,
) -> Result<(), StoreError> {
    sqlx::query!(
        "delete from merge.item
          where merge_id = $1 and round = $2 and state <> 'applied' and generation = 0
            and not was_sent",
        merge_id,
        round
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Items are about to be sent: from now on a hub may hold what was merged, whatever is answered.
pub(crate) async fn sending(
    connection: &mut PgConnection,
    merge_id: Uuid,
    devices: &[String],
) -> Result<(), StoreError> {
    sqlx::query!(
        "update merge.item set was_sent = true
          where merge_id = $1 and device_id = any($2) and not was_sent",
        merge_id,
        devices
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The merge ends: what was sent and is not applied counts as applied, as a hub may hold it.
pub(crate) async fn close_sent(
    connection: &mut PgConnection,
    merge_id: Uuid,
) -> Result<(), StoreError> {
    sqlx::query!(
        "update merge.item set generation = generation + 1, was_sent = false
          where merge_id = $1 and was_sent and state <> 'applied'",
        merge_id
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The devices of a round's end: those that it did not see are equal by now.
pub(crate) async fn forget_unseen(
    connection: &mut PgConnection,
    merge_id: Uuid,
    round: i32,
) -> Result<(), StoreError> {
    sqlx::query!(
        "delete from merge.item
          where merge_id = $1 and round < $2 and state <> 'applied' and generation = 0
            and not was_sent",
        merge_id,
        round
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "update merge.item
            set state = 'applied', detail = '',
                generation = generation + case when was_sent then 1 else 0 end
          where merge_id = $1 and round < $2 and state <> 'applied'",
        merge_id,
        round
    )
    .execute(connection)
    .await?;
    Ok(())
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
    let count = rows.first().map_or(0, |row| unsigned(row.count));
    Ok((
        count,
        rows.into_iter()
            .map(|row| (row.device_id, row.detail))
            .collect(),
    ))
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

/// What later merges of the fleet made of a device.
pub(crate) async fn later_sides(
    connection: &mut PgConnection,
    fleet: &str,
    merge_id: Uuid,
    device: &str,
) -> Result<Vec<Side>, StoreError> {
    let rows = sqlx::query!(
        r#"select i.merged as "merged: Json<Side>"
             from merge.item i join merge.merge m using (merge_id)
            where m.fleet_id = $1 and i.device_id = $3 and m.merge_id > $2
              and i.generation > 0"#,
        fleet,
        merge_id,
        device
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| row.merged.0).collect())
}
