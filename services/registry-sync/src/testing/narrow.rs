//! A hub in memory that answers so many calls, and then asks for a pause.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use hubshift_hub::{
    Capabilities, Credentials, DeviceWrite, EtagPair, Hub, HubDevice, Identity, Outcome, Page,
    Rejection, Statistics,
};
use serde_json::Map;

/// How long the hub asks to be left alone.
pub(crate) const NARROW_PAUSE: Duration = Duration::from_secs(3);

/// The hub.
#[derive(Default)]
pub(crate) struct Narrow {
    left: Mutex<usize>,
    refused: AtomicUsize,
    devices: Mutex<BTreeMap<String, HubDevice>>,
}

impl Narrow {
    /// One that holds these devices, and answers nothing yet.
    pub(crate) fn with(ids: &[String]) -> Arc<Self> {
        let hub = Self::default();
        for id in ids {
            let identity = Identity {
                device_id: id.clone(),
                enabled: true,
                status_reason: None,
                credentials: Credentials::Ca,
                iot_edge: false,
                parent: None,
                managed_by: None,
            };
            let device = DeviceWrite {
                identity,
                tags: Map::new(),
                desired: Map::new(),
            };
            hub.devices().insert(id.clone(), made(&device));
        }
        Arc::new(hub)
    }

    /// A new window: so many calls are answered.
    pub(crate) fn refill(&self, calls: usize) {
        *self.left.lock().unwrap() = calls;
    }

    /// Calls that were not answered.
    pub(crate) fn refused(&self) -> usize {
        self.refused.load(Ordering::SeqCst)
    }

    /// What it holds.
    pub(crate) fn devices(&self) -> MutexGuard<'_, BTreeMap<String, HubDevice>> {
        self.devices.lock().unwrap()
    }

    fn answer<T>(&self, answer: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
        let one_less = self.left.lock().unwrap().checked_sub(1);
        if let Some(left) = one_less {
            *self.left.lock().unwrap() = left;
            return answer();
        }
        self.refused.fetch_add(1, Ordering::SeqCst);
        Outcome::Rejected(Rejection::Throttled {
            retry_after: NARROW_PAUSE,
        })
    }
}

fn made(device: &DeviceWrite) -> HubDevice {
    HubDevice {
        identity: device.identity.clone(),
        tags: device.tags.clone(),
        desired: device.desired.clone(),
        generation_id: "g".into(),
        identity_etag: "i".into(),
        twin_etag: "t".into(),
        twin_version: 1,
        desired_version: 1,
    }
}

fn not_played<T>() -> Outcome<T> {
    Outcome::Rejected(Rejection::Invalid("no test needs it".into()))
}

#[async_trait]
impl Hub for Narrow {
    async fn list(&self, _: Option<String>, _: u32) -> Outcome<Page> {
        not_played()
    }

    async fn connected(&self, _: Option<String>, _: u32) -> Outcome<Page> {
        not_played()
    }

    async fn get(&self, device_id: &str) -> Outcome<Option<HubDevice>> {
        self.answer(|| Outcome::Done(self.devices().get(device_id).cloned()))
    }

    async fn create(&self, device: &DeviceWrite) -> Outcome<HubDevice> {
        self.answer(|| {
            let made = made(device);
            let id = made.identity.device_id.clone();
            self.devices().insert(id, made.clone());
            Outcome::Done(made)
        })
    }

    async fn update(&self, _: &DeviceWrite, _: &EtagPair) -> Outcome<HubDevice> {
        not_played()
    }

    async fn delete(&self, _: &str, _: &str) -> Outcome<()> {
        not_played()
    }

    async fn statistics(&self) -> Outcome<Statistics> {
        not_played()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            conditional_write: true,
            change_feed: false,
            range_digest: false,
            hard_fence: false,
            authority_outlives_call: false,
            max_page_size: 100,
            read_lag: Duration::ZERO,
        }
    }

    fn call_deadline(&self) -> Duration {
        Duration::from_secs(1)
    }
}
