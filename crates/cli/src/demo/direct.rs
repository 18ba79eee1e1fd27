//! A hub without Hubshift: what a portal or a script does to it, and what the auditor reads.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, bail};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use hubshift_hub::{
    AzureHub, AzureSettings, DeviceWrite, EtagPair, Hub as _, HubDevice, Login, Outcome, Secret,
};

use crate::world::EmulatedHub;

/// A hub, reached directly.
pub(crate) struct Direct {
    hub: AzureHub,
}

impl Direct {
    /// Connects with the hub's own policy.
    pub(crate) fn to(hub: &EmulatedHub) -> anyhow::Result<Self> {
        let login = Login::Sas {
            policy: hub.policy().to_owned(),
            key: Secret::new(hub.policy_key()),
        };
        let settings = AzureSettings {
            ca_pem: Some(std::fs::read_to_string(hub.ca_file())?),
            call_deadline: Duration::from_secs(10),
            read_lag: Duration::ZERO,
            ..AzureSettings::at(hub.host(), login)
        };
        Ok(Self {
            hub: AzureHub::new(settings)?,
        })
    }

    /// One device.
    pub(crate) async fn get(&self, device: &str) -> anyhow::Result<Option<HubDevice>> {
        done(self.hub.get(device).await)
    }

    /// Every device, with its keys.
    pub(crate) async fn all(&self) -> anyhow::Result<BTreeMap<String, HubDevice>> {
        let (mut ids, mut cursor): (Vec<String>, _) = (Vec::new(), None);
        loop {
            let page = done(self.hub.list(cursor, 1000).await)?;
            ids.extend(page.rows.into_iter().map(|row| row.device_id));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        let devices: Vec<Option<HubDevice>> = stream::iter(ids)
            .map(|id| async move { self.get(&id).await })
            .buffer_unordered(16)
            .try_collect()
            .await?;
        Ok(devices
            .into_iter()
            .flatten()
            .map(|d| (d.identity.device_id.clone(), d))
            .collect())
    }

    /// Creates a device.
    pub(crate) async fn create(&self, write: &DeviceWrite) -> anyhow::Result<HubDevice> {
        done(self.hub.create(write).await)
    }

    /// Changes a device to what `edit` makes of it.
    pub(crate) async fn edit(
        &self,
        device: &str,
        edit: impl FnOnce(&mut DeviceWrite),
    ) -> anyhow::Result<()> {
        let seen = self
            .get(device)
            .await?
            .with_context(|| format!("{device} is not there"))?;
        let etags = EtagPair {
            identity: Some(seen.identity_etag.clone()),
            twin: Some(seen.twin_etag.clone()),
        };
        let mut write = DeviceWrite {
            identity: seen.identity,
            tags: seen.tags,
            desired: seen.desired,
        };
        edit(&mut write);
        done(self.hub.update(&write, &etags).await).map(|_| ())
    }
}

fn done<T>(outcome: Outcome<T>) -> anyhow::Result<T> {
    match outcome {
        Outcome::Done(value) => Ok(value),
        Outcome::Rejected(why) => bail!("the hub refused: {why:?}"),
        Outcome::Unknown(why) => bail!("the hub did not answer: {why:?}"),
    }
}
