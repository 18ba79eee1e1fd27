//! Many devices behind one gateway: one poll for all of them, and a slot for each.
//!
//! A route is signed for the whole fleet, and a slot follows from it and the device's id. So the
//! gateway asks without a device, which a cache may answer, verifies once, and each device keeps
//! its own slot, backoff and place in the signed list in a [`Core`] of its own.
//!
//! What devices don't say themselves, the gateway may say for them: a concierge counts the devices
//! that it heard of within 1.2 poll periods, and those behind a silent gateway are missing from
//! coverage and adoption. `echo_every` makes the gateway ask once per device in that span, evenly
//! spread and mostly answered by 304: at the poll period all of them are counted, at n periods one
//! in n, without it none.
//!
//! Durable: the gateway's state file, one route for all. Kept true: what holds for a device.

mod echo;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use hubshift_domain::id::{DeviceId, FleetId, HubId};
use hubshift_domain::route::{KeySet, RouteEndpoint};
use reqwest::{Client, Url};
use time::OffsetDateTime;

use super::poller::{Poller, until};
use super::{Answer, Core, Decision, DeviceClient, DeviceConfig, DeviceError, Trust};
use echo::Echo;

/// What a gateway is told at its start.
#[derive(Debug, Clone)]
pub struct GatewayConfig {
    /// Base URLs of concierges, in the order of preference; one or more.
    pub concierges: Vec<Url>,
    /// The fleet of its devices.
    pub fleet: FleetId,
    /// The gateway's own id: for its logs.
    pub gateway: DeviceId,
    /// Whose signatures it believes.
    pub trust: Trust,
    /// Where the highest accepted epoch is kept. Without a file a restart forgets it.
    pub state_file: Option<PathBuf>,
    /// The span in which each device is mentioned once to a concierge; `None`: never.
    pub echo_every: Option<Duration>,
}

/// A device of the gateway should connect now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Which.
    pub device: DeviceId,
    /// Its hub; it leaves the one that it is attached to, if that is another.
    pub endpoint: RouteEndpoint,
    /// When this was due.
    pub at: Instant,
}

struct Member {
    core: Core,
    /// What the application was told, until it reports.
    told: Option<(HubId, Instant)>,
    /// Its place in the gateway's schedule.
    planned: Option<Instant>,
}

/// The devices of a gateway, about 5 KB of memory each.
pub struct Gateway {
    poller: Poller,
    members: BTreeMap<DeviceId, Member>,
    /// Who connects when.
    due: BTreeSet<(Instant, DeviceId)>,
    /// The route that the devices hold, and the trust in it that they share.
    seen: Option<String>,
    trust: Trust,
    echo: Echo,
}

impl Gateway {
    /// Takes up the saved state, if there is one. Nothing is asked yet.
    ///
    /// # Errors
    /// No concierge, or a state file that can't be read or believed.
    pub fn open(config: GatewayConfig, http: Client) -> Result<Self, DeviceError> {
        let own = DeviceConfig {
            concierges: config.concierges,
            fleet: config.fleet,
            device: config.gateway,
            trust: config.trust,
            state_file: config.state_file,
        };
        let now = Instant::now();
        let mut gateway = Self {
            poller: Poller::new(DeviceClient::open_for_fleet(own, http)?),
            members: BTreeMap::new(),
            due: BTreeSet::new(),
            seen: None,
            trust: Trust::keys(KeySet::default()),
            echo: Echo::new(config.echo_every, now),
        };
        gateway.see(now);
        Ok(gateway)
    }

    /// A device appeared behind the gateway. Its slot counts from when the gateway accepted the
    /// epoch. One that is known already stays as it is.
    pub fn add(&mut self, device: DeviceId) {
        if self.members.contains_key(&device) {
            return;
        }
        let now = Instant::now();
        let held = self.poller.client().core();
        let fleet = held.fleet().clone();
        let mut core = Core::new(fleet, device.clone(), self.trust.clone(), now);
        core.on_clock(OffsetDateTime::now_utc(), now);
        if let Some((route, ago)) = held.held(now) {
            // It was verified when it was accepted: the shared trust knows it.
            if let Err(error) = core.restore(route, ago, now) {
                tracing::error!(%device, %error, "a device does not take its gateway's route");
            }
        }
        let member = Member {
            core,
            told: None,
            planned: None,
        };
        self.members.insert(device.clone(), member);
        self.plan(&device, now);
    }

    /// A device left the gateway for good.
    pub fn remove(&mut self, device: &DeviceId) {
        if let Some(member) = self.members.remove(device)
            && let Some(at) = member.planned
        {
            self.due.remove(&(at, device.clone()));
        }
    }

    /// Polls until a device should connect, and returns which and where. To drop the future and to
    /// call again loses nothing and sends nothing twice; polls go on only while it is awaited.
    pub async fn next(&mut self) -> Due {
        loop {
            let now = Instant::now();
            if self.poller.start_if_due(now) {
                self.spread(now);
            }
            self.echo
                .start_if_due(self.poller.client(), &self.members, now);
            if let Some(due) = self.pop(now) {
                return due;
            }
            let wake = self.wake();
            tokio::select! {
                reply = self.poller.reply() => {
                    if self.poller.take(reply) {
                        self.spread(Instant::now());
                    }
                }
                reply = self.echo.reply() => self.echo.take(&reply, Instant::now()),
                () = until(wake) => {}
            }
        }
    }

