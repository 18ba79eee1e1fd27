//! Lost hubs follow their merge: quarantined, rewound, merging, and a standby again once the merge
//! is closed.

use hubshift_api::pb::merge::{MergeState, MergeStatus};
use hubshift_domain::epoch::Epoch;
use hubshift_domain::failover::{HubFate, MergeProgress, hub_fate};
use hubshift_domain::hub_state::HubState;
use hubshift_store::{StoreError, in_tx};

use crate::app::App;
use crate::store::debt::{self, DebtRow, MERGE_REQUIRED};
use crate::store::fleet::FleetRow;
use crate::store::{authority, hub};

pub(super) async fn tick(app: &App, fleet: &FleetRow) -> Result<(), StoreError> {
    let (owing, hubs) = {
        let mut connection = app.connection().await?;
        let mut owing = debt::unpaid(&mut connection, &fleet.fleet_id).await?;
        owing.retain(|debt| debt.kind == MERGE_REQUIRED);
        if owing.is_empty() {
            return Ok(());
        }
        (
            owing,
            hub::of_fleet(&mut connection, &fleet.fleet_id).await?,
        )
    };
    for row in &hubs {
        // The newest loss counts: a merge that pays it pays the older ones.
        let newest = owing
            .iter()
            .filter(|debt| debt.hub_id == row.hub_id)
            .max_by_key(|d| d.epoch);
        if let Some(debt) = newest {
            one_hub(app, fleet, debt, row.state()?).await?;
        }
    }
    Ok(())
}

async fn one_hub(
    app: &App,
    fleet: &FleetRow,
    debt: &DebtRow,
    state: HubState,
) -> Result<(), StoreError> {
    let Ok(status) = app.remote.merge_status(&fleet.fleet_id, &debt.hub_id).await else {
        return Ok(());
    };
    let epoch = Epoch::from_i64(debt.epoch);
    match hub_fate(state, epoch, progress(&status)) {
        HubFate::Stays => Ok(()),
        HubFate::Becomes(to) => change(app, fleet, debt, state, to, None).await,
        HubFate::Paid => {
            let paid = Some(Epoch(status.closed_epoch));
            change(app, fleet, debt, state, HubState::Syncing, paid).await
        }
    }
}

fn progress(status: &MergeStatus) -> MergeProgress {
    let is_active = !status.active_merge.is_empty();
    let applying = [MergeState::Applying, MergeState::Verifying];
    MergeProgress {
        is_active,
        is_applying: is_active && applying.contains(&status.active_state()),
        is_rewound: status.rewound,
        closed_epoch: (!status.closed_merge.is_empty()).then_some(Epoch(status.closed_epoch)),
    }
}

/// Moves the hub under the condition that neither it nor the epoch moved meanwhile; pays what it
/// owes up to `paid`. The merge stands for the fence too: it looked at everything that the hub took.
async fn change(
    app: &App,
    fleet: &FleetRow,
    debt: &DebtRow,
    from: HubState,
    to: HubState,
    paid: Option<Epoch>,
) -> Result<(), StoreError> {
    let (fleet_id, hub_id) = (fleet.fleet_id.as_str(), debt.hub_id.as_str());
    let epoch = fleet.epoch();
    let moved = in_tx(&app.pool, "hub_fate", |mut tx| async move {
        let same = authority::hold_epoch(&mut tx, fleet_id, epoch).await?;
        let moved = same && hub::move_state(&mut tx, fleet_id, hub_id, &[from], to).await?;
        if let (true, Some(up_to)) = (moved, paid) {
            debt::pay(&mut tx, fleet_id, hub_id, up_to).await?;
        }
        Ok::<_, StoreError>((tx, moved))
    });
    if moved.await? {
        tracing::info!(fleet = fleet_id, hub = hub_id, %from, %to, "hub follows its merge");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_without_a_closed_merge_pays_nothing() {
        let status = MergeStatus {
            active_merge: "fleets/acme/merges/1".into(),
            active_state: MergeState::Verifying.into(),
            ..MergeStatus::default()
        };
        let progress = progress(&status);
        assert!(progress.is_active && progress.is_applying);
        assert_eq!(progress.closed_epoch, None);
    }
}
