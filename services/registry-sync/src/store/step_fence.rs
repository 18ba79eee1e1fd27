//! `registry.step_fence`: the highest lease generation that called for each operation.

use hubshift_store::StoreError;
use sqlx::PgExecutor;

/// Raises the operation's fence to `lease_gen` and returns what it is then: a higher number means
/// that the caller was overtaken.
pub(crate) async fn raise(
    executor: impl PgExecutor<'_>,
    operation: &str,
    lease_gen: i64,
) -> Result<i64, StoreError> {
    let fence = sqlx::query_scalar!(
        "insert into registry.step_fence as f (operation, lease_gen) values ($1, $2)
         on conflict on constraint registry_step_fence_pk do update
            set lease_gen = greatest(f.lease_gen, excluded.lease_gen),
                update_time = clock_timestamp()
         returning lease_gen",
        operation,
        lease_gen
    )
    .fetch_one(executor)
    .await?;
    Ok(fence)
}

/// Forgets fences of operations that nobody called for in 30 days.
pub(crate) async fn purge(executor: impl PgExecutor<'_>) -> Result<u64, StoreError> {
    let done = sqlx::query!(
        "delete from registry.step_fence
          where update_time < clock_timestamp() - interval '30 days'"
    )
    .execute(executor)
    .await?;
    Ok(done.rows_affected())
}
