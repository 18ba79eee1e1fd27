//! West lags behind: it throttles what changes anything, from before the bad day until the fleet
//! has moved there. So there are writes that only the journal can bring over.

use std::time::Duration;

use tokio::task::JoinHandle;

use super::Story;

/// How often to look whether the fleet has moved.
const LOOK: Duration = Duration::from_millis(50);

impl Story {
    /// From now on nothing that happens at east reaches west.
    pub(super) async fn west_lags(&mut self) -> anyhow::Result<()> {
        let west = self.world.west.control();
        west.throttle_writes(true).await
    }

    /// Ends the throttle as soon as west is the authority: before the registry opens there.
    pub(super) fn west_recovers(&self) -> JoinHandle<anyhow::Result<()>> {
        let (operator, west) = (self.operator.clone(), self.world.west.control());
        tokio::spawn(async move {
            while operator.fleet().await?.active_hub != "west" {
                tokio::time::sleep(LOOK).await;
            }
            west.throttle_writes(false).await
        })
    }
}
