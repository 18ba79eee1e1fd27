//! The connector to Azure IoT Hub.
//!
//! An update of an identity replaces it whole, and the hub makes new keys where none are sent:
//! so both keys are always sent. Etags go out quoted, which every version of the API takes, and no
//! write goes out whatever is there: what makes something has no etag and fails if it is there,
//! everything else has one.

mod calls;
mod configuration;
mod convert;
mod device;
mod failure;
mod hierarchy;
mod hush;
mod job;
mod kinds;
mod line;
mod listing;
mod module;
mod request;
mod rows;
mod settings;
mod transport;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hubshift_azure::{RegistryStatistics, path};
use reqwest::Method;

pub use kinds::Kinds;
pub use line::{BadLine, Exported, FailedLine, export_line, import_errors, import_line};
pub use rows::Rows;
pub use settings::{AzureSettings, HubSetupError};

use crate::budget::Budget;
use crate::bulk::BulkHub;
use crate::device::{DeviceWrite, EtagPair, HubDevice, Page, Statistics};
use crate::hub::{Capabilities, Hub};
use crate::key::Key;
use crate::outcome::{Cause, HubError, Outcome, Rejection};
use module::Name;
use transport::{Class, Request, Transport};

/// An Azure IoT Hub, entered with a shared access policy or a token of Entra ID. `Debug` shows no
/// key.
#[derive(Debug)]
pub struct AzureHub {
    transport: Transport,
    bearer_afterlife: Duration,
    read_lag: Duration,
    kinds: Kinds,
}

impl AzureHub {
    /// Prepares a connector. Connects to nothing yet. Every kind of record is listed.
    pub fn new(settings: AzureSettings) -> Result<Self, HubSetupError> {
        let (bearer_afterlife, read_lag) = (settings.bearer_afterlife, settings.read_lag);
        Ok(Self {
            transport: Transport::new(settings)?,
            bearer_afterlife,
            read_lag,
            kinds: Kinds::default(),
        })
    }

    /// Lists these kinds of records beside devices, and no others.
    pub fn with_kinds(self, kinds: Kinds) -> Self {
        Self { kinds, ..self }
    }

    /// The same hub, by the same connections and tokens, within another budget.
    pub fn with_budget(&self, budget: Arc<dyn Budget>) -> Self {
        Self {
            transport: self.transport.with_budget(budget),
            ..*self
        }
    }

    /// Whether what authorises a call stays good after [`Hub::call_deadline`]: then a call that
    /// was given up may still land later, if something on the way to the hub kept it.
    pub fn authority_outlives_call(&self) -> bool {
        self.transport.authority_outlives_call()
    }

    async fn try_get(&self, key: &str) -> Result<Option<HubDevice>, HubError> {
        let key = addressable(key)?;
        let call = self.transport.begin();
        match key {
            Key::Device(id) => device::get(&call, id).await,
            Key::Module(device, module) => module::get(&call, Name { device, module }).await,
            Key::Configuration(id) => configuration::get(&call, id).await,
        }
    }

    async fn try_create(&self, write: &DeviceWrite) -> Result<HubDevice, HubError> {
        let key = addressable(&write.identity.device_id)?;
        let call = self.transport.begin();
        match key {
            Key::Device(_) => device::create(&call, write).await,
            Key::Module(device, module) => {
                module::create(&call, Name { device, module }, write).await
            }
            Key::Configuration(id) => configuration::create(&call, id, write).await,
        }
    }

    async fn try_update(
        &self,
        write: &DeviceWrite,
        if_match: &EtagPair,
    ) -> Result<HubDevice, HubError> {
        let key = addressable(&write.identity.device_id)?;
        let call = self.transport.begin();
        match key {
            Key::Device(_) => device::update(&call, write, if_match).await,
            Key::Module(device, module) => {
                module::update(&call, Name { device, module }, write, if_match).await
            }
            Key::Configuration(id) => configuration::update(&call, id, write, if_match).await,
        }
    }

    async fn try_delete(&self, key: &str, etag: &str) -> Result<(), HubError> {
        let key = addressable(key)?;
        let call = self.transport.begin();
        match key {
            Key::Device(id) => device::delete(&call, id, etag).await,
            Key::Module(device, module) => {
                module::delete(&call, Name { device, module }, etag).await
            }
            Key::Configuration(id) => configuration::delete(&call, id, etag).await,
        }
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
        let call = self.transport.begin();
        listing::page(&call, cursor.as_deref(), page_size, self.kinds)
            .await
            .into()
    }

    async fn connected(&self, cursor: Option<String>, page_size: u32) -> Outcome<Page> {
        let call = self.transport.begin();
        listing::connected(&call, cursor.as_deref(), page_size)
            .await
            .into()
    }

    async fn get(&self, key: &str) -> Outcome<Option<HubDevice>> {
        self.try_get(key).await.into()
    }

    async fn create(&self, device: &DeviceWrite) -> Outcome<HubDevice> {
        self.try_create(device).await.into()
    }

    async fn update(&self, device: &DeviceWrite, if_match: &EtagPair) -> Outcome<HubDevice> {
        self.try_update(device, if_match).await.into()
    }

    async fn delete(&self, key: &str, if_match_identity: &str) -> Outcome<()> {
        self.try_delete(key, if_match_identity).await.into()
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
            authority_outlives_call: self.authority_outlives_call(),
            max_page_size: listing::MAX_PAGE,
            read_lag: self.read_lag,
        }
    }

    fn call_deadline(&self) -> Duration {
        self.transport.call_deadline()
    }

    fn afterlife(&self) -> Duration {
        match self.authority_outlives_call() {
            true => self.bearer_afterlife,
            false => Duration::ZERO,
        }
    }

    fn bulk(&self) -> Option<&dyn BulkHub> {
        Some(self)
    }
}

/// Refuses keys that a hub or a URL cannot hold, before anything is sent.
fn addressable(text: &str) -> Result<Key<'_>, HubError> {
    let key = Key::parse(text).map_err(|error| invalid(&error.to_string()))?;
    let ids = match key {
        Key::Device(id) | Key::Configuration(id) => [id, id],
        Key::Module(device, module) => [device, module],
    };
    if ids.into_iter().all(path::is_addressable) {
        return Ok(key);
    }
    Err(invalid("an id called . or .. cannot be addressed by HTTP"))
}

fn invalid(text: &str) -> HubError {
    Rejection::Invalid(text.to_owned()).into()
}

fn partial(what: &str, error: &HubError) -> HubError {
    Cause::Partial(format!("{what}: {error}")).into()
}
