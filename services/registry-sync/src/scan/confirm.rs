//! What was there once and was not listed: asked for by its id. Whose last read is younger than a
//! listing may be need not be listed yet, and is not asked for again: a job makes tens of thousands
//! at once.

use hubshift_flow::StepError;

use super::{CHUNK, Phase, Scan, Work};
use crate::store::{base, observed};
use crate::workflows::trouble::Turn;

impl Scan {
    /// One chunk. Every device in it is marked, so that the next chunk is another one.
    pub(super) async fn confirm(&mut self, work: &Work<'_>) -> Result<Turn, StepError> {
        let (pool, fleet) = (&work.cx.deps.pool, work.cx.fleet.as_str());
        let limit = CHUNK as i64;
        let hub = self.hub.as_str();
        let lag = work.hub.capabilities().read_lag;
        // A scan that is to read everything takes no earlier read for its own.
        let before = (!self.full).then(|| self.start_time - lag);
        let unlisted = observed::unlisted(pool, fleet, hub, self.scan_id, before, limit).await?;
        if unlisted.is_empty() {
            self.phase = if self.detect_rewind {
                Phase::ConfirmBase
            } else {
                Phase::Close
            };
            return Ok(Turn::More);
        }
        Ok(self.read(work, unlisted).await?.0)
    }

    /// One chunk of what the merge base knows and no row remembers, so that a device that a late
    /// listing left out does not count as gone.
    pub(super) async fn confirm_base(&mut self, work: &Work<'_>) -> Result<Turn, StepError> {
        let (pool, fleet) = (&work.cx.deps.pool, work.cx.fleet.as_str());
        let (hub, limit) = (self.hub.as_str(), CHUNK as i64);
        let unknown = base::unobserved(pool, fleet, hub, &self.after, limit).await?;
        if unknown.is_empty() {
            self.phase = Phase::Close;
            return Ok(Turn::More);
        }
        let (turn, unread) = self.read(work, unknown.clone()).await?;
        let through = unknown
            .into_iter()
            .take_while(|id| Some(id) != unread.as_ref());
        if let Some(last) = through.last() {
            self.after = last;
        }
        Ok(turn)
    }
}
