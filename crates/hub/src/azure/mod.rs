//! The connector to Azure IoT Hub.
//!
//! An update of an identity replaces it whole, and the hub makes new keys where none are sent:
//! so both keys are always sent. Etags go out quoted, which every version of the API takes.

mod calls;
mod client;
mod convert;
mod failure;
mod listing;
mod rows;
mod settings;
mod transport;

use std::time::Duration;

use async_trait::async_trait;
use hubshift_azure::{RegistryStatistics, device_id, path};
use reqwest::Method;

pub use rows::Rows;
pub use settings::{AzureSettings, HubSetupError};

use crate::device::{DeviceWrite, EtagPair, HubDevice, Page, Statistics};
use crate::hub::{Capabilities, Hub};
use crate::outcome::{Cause, HubError, Outcome, Rejection};
use calls::{get_twin, is_torn, put_identity, put_twin, read_pair, read_rest};
use transport::{Class, Request, Transport};

/// An etag that stands for whatever is there.
const ANY: &str = "*";

/// An Azure IoT Hub, entered with a shared access policy. `Debug` shows no key.
#[derive(Debug)]
pub struct AzureHub {
    transport: Transport,
    read_lag: Duration,
}

impl AzureHub {
    /// Prepares a connector. Connects to nothing yet.
    pub fn new(settings: AzureSettings) -> Result<Self, HubSetupError> {
        let read_lag = settings.read_lag;
        Ok(Self {
            transport: Transport::new(settings)?,
            read_lag,
        })
    }

    async fn try_get(&self, id: &str) -> Result<Option<HubDevice>, HubError> {
        check_id(id)?;
        let call = self.transport.begin();
        let Some((identity, twin)) = read_pair(&call, id).await? else {
            return Ok(None);
        };
        if !is_torn(&identity, &twin) {
            return convert::device(identity, twin).map(Some);
        }
        // A second pair is taken as it is: each part was current when it was read.
        match read_pair(&call, id).await? {
            Some((identity, twin)) => convert::device(identity, twin).map(Some),
            None => Ok(None),
        }
    }

    async fn try_create(&self, device: &DeviceWrite) -> Result<HubDevice, HubError> {
        let id = &device.identity.device_id;
        check_id(id)?;
        let body = convert::identity_body(&device.identity)?;
        let call = self.transport.begin();
        let identity = put_identity(&call, id, &body, None).await?;
        let has_twin = !device.tags.is_empty() || !device.desired.is_empty();
        // The twin is as new as the identity, so that nobody else's words can be overwritten.
        let twin = if has_twin {
            put_twin(&call, id, &convert::twin_body(device), ANY).await
        } else {
            get_twin(&call, id).await
        };
        let joined = twin.and_then(|twin| convert::device(identity, twin));
        joined.map_err(|error| partial("the device was made, its twin was not confirmed", &error))
    }

    async fn try_update(
        &self,
        device: &DeviceWrite,
        if_match: &EtagPair,
    ) -> Result<HubDevice, HubError> {
        let id = &device.identity.device_id;
        check_id(id)?;
        let call = self.transport.begin();
        let identity = match &if_match.identity {
            Some(etag) => {
                let body = convert::identity_body(&device.identity)?;
                Some(put_identity(&call, id, &body, Some(etag)).await?)
            }
            None => None,
        };
        let twin = match &if_match.twin {
            Some(etag) => match put_twin(&call, id, &convert::twin_body(device), etag).await {
                Ok(twin) => Some(twin),
                Err(error) if identity.is_some() => {
                    return Err(partial(
                        "the identity was written, the twin was not",
                        &error,
                    ));
                }
                Err(error) => return Err(error),
            },
            None => None,
        };
        if identity.is_none() && twin.is_none() {
            return Err(invalid("an update names neither the identity nor the twin"));
        }
        read_rest(&call, id, identity, twin)
            .await
            .map_err(|error| partial("written, but not read back", &error))
    }

    async fn try_delete(&self, id: &str, etag: &str) -> Result<(), HubError> {
        check_id(id)?;
        let call = self.transport.begin();
        let request = Request::new(Class::RegistryWrite, Method::DELETE, &["devices", id]);
        call.send(request.if_match(etag)).await.map(|_| ())
    }

    async fn try_statistics(&self) -> Result<Statistics, HubError> {
        let call = self.transport.begin();
        let path = ["statistics", "devices"];
        let reply = call
            .send(Request::new(Class::RegistryRead, Method::GET, &path))
            .await?;
        let counts: RegistryStatistics = reply.json()?;
        let count = |count: i64| u64::try_from(count).unwrap_or_default();
        Ok(Statistics {
            total: count(counts.total_device_count),
            enabled: count(counts.enabled_device_count),
            disabled: count(counts.disabled_device_count),
        })
    }
}

#[async_trait]
impl Hub for AzureHub {
    async fn list(&self, cursor: Option<String>, page_size: u32) -> Outcome<Page> {
        listing::page(&self.transport.begin(), cursor.as_deref(), page_size)
            .await
            .into()
    }

    async fn get(&self, device_id: &str) -> Outcome<Option<HubDevice>> {
        self.try_get(device_id).await.into()
    }

    async fn create(&self, device: &DeviceWrite) -> Outcome<HubDevice> {
        self.try_create(device).await.into()
    }

    async fn update(&self, device: &DeviceWrite, if_match: &EtagPair) -> Outcome<HubDevice> {
        self.try_update(device, if_match).await.into()
    }

    async fn delete(&self, device_id: &str, if_match_identity: &str) -> Outcome<()> {
        self.try_delete(device_id, if_match_identity).await.into()
    }

    async fn statistics(&self) -> Outcome<Statistics> {
        self.try_statistics().await.into()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            conditional_write: true,
            change_feed: false,
            range_digest: false,
            hard_fence: false,
            max_page_size: listing::MAX_PAGE,
            read_lag: self.read_lag,
        }
    }

    fn call_deadline(&self) -> Duration {
        self.transport.call_deadline()
    }
}

/// Refuses ids that a hub or a URL cannot hold, before anything is sent.
fn check_id(id: &str) -> Result<(), HubError> {
    device_id::check(id).map_err(|error| invalid(&error.to_string()))?;
    if path::is_addressable(id) {
        return Ok(());
    }
    Err(invalid(
        "a device called . or .. cannot be addressed by HTTP",
    ))
}

fn invalid(text: &str) -> HubError {
    Rejection::Invalid(text.to_owned()).into()
}

fn partial(what: &str, error: &HubError) -> HubError {
    Cause::Partial(format!("{what}: {error}")).into()
}
