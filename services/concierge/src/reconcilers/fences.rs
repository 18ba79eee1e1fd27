//! Hubs that a move could not shut out are shut out later: registry-sync is asked again, less and less
//! often, until it was seen done. A hub whose connection has no `management_ref` is asked for too, as
//! it may get one; the merge that closes pays its fence as well.

use hubshift_domain::epoch::Epoch;
use hubshift_store::{StoreError, in_tx};
use uuid::Uuid;

use crate::app::App;
use crate::app::fencing::Fencing;
use crate::store::authority;
use crate::store::debt::{self, DueFence};
use crate::store::fleet::FleetRow;

pub(super) async fn tick(app: &App, fleet: &FleetRow) -> Result<(), StoreError> {
    let due = {
        let mut connection = app.connection().await?;
        debt::due_fences(&mut connection, &fleet.fleet_id).await?
    };
    for fence in &due {
        one_hub(app, fleet, fence).await?;
    }
    Ok(())
}

async fn one_hub(app: &App, fleet: &FleetRow, due: &DueFence) -> Result<(), StoreError> {
    let (fleet_id, hub_id) = (fleet.fleet_id.as_str(), due.hub_id.as_str());
    let request_id = Uuid::now_v7();
    let answer = app
        .remote
        .fence_hub(fleet_id, hub_id, fleet.epoch(), request_id, None)
        .await;
    let trouble = match Fencing::of(answer) {
        Fencing::Done => return paid(app, fleet_id, due).await,
        Fencing::Working | Fencing::Unavailable => String::new(),
        Fencing::Lifted => "a person opened the hub again; it is not shut out by itself".to_owned(),
        Fencing::Failed(why) | Fencing::Silent(why) => why,
    };
    let mut connection = app.connection().await?;
    debt::note_fence(&mut connection, fleet_id, hub_id, &trouble).await
}

async fn paid(app: &App, fleet_id: &str, due: &DueFence) -> Result<(), StoreError> {
    let (hub_id, epoch) = (due.hub_id.as_str(), Epoch::from_i64(due.epoch));
    let paid = in_tx(&app.pool, "fence_paid", |mut tx| async move {
        authority::hold(&mut tx, fleet_id).await?;
        let paid = debt::pay_fence(&mut tx, fleet_id, hub_id, epoch).await?;
        authority::touch(&mut tx, fleet_id).await?;
        Ok::<_, StoreError>((tx, paid))
    });
    if paid.await? > 0 {
        tracing::info!(fleet = fleet_id, hub = hub_id, "the hub is shut out");
    }
    Ok(())
}
