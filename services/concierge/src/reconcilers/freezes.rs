//! A freeze that ran out and that no failover holds any more is ended in the table too.

use hubshift_store::{StoreError, in_tx};

use crate::app::App;
use crate::store::authority;
use crate::workflows::failover::KIND;

pub(super) async fn tick(app: &App) -> Result<(), StoreError> {
    let expired = authority::expired_freezes(&mut *app.connection().await?).await?;
    for fleet_id in &expired {
        let thawed = in_tx(&app.pool, "thaw_expired", |mut tx| async move {
            let active = hubshift_flow::find_active(&mut tx, KIND, fleet_id).await?;
            let thawed = active.is_none() && authority::thaw_expired(&mut tx, fleet_id).await?;
            Ok::<_, StoreError>((tx, thawed))
        });
        if thawed.await? {
            tracing::info!(fleet = fleet_id, "a freeze that ran out was ended");
        }
    }
    Ok(())
}
