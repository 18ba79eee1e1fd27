//! The simulated fleet: each device asks the concierge over HTTPS, verifies what it is told, waits
//! for its slot, and sends telemetry to its hub, signed with its own key.
//!
//! Devices with certificates and disabled ones are not simulated: the emulated hub takes telemetry
//! with keys alone.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use hubshift_azure::{ExportImportDevice, Secret, Status, api_version, path, sas};
use hubshift_client::device::{
    Decision, DeviceClient, DeviceConfig, Trust, fetch_keys, http_client,
};
use hubshift_domain::id::{DeviceId, FleetId};
use reqwest::{Certificate, Client, StatusCode, Url};
use time::OffsetDateTime;
use tokio::time::sleep_until;

use super::percentiles::Percentiles;
use crate::world::{FLEET, World};

/// How often a device that is attached sends.
const TELEMETRY: Duration = Duration::from_secs(5);
/// A device that its hub refuses this often has no business there any more and goes quiet.
const REFUSALS: u32 = 3;
/// How long the story waits for the last device.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where a device is.
#[derive(Debug, Clone)]
struct Place {
    hub: String,
    since: Instant,
}

#[derive(Debug, Default)]
struct Board {
    places: Mutex<BTreeMap<String, Option<Place>>>,
    polls: AtomicU64,
    messages: AtomicU64,
}

impl Board {
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Option<Place>>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn attached(&self, device: &str, hub: &str) {
        let mut places = self.lock();
        let place = places.entry(device.to_owned()).or_default();
        if place.as_ref().is_none_or(|known| known.hub != hub) {
            *place = Some(Place {
                hub: hub.to_owned(),
                since: Instant::now(),
            });
        }
    }

    fn quiet(&self, device: &str) {
        self.lock().remove(device);
    }
}

/// All devices.
pub(crate) struct SimulatedFleet {
    board: Arc<Board>,
    mark: Instant,
    // Dropping it ends the devices.
    _devices: tokio::task::JoinSet<()>,
}

impl SimulatedFleet {
    /// Starts every seed that has keys and is enabled.
    pub(crate) async fn start(world: &World, seeds: &[ExportImportDevice]) -> anyhow::Result<Self> {
        let concierge = Url::parse(&world.layout.public_url())?;
        let asks = http_client(Some(&std::fs::read(world.public_ca())?))?;
        let keys = fetch_keys(&asks, &concierge)
            .await
            .context("the concierge gave no key set")?;
        let sends = hub_client(world)?;
        let board = Arc::new(Board::default());
        let mut devices = tokio::task::JoinSet::new();
        for seed in seeds
            .iter()
            .filter(|seed| seed.status == Some(Status::Enabled))
        {
            let Some((key, _)) = seed.authentication.as_ref().and_then(|auth| auth.keys()) else {
                continue;
            };
            let config = DeviceConfig {
                concierges: vec![concierge.clone()],
                fleet: FleetId::new(FLEET)?,
                device: DeviceId::new(seed.id.clone())?,
                trust: Trust::keys(keys.clone()),
                state_file: None,
            };
            board.lock().insert(seed.id.clone(), None);
            let device = Device {
                id: seed.id.clone(),
                key: key.clone(),
                client: DeviceClient::open(config, asks.clone())?,
                sends: sends.clone(),
                board: board.clone(),
                attached: None,
                refusals: 0,
                next_message: Instant::now(),
                next_poll: Instant::now(),
            };
            devices.spawn(device.live());
        }
        Ok(Self {
            board,
            mark: Instant::now(),
            _devices: devices,
        })
    }

    /// From now on arrivals are counted.
    pub(crate) fn mark(&mut self) {
        self.mark = Instant::now();
    }

    /// How many devices are attached to a hub.
    pub(crate) fn attached_count(&self, hub: &str) -> usize {
        let places = self.board.lock();
        places
            .values()
            .flatten()
            .filter(|place| place.hub == hub)
            .count()
    }

