//! The listing: what did not move is marked, the rest is read.

use std::collections::{BTreeSet, HashSet};

use hubshift_domain::id::is_device;
use hubshift_flow::StepError;
use hubshift_hub::{HubError, Rejection, Summary};

use super::{CHUNK, Phase, Scan, Work};
use crate::store::{kinds, observed, out_of_reach};
use crate::workflows::trouble::Turn;

/// A hub that refuses its own cursor more often than this refuses something else.
const MAX_RESTARTS: u32 = 5;

impl Scan {
    /// One page.
    pub(super) async fn list(&mut self, work: &Work<'_>) -> Result<Turn, StepError> {
        let page_size = work.hub.capabilities().max_page_size;
        self.calls += 1;
        let page = match work
            .hub
            .list(self.cursor.clone(), page_size)
            .await
            .into_result()
        {
            Ok(page) => page,
            // A cursor that the hub does not know any more: begin again, what was seen stays seen.
            Err(HubError::Rejected(Rejection::Invalid(text)))
                if self.cursor.is_some() && self.restarts < MAX_RESTARTS =>
            {
                tracing::info!(hub = %self.hub, text, "listing begins again");
                self.restarts += 1;
                self.cursor = None;
                return Ok(Turn::More);
            }
            Err(error) => return work.failed(error),
        };
        for chunk in page.rows.chunks(CHUNK) {
            if let turn @ Turn::Pause(_) = self.list_chunk(work, chunk).await? {
                return Ok(turn);
            }
        }
        self.scanned += page.rows.len() as u64;
        self.phase = if page.next.is_some() {
            Phase::List
        } else {
            self.leave_out(work).await?;
            Phase::Confirm
        };
        self.cursor = page.next;
        Ok(Turn::More)
    }

    /// What the fleet does not carry was not listed, and nobody may ask for it by its key either:
    /// that would find it gone, or be refused. What can be read again is known from the devices that
    /// were listed.
    async fn leave_out(&self, work: &Work<'_>) -> Result<(), StepError> {
        let (pool, fleet) = (&work.cx.deps.pool, work.cx.fleet.as_str());
        let carried = kinds::carried(pool, fleet).await?;
        kinds::forget_others(pool, fleet, carried).await?;
        out_of_reach::tidy(pool, fleet, self.hub.as_str()).await?;
        Ok(())
    }

    async fn list_chunk(&mut self, work: &Work<'_>, rows: &[Summary]) -> Result<Turn, StepError> {
        let (pool, fleet) = (&work.cx.deps.pool, work.cx.fleet.as_str());
        let devices: Vec<String> = rows.iter().map(|row| row.device_id.clone()).collect();
        let known = if self.full {
            observed::already_read(pool, fleet, self.hub.as_str(), self.scan_id, &devices).await?
        } else {
            let identities: Vec<String> =
                rows.iter().map(|row| row.identity_etag.clone()).collect();
            let twins: Vec<String> = rows.iter().map(|row| row.twin_etag.clone()).collect();
            let hub = self.hub.as_str();
            observed::mark_unchanged(
                pool,
                fleet,
                hub,
                self.scan_id,
                &devices,
                &identities,
                &twins,
            )
            .await?
        };
        let known: HashSet<String> = known.into_iter().collect();
        // A listing that changes while it is read may name a device twice.
        let moved: BTreeSet<String> = devices
            .into_iter()
            .filter(|id| !known.contains(id))
            .collect();
        let moved = self.within_reach(work, moved).await?;
        Ok(self.read(work, moved).await?.0)
    }

    /// Without what the hub would refuse to let us read; that it is there, the listing says. A scan
    /// that is to read everything asks all the same.
    async fn within_reach(
        &self,
        work: &Work<'_>,
        mut moved: BTreeSet<String>,
    ) -> Result<Vec<String>, StepError> {
        let (pool, fleet, hub) = (
            &work.cx.deps.pool,
            work.cx.fleet.as_str(),
            self.hub.as_str(),
        );
        let has_slash = |id: &&String| !is_device(id);
        let modules: Vec<String> = moved.iter().filter(has_slash).cloned().collect();
        if self.full || modules.is_empty() {
            return Ok(moved.into_iter().collect());
        }
        let refused = out_of_reach::known(pool, fleet, hub, &modules).await?;
        observed::mark_seen(pool, fleet, hub, self.scan_id, &refused).await?;
        for module in &refused {
            moved.remove(module);
        }
        Ok(moved.into_iter().collect())
    }
}
