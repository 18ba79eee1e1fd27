//! How sure a commit must be.

use hubshift_store::StoreError;
use sqlx::PgConnection;

/// Lets this transaction's commit wait for the synchronous standby, whatever the session says.
pub(crate) async fn wait_for_standby(connection: &mut PgConnection) -> Result<(), StoreError> {
    sqlx::query!(r#"select set_config('synchronous_commit', 'on', true) as "value!""#)
        .fetch_one(connection)
        .await?;
    Ok(())
}
