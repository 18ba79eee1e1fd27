//! Transactions whose outcome is known: done, certainly not done, or unknown.

use std::future::Future;

use sqlx::PgPool;

use crate::StoreError;

/// An open transaction. Dropping it rolls back.
pub type Tx = sqlx::Transaction<'static, sqlx::Postgres>;

/// How often a transaction that lost against a concurrent one is repeated.
const MAX_CONFLICTS: u32 = 8;

/// Runs `body` in a transaction and commits. The body hands the transaction back; forgetting it
/// rolls back. A conflict (serialisation, deadlock) repeats the body, at most eight times.
pub async fn in_tx<T, E, F>(
    pool: &PgPool,
    label: &'static str,
    body: impl Fn(Tx) -> F + Send,
) -> Result<T, E>
where
    F: Future<Output = Result<(Tx, T), E>> + Send,
    E: From<StoreError>,
    T: Send,
{
    let mut conflicts = 0;
    loop {
        let tx = pool.begin().await.map_err(StoreError::from)?;
        let (tx, value) = body(tx).await?;
        match commit(tx).await {
            Ok(()) => return Ok(value),
            Err(StoreError::Conflict(error)) if conflicts < MAX_CONFLICTS => {
                conflicts += 1;
                tracing::debug!(label, conflicts, %error, "transaction repeated");
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Commits. An error without an SQLSTATE leaves the outcome unknown.
pub async fn commit(tx: Tx) -> Result<(), StoreError> {
    tx.commit()
        .await
        .map_err(|error| match error.as_database_error() {
            Some(_) => StoreError::from(error),
            None => StoreError::Unknown(error),
        })
}
