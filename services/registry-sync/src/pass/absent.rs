//! Deletions that nobody told us of: a device that the active hub, asked for it in two complete
//! scans in a row, does not have. More than a few of them are an accident until somebody says
//! otherwise.

use hubshift_domain::hub_state::Purpose;
use hubshift_flow::StepError;
use hubshift_store::{StoreError, commit};

use super::{Pass, PassCx, Phase};
use crate::intent::IntentError;
use crate::store;
use crate::store::tombstone::{Absent, NewTombstone};
use crate::workflows::trouble::Turn;

/// So many deletions in one pass never stop it.
const FEW: usize = 5;
/// More than this part of all devices do, in percent.
const PERCENT: usize = 10;

/// What stands in `registry.replication` then.
pub(crate) const MASS_DELETE: &str = "MASS_DELETE";

impl Pass {
    /// Makes tombstones of what is gone, or stops at too many.
    pub(super) async fn absent(&mut self, cx: &PassCx<'_>) -> Result<Turn, StepError> {
        if self.halt_if_rewound(cx).await? {
            return Ok(Turn::More);
        }
        let (pool, fleet) = (&cx.deps.pool, cx.fleet.as_str());
        let source = self.source.as_str();
        self.apply_time = store::authority::now(pool).await?;
        self.phase = if self.is_light() {
            Phase::Apply
        } else {
            Phase::Seed
        };
        let absent = store::tombstone::absent_twice(pool, fleet, source).await?;
        let (buried, inferred): (Vec<_>, Vec<_>) =
            absent.into_iter().partition(|device| device.has_tombstone);
        let buried: Vec<String> = buried.into_iter().map(|device| device.device_id).collect();
        if !buried.is_empty() {
            store::tombstone::forget_absent(pool, fleet, source, &buried).await?;
        }
        let live = store::observed::count(pool, fleet, source).await?;
        let known = usize::try_from(live).unwrap_or(0) + inferred.len();
        // Modules that went with their device are one deletion with it.
        let count = inferred.iter().filter(|gone| !gone.went_along).count();
        if is_mass_delete(count, known) {
            tracing::warn!(
                fleet,
                source,
                count,
                known,
                "too many deletions at once, none is done"
            );
            self.blocked = MASS_DELETE.to_owned();
            return Ok(Turn::More);
        }
        if !inferred.is_empty() {
            self.bury(cx, &inferred).await?;
        }
        Ok(Turn::More)
    }

    async fn bury(&self, cx: &PassCx<'_>, gone: &[Absent]) -> Result<(), StepError> {
        let (fleet, source) = (cx.fleet.as_str(), self.source.as_str());
        let (epoch, purpose) = (self.epoch.as_i64(), Purpose::Replicate.as_str());
        let mut tx = cx.deps.pool.begin().await.map_err(StoreError::from)?;
        // Nothing is deleted in the name of an authority that is over.
        store::authority::assert_intent(&mut tx, fleet, epoch, self.target.as_str(), purpose)
            .await
            .map_err(IntentError::from)?;
        for device in gone {
            let new = NewTombstone {
                device: &device.device_id,
                incarnation: device.incarnation,
                is_revoked: false,
                epoch,
                sequence: 0,
                origin: source,
            };
            store::tombstone::put(&mut *tx, fleet, &new).await?;
            store::tombstone::put_modules(&mut *tx, fleet, &new).await?;
        }
        let devices: Vec<String> = gone.iter().map(|device| device.device_id.clone()).collect();
        store::tombstone::forget_absent(&mut *tx, fleet, source, &devices).await?;
        commit(tx).await?;
        Ok(())
    }
}

/// Whether so many deletions, of so many known devices, are to be stopped.
fn is_mass_delete(inferred: usize, known: usize) -> bool {
    inferred > FEW.max(known * PERCENT / 100)
}

#[cfg(test)]
mod tests {
    use super::is_mass_delete;

    #[test]
    fn a_few_deletions_pass_and_a_tenth_is_the_limit() {
        assert!(!is_mass_delete(0, 0));
        assert!(!is_mass_delete(5, 5));
        assert!(is_mass_delete(6, 6));
        assert!(!is_mass_delete(100, 1000));
        assert!(is_mass_delete(101, 1000));
    }
}
