//! Every concierge that is alive serves the new route: devices move from here. A deadline, not a
//! gate: a concierge that is cut off must not hold up the fleet.

use std::time::Duration;

use hubshift_flow::{Progress, StepCx, StepError};

use super::state::millis_between;
use super::{Failover, State};
use crate::store::{clock, witness};

/// How often heartbeats are looked at.
const LOOK: Duration = Duration::from_millis(50);

impl Failover {
    pub(super) async fn publish(
        &self,
        state: &mut State,
        cx: &StepCx,
    ) -> Result<Progress, StepError> {
        let mut connection = self.app.connection().await?;
        let seen =
            witness::publication(&mut connection, &cx.fleet_id, state.routing_version).await?;
        let now = clock::now(&mut connection).await?;
        let began = state.report.commit_time.unwrap_or(now);
        let is_everywhere = seen.live > 0 && seen.serving == seen.live;
        if !is_everywhere && now < began + self.app.settings.publish_deadline {
            return Ok(Progress::Wait(LOOK));
        }
        state.publish_time = Some(now);
        state.report.control_plane_ms = Some(millis_between(cx.create_time, now));
        state.report.published_replicas = u32::try_from(seen.serving).unwrap_or(u32::MAX);
        state.report.live_replicas = u32::try_from(seen.live).unwrap_or(u32::MAX);
        let word = format!(
            "{} of {} concierges serve the route",
            seen.serving, seen.live
        );
        let late = if is_everywhere {
            ""
        } else {
            "; the deadline has passed"
        };
        Ok(Progress::DoneWith(format!("{word}{late}")))
    }
}
