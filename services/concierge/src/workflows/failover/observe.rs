//! Devices move. They are counted by what they tell the concierges, which is shown and triggers
//! nothing.

use std::time::Duration;

use hubshift_domain::failover::{adoption_is_complete, observation};
use hubshift_flow::{Progress, StepCx, StepError};
use time::OffsetDateTime;

use super::{Failover, State};
use crate::store::fleet::FleetRow;
use crate::store::hub::{self, HubRow};
use crate::store::witness::{self, AdoptionRow};
use crate::store::{fleet, unsigned};

/// How often devices are counted, at least and at most.
const LOOK: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(2));

impl Failover {
    pub(super) async fn observe(
        &self,
        state: &mut State,
        cx: &StepCx,
    ) -> Result<Progress, StepError> {
        let mut connection = self.app.connection().await?;
        let Some(row) = fleet::get(&mut connection, &cx.fleet_id).await? else {
            return Ok(Progress::Done);
        };
        let hubs = hub::of_fleet(&mut connection, &cx.fleet_id).await?;
        let seen = witness::adoption(&mut connection, &cx.fleet_id, state.epoch()).await?;
        let target = hubs.iter().find(|hub| hub.hub_id == state.target_hub);
        state.report.adoption = Some((seen.polling, seen.attached));
        let began = state.publish_time.unwrap_or(row.now);
        let limit = self.app.settings.observe_timeout;
        if is_over(&row, target, seen, began, limit) {
            let AdoptionRow { polling, attached } = seen;
            return Ok(Progress::DoneWith(format!(
                "{attached} of {polling} devices are attached"
            )));
        }
        Ok(Progress::Wait(
            poll_after(&row).div_f64(2.0).clamp(LOOK.0, LOOK.1),
        ))
    }
}

/// Whether enough was seen. Nobody is believed before every device could have asked once.
fn is_over(
    row: &FleetRow,
    target: Option<&HubRow>,
    seen: AdoptionRow,
    began: OffsetDateTime,
    limit: Duration,
) -> bool {
    let window = row.window(target.map_or(1, HubRow::admission));
    let poll = poll_after(row);
    let watched = Duration::try_from(row.now - began).unwrap_or_default();
    let is_complete = adoption_is_complete(seen.polling, seen.attached) && watched >= poll;
    is_complete || watched >= observation(window, poll, limit, seen.polling)
}

fn poll_after(row: &FleetRow) -> Duration {
    Duration::from_millis(unsigned(row.poll_after_ms))
}
