//! Bases of what jobs made: as of everything, they advance where both hubs are equal.

use hubshift_flow::StepError;

use super::Run;
use super::place::Stage;
use crate::pass::Pass;
use crate::store;
use crate::workflows::trouble::Turn;

/// Devices whose bases advance together: one statement must not take long.
const STRETCH: i64 = 5000;

impl Pass {
    /// One stretch.
    pub(super) async fn advance_bases(&mut self, run: &Run<'_>) -> Result<Turn, StepError> {
        let (pool, fleet) = (&run.cx.deps.pool, run.cx.fleet.as_str());
        let (after, target) = (self.seed.after.as_str(), self.target.as_str());
        let up_to = store::seed::milestone(pool, fleet, target, after, STRETCH).await?;
        store::base::advance(pool, self.pair(run.cx), after, up_to.as_deref()).await?;
        match up_to {
            Some(last) => self.seed.after = last,
            None => self.seed.stage = Stage::Clean,
        }
        Ok(Turn::More)
    }
}
