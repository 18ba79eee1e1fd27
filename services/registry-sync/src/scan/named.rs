//! Looking at devices by their names, without a listing: for those of which there is news.

use hubshift_flow::StepError;
use tokio::time::Instant;

use super::{Scan, ScanCx, TURN, Work};
use crate::workflows::trouble::Turn;

impl Scan {
    /// Reads these devices. On a pause, those before the named one were read.
    pub(crate) async fn look_at(
        &mut self,
        cx: &ScanCx<'_>,
        devices: Vec<String>,
    ) -> Result<(Turn, Option<String>), StepError> {
        let work = Work {
            cx,
            keys: cx.deps.keys(cx.fleet).await?,
            hub: cx.deps.hubs.get(cx.fleet, &self.hub, cx.lane).await?,
            until: Instant::now() + TURN,
        };
        self.scanned += devices.len() as u64;
        self.read(&work, devices).await
    }
}
