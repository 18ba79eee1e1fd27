//! The end of a pass: what is still pending, and how far the standby is now.

use hubshift_flow::StepError;

use super::{Pass, PassCx, Phase};
use crate::store;
use crate::store::compare::Standing;
use crate::store::left_out::LeftOut;
use crate::workflows::report::{PassResult, count};
use crate::workflows::trouble::Turn;

impl Pass {
    pub(super) async fn finish(&mut self, cx: &PassCx<'_>) -> Result<Turn, StepError> {
        let (pool, fleet) = (&cx.deps.pool, cx.fleet.as_str());
        let (source, target) = (self.source.as_str(), self.target.as_str());
        if !self.is_light() {
            let since = self.start_time;
            if !self.is_halted() {
                store::tombstone::acknowledge_scanned(pool, fleet, source, since).await?;
            }
            store::tombstone::acknowledge_scanned(pool, fleet, target, since).await?;
            store::tombstone::forget_buried(pool, fleet, target).await?;
        }
        store::base::remove_buried(pool, fleet, source, target).await?;
        let since = self.apply_time;
        let standing = store::compare::standing(pool, fleet, source, target, since).await?;
        let left_out = store::left_out::find(pool, fleet, source, target).await?;
        // A parent that is nowhere is waited for by nobody; any other one is to come.
        self.failed += self.orphans.saturating_sub(left_out.orphans);
        let mut result = self.result_of(standing, left_out);
        if !self.is_light() {
            self.note(cx, standing, &mut result).await?;
        }
        if result.left_out_count > 0 {
            let (count, named) = (result.left_out_count, &result.left_out);
            tracing::warn!(
                fleet,
                hub = target,
                count,
                ?named,
                "records that cannot carry over, left out"
            );
        }
        if standing.extra_count > 0 {
            let extras = standing.extra_count;
            tracing::info!(
                fleet,
                hub = target,
                extras,
                "devices that only the standby has, kept"
            );
        }
        self.result = Some(result);
        self.phase = Phase::Over;
        Ok(Turn::Over)
    }

    async fn note(
        &self,
        cx: &PassCx<'_>,
        standing: Standing,
        result: &mut PassResult,
    ) -> Result<(), StepError> {
        let (pool, reign) = (&cx.deps.pool, self.reign(cx.fleet));
        store::replication::set_blocked(pool, reign.fleet, reign.target, &self.blocked).await?;
        if result.pending > 0 || self.failed > 0 || self.is_halted() {
            return Ok(());
        }
        // A listing may be older than the moment at which it was asked for.
        let watermark = self.start_time - self.read_lag;
        if store::replication::advance(pool, reign, watermark).await? {
            result.watermark = Some(watermark);
            // It holds all that the authority holds, whatever it once came back as.
            let (fleet, target) = (reign.fleet, reign.target);
            store::scan::forget_rewound(pool, fleet, target, self.start_time).await?;
        }
        let wrote = self.created + self.updated + self.deleted > 0;
        if !wrote && standing.pending_count + standing.extra_count == 0 {
            store::replication::verified(pool, reign, self.start_time).await?;
        }
        Ok(())
    }

    fn result_of(&self, standing: Standing, left_out: LeftOut) -> PassResult {
        let written = self.created + self.updated;
        PassResult {
            scanned: count(standing.source_count),
            created: self.created,
            updated: self.updated,
            deleted: self.deleted,
            equal: count(standing.equal_count).saturating_sub(written),
            pending: count(standing.pending_count - standing.newer_count),
            watermark: None,
            late_landings: 0,
            refused: 0,
            left_out_count: left_out.count,
            left_out: left_out.named,
        }
    }
}
