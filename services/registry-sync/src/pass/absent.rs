//! Deletions that nobody told us of: a device that the active hub, asked for it in two complete
//! scans in a row, does not have. More than a few of them are an accident until somebody says
//! otherwise: of each kind of record by itself, so that a fleet's many modules do not hide that its
//! devices are gone, and of light passes together with those before them, so that deletions which
//! are heard of one by one are stopped as well.

use hubshift_domain::hub_state::Purpose;
use hubshift_domain::id::{device_of_module, is_device};
use hubshift_flow::StepError;
use hubshift_store::{StoreError, commit};

use super::{Pass, PassCx, Phase};
use crate::intent::IntentError;
use crate::store;
use crate::store::kinds::{self, KindCounts};
use crate::store::tombstone::{Absent, NewTombstone};
use crate::workflows::trouble::Turn;

/// So many deletions in one pass never stop it.
const FEW: i64 = 5;
/// More than this part of all records of a kind do, in percent.
const PERCENT: i64 = 10;

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
        let mut absent = store::tombstone::absent_twice(pool, fleet, source).await?;
        absent.retain(|record| record.has_tombstone || !record.waits);
        let (buried, inferred): (Vec<_>, Vec<_>) =
            absent.into_iter().partition(|device| device.has_tombstone);
        let buried: Vec<String> = buried.into_iter().map(|device| device.device_id).collect();
        if !buried.is_empty() {
            store::tombstone::forget_absent(pool, fleet, source, &buried).await?;
        }
        if inferred.is_empty() {
            return Ok(Turn::More);
        }
        let live = kinds::held(pool, fleet, source).await?;
        let earlier = self.gone_before(cx).await?;
        let now = counted(&inferred);
        if let Some(kind) = mass_deletion(now, earlier, live) {
            tracing::warn!(
                fleet,
                source,
                kind,
                ?now,
                ?earlier,
                ?live,
                "too many deletions at once, none is done"
            );
            self.blocked = MASS_DELETE.to_owned();
            if self.is_light() {
                // Its end says nothing of the standby; the next complete pass judges anew.
                let target = self.target.as_str();
                store::replication::set_blocked(pool, fleet, target, MASS_DELETE).await?;
            }
            return Ok(Turn::More);
        }
        self.bury(cx, &inferred).await?;
        Ok(Turn::More)
    }

    /// What earlier light passes of the same interval took for gone: a light pass by itself sees only
    /// what was heard of since the one before.
    async fn gone_before(&self, cx: &PassCx<'_>) -> Result<KindCounts, StoreError> {
        if !self.is_light() {
            return Ok(KindCounts::default());
        }
        let since = self.apply_time - cx.deps.config.sync_interval;
        let (fleet, source) = (cx.fleet.as_str(), self.source.as_str());
        kinds::inferred_gone(&cx.deps.pool, fleet, source, since).await
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

/// Deletions by kind. Modules that went with their device are one deletion with it.
fn counted(gone: &[Absent]) -> KindCounts {
    let mut counts = KindCounts::default();
    for record in gone.iter().filter(|record| !record.went_along) {
        let key = record.device_id.as_str();
        match device_of_module(key) {
            Some(_) => counts.modules += 1,
            None if is_device(key) => counts.devices += 1,
            None => counts.configurations += 1,
        }
    }
    counts
}

/// The kind of record of which too much is gone, if there is one. `live` is what is still there.
fn mass_deletion(now: KindCounts, earlier: KindCounts, live: KindCounts) -> Option<&'static str> {
    let kinds = [
        ("devices", now.devices, earlier.devices, live.devices),
        ("modules", now.modules, earlier.modules, live.modules),
        (
            "configurations",
            now.configurations,
            earlier.configurations,
            live.configurations,
        ),
    ];
    let too_many = kinds.into_iter().find(|(_, now, earlier, live)| {
        let gone = now + earlier;
        *now > 0 && is_mass_delete(gone, live + gone)
    });
    too_many.map(|(kind, ..)| kind)
}

/// Whether so many deletions, of so many known records, are to be stopped.
fn is_mass_delete(inferred: i64, known: i64) -> bool {
    inferred > FEW.max(known * PERCENT / 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn devices(devices: i64) -> KindCounts {
        KindCounts {
            devices,
            ..KindCounts::default()
        }
    }

    fn absent(key: &str, went_along: bool) -> Absent {
        Absent {
            device_id: key.into(),
            incarnation: 1,
            has_tombstone: false,
            went_along,
            waits: false,
        }
    }

    #[test]
    fn a_few_deletions_pass_and_a_tenth_is_the_limit() {
        assert!(!is_mass_delete(0, 0));
        assert!(!is_mass_delete(5, 5));
        assert!(is_mass_delete(6, 6));
        assert!(!is_mass_delete(100, 1000));
        assert!(is_mass_delete(101, 1000));
    }

    #[test]
    fn many_modules_do_not_hide_that_the_devices_are_gone() {
        let live = KindCounts {
            modules: 5000,
            ..devices(40)
        };
        let none = KindCounts::default();
        assert_eq!(mass_deletion(devices(60), none, live), Some("devices"));
        let modules = KindCounts {
            modules: 60,
            ..none
        };
        assert_eq!(mass_deletion(modules, none, live), None);
    }

    #[test]
    fn what_light_passes_before_took_for_gone_counts_with_this_one() {
        let (earlier, live) = (devices(5), devices(20));
        assert_eq!(mass_deletion(devices(1), earlier, live), Some("devices"));
        assert_eq!(mass_deletion(devices(0), devices(9), live), None);
        assert_eq!(mass_deletion(devices(2), devices(3), live), None);
    }

    #[test]
    fn what_went_with_its_device_is_not_counted_again() {
        let gone = [
            absent("d", false),
            absent("d/m", true),
            absent("e/m", false),
            absent("/configurations/a", false),
        ];
        let expected = KindCounts {
            devices: 1,
            modules: 1,
            configurations: 1,
        };
        assert_eq!(counted(&gone), expected);
    }
}
