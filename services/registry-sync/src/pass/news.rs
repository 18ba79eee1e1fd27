//! What hubs said of themselves since the last look: read before a light pass brings the standby
//! up to date.
//!
//! A hub that said itself that a device was deleted, and asked for it does not have it, needs no
//! second listing to be believed.

use std::collections::BTreeSet;

use hubshift_flow::StepError;

use super::{Pass, PassCx, Phase};
use crate::scan::ScanCx;
use crate::store::hint::{self, HintRow};
use crate::store::kinds;
use crate::workflows::trouble::Turn;

/// Hints that are followed together.
const BATCH: i64 = 100;

impl Pass {
    /// One batch, the source's first.
    pub(super) async fn news(&mut self, cx: &PassCx<'_>) -> Result<Turn, StepError> {
        for is_source in [true, false] {
            if let Some(turn) = self.follow(cx, is_source).await? {
                return Ok(turn);
            }
        }
        // Only news of a deletion is worth a look at everything that is missing.
        self.phase = if self.heard_of_deletion {
            Phase::Absent
        } else {
            Phase::Apply
        };
        Ok(Turn::More)
    }

    /// Reads what one hub gave hints of; nothing if it gave none.
    async fn follow(
        &mut self,
        cx: &PassCx<'_>,
        is_source: bool,
    ) -> Result<Option<Turn>, StepError> {
        let (pool, fleet) = (&cx.deps.pool, cx.fleet.as_str());
        let (hub, scan) = if is_source {
            (&self.source, &mut self.source_scan)
        } else {
            (&self.target, &mut self.target_scan)
        };
        let hints = hint::oldest(pool, fleet, hub.as_str(), BATCH).await?;
        if hints.is_empty() {
            return Ok(None);
        }
        let carried = kinds::carried(pool, fleet).await?;
        let named = hints.iter().map(|hint| hint.device_id.clone());
        let devices: BTreeSet<String> = named.filter(|key| carried.carries(key)).collect();
        let scan_cx = ScanCx {
            deps: cx.deps,
            fleet: cx.fleet,
            lane: cx.lane,
            attempt: cx.attempt,
        };
        let devices = devices.into_iter().collect();
        let (turn, _) = scan.look_at(&scan_cx, devices).await?;
        if turn != Turn::More {
            // Throttled: all of them are asked for once more, after the pause.
            return Ok(Some(turn));
        }
        let deleted = deleted(&hints);
        hint::believe_gone(pool, fleet, hub.as_str(), &deleted).await?;
        hint::followed(pool, fleet, hub.as_str(), &hints).await?;
        self.heard_of_deletion |= is_source && !deleted.is_empty();
        Ok(Some(Turn::More))
    }
}

fn deleted(hints: &[HintRow]) -> Vec<String> {
    let deleted = hints.iter().filter(|hint| hint.deleted);
    deleted.map(|hint| hint.device_id.clone()).collect()
}
