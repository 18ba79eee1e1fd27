//! Reading devices: one as the active hub has it now, many as it was last seen to have them.

use hubshift_api::pb::registry as pb;
use hubshift_domain::id::{DeviceId, FleetId};
use hubshift_hub::Credentials;

use super::error::DeviceError;
use super::{Devices, view};
use crate::authority::FleetView;
use crate::observe::Observed;
use crate::store;
use crate::store::journal::list;

/// A page of devices and, unless it is the last one, the id that the next one starts after.
#[derive(Debug)]
pub(crate) struct Listed {
    /// In order of their ids.
    pub(crate) devices: Vec<pb::Device>,
    /// The last id of the page.
    pub(crate) next: Option<String>,
}

impl Devices {
    /// One device. When the hub does not answer, as it was last seen: `read_time` says so.
    pub(crate) async fn get(
        &self,
        fleet: &FleetId,
        device: &DeviceId,
    ) -> Result<pb::Device, DeviceError> {
        let view = self.view(fleet).await?;
        let seen = self.find(&view, device).await?;
        let mut connection = self.connection().await?;
        let facts = list::facts_of(&mut connection, fleet, device.as_str()).await?;
        Ok(view::device(fleet, &seen, &facts))
    }

    /// Devices after `after`, at most `limit`.
    pub(crate) async fn list(
        &self,
        fleet: &FleetId,
        after: &str,
        limit: i64,
    ) -> Result<Listed, DeviceError> {
        let hub = self.view(fleet).await?.active_hub;
        let mut connection = self.connection().await?;
        let mut seen =
            list::devices(&mut connection, fleet, hub.as_str(), after, limit + 1).await?;
        let size = usize::try_from(limit).unwrap_or(usize::MAX);
        let has_more = seen.len() > size;
        seen.truncate(size);
        let ids: Vec<String> = seen.iter().map(|seen| seen.device_id.clone()).collect();
        let facts = list::facts(&mut connection, fleet, &ids).await?;
        let mut facts: std::collections::HashMap<_, _> = facts
            .into_iter()
            .map(|facts| (facts.device_id.clone(), facts))
            .collect();
        let devices = seen.iter().map(|seen| {
            let id = &seen.device_id;
            let facts = facts.remove(id).unwrap_or_else(|| list::Facts::nothing(id));
            view::device(fleet, seen, &facts)
        });
        let devices = devices.collect();
        Ok(Listed {
            devices,
            next: ids.last().filter(|_| has_more).cloned(),
        })
    }

    /// A device's secrets, noted in the audit log.
    pub(crate) async fn credentials(
        &self,
        fleet: &FleetId,
        device: &DeviceId,
        caller: &str,
    ) -> Result<pb::DeviceCredentials, DeviceError> {
        let view = self.view(fleet).await?;
        let result = self.open(&view, device).await;
        let outcome = if result.is_ok() { "shown" } else { "refused" };
        tracing::info!(target: "audit", %caller, %fleet, %device, outcome,
            "credentials of a device were asked for");
        Ok(view::credentials(fleet, device.as_str(), &result?))
    }

    async fn open(&self, view: &FleetView, device: &DeviceId) -> Result<Credentials, DeviceError> {
        let seen = self.find(view, device).await?;
        let keys = self.deps.keys(&view.fleet).await?;
        Ok(keys.open(device.as_str(), &seen.sealed)?)
    }

    async fn find(&self, view: &FleetView, device: &DeviceId) -> Result<Observed, DeviceError> {
        let cx = self.writer(view, &view.active_hub).await?;
        let error = match self.look(&cx, device.as_str()).await {
            Ok(Some(seen)) => return Ok(seen),
            Ok(None) => return Err(DeviceError::not_found(device)),
            Err(error @ DeviceError::Unreachable(_)) => error,
            Err(other) => return Err(other),
        };
        let (fleet, hub) = (view.fleet.as_str(), view.active_hub.as_str());
        let mut connection = self.connection().await?;
        let last = store::observed::get(&mut *connection, fleet, hub, device.as_str()).await?;
        last.ok_or(error)
    }
}
