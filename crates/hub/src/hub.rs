//! What every kind of hub offers.

use std::time::Duration;

use async_trait::async_trait;

use crate::bulk::BulkHub;
use crate::device::{DeviceWrite, EtagPair, HubDevice, Page, Statistics};
use crate::outcome::Outcome;

/// What a hub can do and how far it can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Writes can be bound to an etag.
    pub conditional_write: bool,
    /// The hub tells of changes by itself.
    pub change_feed: bool,
    /// The hub gives digests of ranges of devices.
    pub range_digest: bool,
    /// The hub can be told not to accept registry writes, by who may write to it. Who may manage it
    /// can shut it out: see [`crate::management`].
    pub hard_fence: bool,
    /// What authorises a call stays good after [`Hub::call_deadline`].
    pub authority_outlives_call: bool,
    /// The most rows of a listing's page.
    pub max_page_size: u32,
    /// How old a listing may be.
    pub read_lag: Duration,
}

/// A hub that holds identities and twins of devices and modules, and configurations. Each is known
/// by its [`crate::Key`].
///
/// Every method ends within [`Hub::call_deadline`], and so does everything that the hub may
/// still do on its behalf where what authorises the call expires with it.
#[async_trait]
pub trait Hub: Send + Sync {
    /// A page of the listing, from `cursor` (a [`Page::next`]) or from the start. A device comes
    /// before its modules.
    async fn list(&self, cursor: Option<String>, page_size: u32) -> Outcome<Page>;

    /// A page of the devices that the hub takes to be connected, from `cursor` or from the start.
    /// What it takes for it may be minutes old, and it knows no device that asks it by HTTPS.
    async fn connected(&self, cursor: Option<String>, page_size: u32) -> Outcome<Page>;

    /// What is there now under a key; nothing if the hub says that there is nothing.
    async fn get(&self, key: &str) -> Outcome<Option<HubDevice>>;

    /// Makes what must not be there, and returns it as the hub now shows it. Its parent must be
    /// there: else that is the rejection, `ParentMissing`.
    ///
    /// A device that was made without its tags and desired is reported as unknown. A module that
    /// the hub makes by itself counts as not there while nobody has set anything of it.
    async fn create(&self, device: &DeviceWrite) -> Outcome<HubDevice>;

    /// Replaces the parts that `if_match` names, and returns the whole.
    ///
    /// When one part was written and the other was not, that is reported as unknown.
    async fn update(&self, device: &DeviceWrite, if_match: &EtagPair) -> Outcome<HubDevice>;

    /// Removes what has this key, and its twin, if its identity still has this etag. A device's
    /// modules go with it.
    async fn delete(&self, key: &str, if_match_identity: &str) -> Outcome<()>;

    /// How many devices there are. Modules and configurations are not counted.
    async fn statistics(&self) -> Outcome<Statistics>;

    /// What this hub can do.
    fn capabilities(&self) -> Capabilities;

    /// The longest that a call can take.
    ///
    /// It is also the longest until it takes effect where the call's authority ends with it, as a
    /// token of a shared access policy does. A bearer token of Entra ID stays good for an hour or
    /// more: a request that we gave up, and that something between us and the hub kept, may then
    /// still land after the deadline. Nothing of ours keeps it for more than half a deadline more:
    /// connections are dropped with what they have not delivered.
    fn call_deadline(&self) -> Duration;

    /// How long after that a call that was given up may still take effect; nothing where what
    /// authorises it ends with it. Before that nobody can say what became of the call.
    fn afterlife(&self) -> Duration {
        Duration::ZERO
    }

    /// The way through import and export jobs, if the hub has one.
    fn bulk(&self) -> Option<&dyn BulkHub> {
        None
    }
}