    fn wake(&self) -> Option<Instant> {
        let first = self.due.first().map(|(at, _)| *at);
        let echo = self.echo.begins_at().filter(|_| !self.members.is_empty());
        let times = [self.poller.begins_at(), first, echo];
        times.into_iter().flatten().min()
    }

    fn pop(&mut self, now: Instant) -> Option<Due> {
        loop {
            let place = self.due.first().filter(|(at, _)| *at <= now).cloned()?;
            self.due.remove(&place);
            let due = self.members.get_mut(&place.1).and_then(|one| one.due(now));
            self.plan(&place.1, now);
            if due.is_some() {
                return due;
            }
        }
    }

    /// A poll is over: every device learns what came of it.
    fn spread(&mut self, now: Instant) {
        let decision = self.poller.client().decision();
        let is_answered = decision.is_some_and(|decision| decision.is_answered);
        let is_new = self.see(now);
        let answer = self.news().filter(|_| is_new);
        let unix = OffsetDateTime::now_utc();
        for member in self.members.values_mut() {
            member.core.on_clock(unix, now);
            match (is_answered, &answer) {
                (false, _) => member.core.on_failure(now, 0),
                (true, None) => member.core.on_not_modified(now, 0),
                (true, Some(answer)) => {
                    *member.core.trust_mut() = self.trust.clone();
                    if let Err(error) = member.core.on_answer(answer, now, 0) {
                        let device = member.core.device();
                        tracing::error!(%device, %error, "a device does not take its gateway's route");
                    }
                }
            }
        }
        let devices: Vec<_> = self.members.keys().cloned().collect();
        for device in devices {
            self.plan(&device, now);
        }
    }

    /// Takes over the route that the gateway holds; whether it is another one than before.
    fn see(&mut self, now: Instant) -> bool {
        let client = self.poller.client();
        let (Some((token, _)), Some(decision)) = (client.core().held(now), client.decision())
        else {
            return false;
        };
        if self.seen.as_deref() == Some(token) {
            return false;
        }
        self.trust = Trust::seen(token, decision.route);
        self.seen = Some(token.to_owned());
        true
    }

    /// The last answer with the route that is held.
    fn news(&self) -> Option<Answer> {
        let answer = self.poller.client().fleet_answer()?;
        Some(Answer {
            route: self.seen.clone()?,
            ..answer.clone()
        })
    }

    /// Puts a device where it belongs in the schedule.
    fn plan(&mut self, device: &DeviceId, now: Instant) {
        let Some(member) = self.members.get_mut(device) else {
            return;
        };
        if let Some(at) = member.planned.take() {
            self.due.remove(&(at, device.clone()));
        }
        if let Some(at) = member.look_at(now) {
            member.planned = Some(at);
            self.due.insert((at, device.clone()));
        }
    }

    /// The device is attached to this hub now.
    pub fn connected(&mut self, device: &DeviceId, endpoint: &RouteEndpoint) {
        self.report(device, |core| core.on_connected(endpoint));
    }

    /// The device lost its hub. A connection that was closed to go where it was told is not
    /// reported.
    pub fn disconnected(&mut self, device: &DeviceId) {
        self.report(device, |core| {
            core.on_disconnected(Instant::now(), rand::random());
        });
    }

    /// The device's attempt to connect failed.
    pub fn failed(&mut self, device: &DeviceId, error: &str) {
        self.report(device, |core| {
            core.on_connect_failed(error, Instant::now(), rand::random());
        });
    }

    fn report(&mut self, device: &DeviceId, tell: impl FnOnce(&mut Core)) {
        if let Some(member) = self.members.get_mut(device) {
            tell(&mut member.core);
            member.told = None;
            self.plan(device, Instant::now());
        }
    }

    /// The client that polls for all, to look at.
    pub fn client(&self) -> &DeviceClient {
        self.poller.client()
    }
}

impl Member {
    /// What the application is to be told now, and is told with this.
    fn due(&mut self, now: Instant) -> Option<Due> {
        let decision = self.core.decision_at(now)?;
        let at = self.connects_at(&decision).filter(|at| *at <= now)?;
        self.told = Some((decision.endpoint.hub.clone(), at));
        Some(Due {
            device: self.core.device().clone(),
            endpoint: decision.endpoint,
            at,
        })
    }

    /// When to look at this device again: it connects then, or its canary ends.
    fn look_at(&self, now: Instant) -> Option<Instant> {
        let decision = self.core.decision_at(now)?;
        let times = [self.connects_at(&decision), decision.until];
        times.into_iter().flatten().min()
    }

    /// `None`: the device is where it belongs, or the application knows.
    fn connects_at(&self, decision: &Decision) -> Option<Instant> {
        let (hub, at) = (&decision.endpoint.hub, decision.connect_at);
        let (_, attached, _) = self.core.echo();
        let is_there = attached == hub.as_str();
        let told = self.told.as_ref();
        let is_told = told.is_some_and(|told| told.0 == *hub && told.1 == at);
        (!is_there && !is_told).then_some(at)
    }
}
