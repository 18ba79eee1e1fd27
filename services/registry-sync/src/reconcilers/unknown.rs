//! Gives journaled changes without an outcome one, by asking their hub what it holds.
//!
//! A row is looked at when no call of it can land any more, at most once per [`EVERY`] over all
//! replicas. A hub that can't be reached leaves its rows as they are.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use hubshift_store::StoreError;

use crate::app::devices::Devices;
use crate::app::devices::error::DeviceError;
use crate::app::devices::settle::Settled;
use crate::deps::Deps;
use crate::store::journal::open;

/// How often a row is looked at.
const EVERY: Duration = Duration::from_secs(1);
/// How many rows are looked at in one tick.
const BATCH: i64 = 50;

/// What a tick came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    /// Changes that happened.
    pub(crate) happened: u64,
    /// Changes that certainly did not.
    pub(crate) never_landed: u64,
    /// Changes that still nobody knows of.
    pub(crate) open: u64,
}

/// Looks at rows that are past their deadline.
pub(crate) async fn tick(deps: &Arc<Deps>) -> Result<Summary, StoreError> {
    let due = {
        let mut connection = deps.pool.acquire().await?;
        open::claim(&mut connection, EVERY, BATCH).await?
    };
    let devices = Devices::new(deps.clone());
    let mut summary = Summary::default();
    let mut silent = HashSet::new();
    for (fleet, entry) in due {
        let hub = (fleet.clone(), entry.hub_id.clone());
        if silent.contains(&hub) {
            summary.open += 1;
            continue;
        }
        match devices.settle_overdue(&fleet, &entry).await {
            Ok(Settled::Happened) => summary.happened += 1,
            Ok(Settled::NeverLanded) => summary.never_landed += 1,
            Ok(Settled::Open) => summary.open += 1,
            Err(DeviceError::Store(error)) => return Err(error),
            Err(error) => {
                summary.open += 1;
                if matches!(error, DeviceError::Unreachable(_)) {
                    silent.insert(hub);
                }
                let error = &error as &dyn std::error::Error;
                tracing::debug!(%fleet, sequence = entry.sequence, error, "still not known");
            }
        }
    }
    let found = [
        ("happened", summary.happened),
        ("never_landed", summary.never_landed),
        ("open", summary.open),
    ];
    for (outcome, count) in found {
        metrics::counter!("hubshift_journal_settled_total", "outcome" => outcome).increment(count);
    }
    Ok(summary)
}