    /// Waits until every device that still lives is attached to a hub.
    pub(crate) async fn wait_attached(&self, hub: &str) -> anyhow::Result<()> {
        let started = Instant::now();
        loop {
            let (here, all) = (self.attached_count(hub), self.board.lock().len());
            if here == all {
                return Ok(());
            }
            if started.elapsed() > PATIENCE {
                bail!("{here} of {all} devices are at {hub} after {PATIENCE:?}");
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// How many devices arrived at a hub since the mark, and when.
    pub(crate) fn since_mark(&self, hub: &str) -> (u64, Percentiles) {
        let places = self.board.lock();
        let arrivals: Vec<Duration> = places
            .values()
            .flatten()
            .filter(|place| place.hub == hub && place.since >= self.mark)
            .map(|place| place.since.duration_since(self.mark))
            .collect();
        (arrivals.len() as u64, Percentiles::of(arrivals))
    }

    /// Polls answered, and messages that hubs took.
    pub(crate) fn totals(&self) -> (u64, u64) {
        let (polls, messages) = (&self.board.polls, &self.board.messages);
        (
            polls.load(Ordering::Relaxed),
            messages.load(Ordering::Relaxed),
        )
    }
}

fn hub_client(world: &World) -> anyhow::Result<Client> {
    let mut builder = Client::builder().timeout(Duration::from_secs(3)).no_proxy();
    for hub in [&world.east, &world.west] {
        builder =
            builder.add_root_certificate(Certificate::from_pem(&std::fs::read(hub.ca_file())?)?);
    }
    Ok(builder.build()?)
}

struct Device {
    id: String,
    key: Secret,
    client: DeviceClient,
    sends: Client,
    board: Arc<Board>,
    attached: Option<String>,
    refusals: u32,
    next_message: Instant,
    next_poll: Instant,
}

impl Device {
    /// Asks, connects, sends, until its hub refuses it for good.
    async fn live(mut self) {
        while self.refusals < REFUSALS {
            let now = Instant::now();
            if now >= self.next_poll {
                self.poll().await;
            }
            if let Some(decision) = self.client.decision() {
                self.attend(&decision).await;
            }
            sleep_until(self.next_turn().into()).await;
        }
        self.board.quiet(&self.id);
    }

    fn next_turn(&self) -> Instant {
        let floor = Instant::now() + Duration::from_millis(5);
        let Some(decision) = self.client.decision() else {
            return self.next_poll.max(floor);
        };
        let hub = decision.endpoint.hub.as_str();
        let is_there = self.attached.as_deref() == Some(hub);
        let act = if is_there {
            self.next_message
        } else {
            decision.connect_at
        };
        self.next_poll.min(act).max(floor)
    }

    async fn poll(&mut self) {
        if self
            .client
            .poll()
            .await
            .is_ok_and(|decision| decision.is_answered)
        {
            self.board.polls.fetch_add(1, Ordering::Relaxed);
        }
        self.next_poll = self.client.poll_at();
    }

    /// Connects when its slot has come; sends when it is attached and a message is due.
    async fn attend(&mut self, decision: &Decision) {
        let (hub, now) = (decision.endpoint.hub.to_string(), Instant::now());
        let is_there = self.attached.as_deref() == Some(hub.as_str());
        let due = if is_there {
            self.next_message
        } else {
            decision.connect_at
        };
        if now < due {
            return;
        }
        match self.send(&decision.endpoint.host).await {
            Ok(StatusCode::NO_CONTENT) => {
                self.client.on_connected(&decision.endpoint);
                self.board.attached(&self.id, &hub);
                self.board.messages.fetch_add(1, Ordering::Relaxed);
                (self.attached, self.refusals) = (Some(hub), 0);
                self.next_message = now + TELEMETRY;
            }
            Ok(StatusCode::UNAUTHORIZED | StatusCode::NOT_FOUND) => {
                self.refusals += 1;
                self.gone("refused");
            }
            Ok(status) => self.gone(status.as_str()),
            Err(_) => self.gone("no answer"),
        }
    }

    fn gone(&mut self, why: &str) {
        if self.attached.take().is_some() {
            self.client.on_disconnected();
        } else {
            self.client.on_connect_failed(why);
        }
    }

    async fn send(&self, host: &str) -> anyhow::Result<StatusCode> {
        let resource = sas::device_resource(host, &self.id);
        let expiry = OffsetDateTime::now_utc() + time::Duration::minutes(10);
        let token = sas::token(&resource, &self.key, None, expiry)?;
        let url = format!(
            "https://{host}/devices/{}/messages/events?api-version={}",
            path::encode_segment(&self.id),
            api_version::SENT
        );
        let request = self.sends.post(url).header("Authorization", token.expose());
        let answer = request.body(r#"{"temperature":21.5}"#).send().await?;
        Ok(answer.status())
    }
}
