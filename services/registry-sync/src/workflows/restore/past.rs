//! What a backup has is old, and is said to be: the bases of the devices that it brings back become
//! as old as it is. A replay then repeats what was journaled since, and a merge takes a restored
//! record for unchanged, never for news.

use std::collections::HashMap;

use hubshift_domain::id::HubId;
use hubshift_domain::identity::Stamp;
use hubshift_flow::StepError;
use hubshift_store::{StoreError, commit};
use time::OffsetDateTime;

use crate::authority::{FleetView, damaged};
use crate::intent::IntentError;
use crate::store;
use crate::store::backup::BackupRow;
use crate::store::base::Base;
use crate::write::{Wanted, WriteCx, effect};

/// When a backup's records were true.
pub(super) struct Past {
    stamp: Stamp,
    /// Every acknowledged write before this is in the backup.
    verify_time: OffsetDateTime,
}

impl Past {
    /// Of a backup. One of a hub that did not reign may lack what was acknowledged before it was
    /// taken: then nothing is known to be in it.
    pub(super) fn of(view: &FleetView, backup: &BackupRow) -> Result<Self, StoreError> {
        let origin = HubId::new(backup.hub_id.as_str()).map_err(|_| damaged("hub_id"))?;
        let reigned = view
            .hub(&origin)
            .is_some_and(|hub| hub.index == backup.epoch.hub_index());
        let verify_time = if reigned {
            backup.manifest.watermark
        } else {
            OffsetDateTime::UNIX_EPOCH
        };
        let stamp = Stamp {
            epoch: backup.epoch,
            sequence: 0,
            origin,
        };
        Ok(Self { stamp, verify_time })
    }

    /// Sets the bases of these devices back, at the target and at the active hub, where there are
    /// any and no conflict is open; the target is not known to be complete any more.
    pub(super) async fn prevail(
        &self,
        cx: &WriteCx,
        view: &FleetView,
        wanted: &[Wanted],
    ) -> Result<(), StepError> {
        let (fleet, target) = (cx.fleet.as_str(), cx.hub_id.as_str());
        let (epoch, purpose) = (cx.epoch.as_i64(), cx.purpose.as_str());
        let ids: Vec<String> = wanted.iter().map(|one| one.device_id.clone()).collect();
        let by_id: HashMap<&str, &Wanted> = wanted
            .iter()
            .map(|one| (one.device_id.as_str(), one))
            .collect();
        let mut tx = cx.pool.begin().await.map_err(StoreError::from)?;
        store::authority::assert_intent(&mut tx, fleet, epoch, target, purpose)
            .await
            .map_err(IntentError::from)?;
        let mut bases = Vec::new();
        for hub in [target, view.active_hub.as_str()] {
            for base in store::base::get_many(&mut *tx, fleet, hub, &ids).await? {
                bases.push((hub, base));
            }
        }
        // One order for all writers, so that none of them waits for each other in a circle.
        bases.sort_by(|(hub, base), (other_hub, other)| {
            (&base.device_id, hub).cmp(&(&other.device_id, other_hub))
        });
        for (hub, base) in bases {
            let old = by_id.get(base.device_id.as_str());
            let old = old.filter(|old| base.hold.is_none() && base.incarnation == old.incarnation);
            if let Some(old) = old {
                let base = self.base(cx, old, base);
                store::base::put(&mut *tx, fleet, hub, &base).await?;
            }
        }
        store::replication::forget(&mut *tx, fleet, target).await?;
        commit(tx).await?;
        Ok(())
    }

    fn base(&self, cx: &WriteCx, old: &Wanted, base: Base) -> Base {
        Base {
            record: old.record.clone(),
            sealed: old.sealed.clone(),
            fingerprint: effect(old).fingerprint(&cx.keys.fingerprint, &old.device_id),
            stamp: self.stamp.clone(),
            verify_time: self.verify_time,
            ..base
        }
    }
}
