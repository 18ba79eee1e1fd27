//! A device's client: HTTPS and a state file around [`Core`].
//!
//! Durable: the state file (files.rs). It is written before an accepted route is acted on, and a
//! key set is written only with a route that it verifies, so that a restart finds both usable. So is
//! what ends a wait: arrival, and the end of a canary.

mod round;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use hubshift_domain::id::{DeviceId, FleetId};
use hubshift_domain::pacing;
use hubshift_domain::route::RouteEndpoint;
use reqwest::{Client, Url};
use time::OffsetDateTime;

use super::concierges::Concierges;
use super::files::{Saved, SavedAim, StateFile};
use super::poller::Poller;
use super::{Answer, Core, Decision, DeviceError, HttpError, PollError, Steps, Trust};

pub(super) use round::{Exchange, Reply};

/// How often the key set is looked at, where a recovery key is pinned.
const KEYS_PERIOD: Duration = Duration::from_secs(24 * 3600);

/// What a device is told at its start.
#[derive(Debug, Clone)]
pub struct DeviceConfig {
    /// Base URLs of concierges, in the order of preference; one or more.
    pub concierges: Vec<Url>,
    /// The device's fleet.
    pub fleet: FleetId,
    /// The device's own id.
    pub device: DeviceId,
    /// Whose signatures it believes.
    pub trust: Trust,
    /// Where the highest accepted epoch is kept. Without a file a restart forgets it.
    pub state_file: Option<PathBuf>,
}

/// For whom a client asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Audience {
    /// Its device.
    Device,
    /// The whole fleet: the answer that a cache may keep.
    Fleet,
}

/// One device. Share the HTTP client between devices of a process.
pub struct DeviceClient {
    core: Core,
    http: Client,
    concierges: Concierges,
    audience: Audience,
    /// The concierges that the poll under way may still ask, and the one that it asks.
    left: VecDeque<usize>,
    place: usize,
    /// The tag of the last answer, and whose it was.
    etag: Option<(usize, String)>,
    /// The last answer of the whole fleet that was believed.
    answer: Option<Answer>,
    key_set: Option<String>,
    /// Whether the key set was taken since the last save.
    has_learned: bool,
    keys_due: Instant,
    /// Why the last poll came to nothing.
    trouble: Option<PollError>,
    state: Option<StateFile>,
}

impl DeviceClient {
    /// Takes up the saved state, if there is one. Nothing is asked yet.
    ///
    /// # Errors
    /// No concierge, or a state file that can't be read or believed.
    pub fn open(config: DeviceConfig, http: Client) -> Result<Self, DeviceError> {
        Self::open_for(Audience::Device, config, http)
    }

    /// As [`open`](Self::open), but a state file that can't be read or believed is put aside (with
    /// `.refused` added to its name) and the device starts as a new one: the next signed route is
    /// accepted, even one of an older epoch. For devices that nobody can go to.
    ///
    /// # Errors
    /// No concierge, or a state file that can't be put aside either.
    pub fn open_or_forget(config: DeviceConfig, http: Client) -> Result<Self, DeviceError> {
        let error = match Self::open(config.clone(), http.clone()) {
            Err(error) if !matches!(error, DeviceError::NoConcierge) => error,
            opened => return opened,
        };
        let Some(path) = config.state_file.clone() else {
            return Err(error);
        };
        tracing::error!(
            path = %path.display(), error = &error as &dyn std::error::Error,
            "the device forgets what it knew"
        );
        let file = StateFile { path };
        file.put_aside().map_err(|source| DeviceError::State {
            path: file.path.clone(),
            source,
        })?;
        Self::open(config, http)
    }

    /// A client that asks for the whole fleet, whatever its device.
    pub(super) fn open_for_fleet(config: DeviceConfig, http: Client) -> Result<Self, DeviceError> {
        Self::open_for(Audience::Fleet, config, http)
    }

    fn open_for(
        audience: Audience,
        config: DeviceConfig,
        http: Client,
    ) -> Result<Self, DeviceError> {
        if config.concierges.is_empty() {
            return Err(DeviceError::NoConcierge);
        }
        let now = Instant::now();
        let mut client = Self {
            core: Core::new(config.fleet, config.device, config.trust, now),
            http,
            concierges: Concierges::new(config.concierges),
            audience,
            left: VecDeque::new(),
            place: 0,
            etag: None,
            answer: None,
            key_set: None,
            has_learned: false,
            // A fleet that starts at once, after a power cut, must not ask at once.
            keys_due: now + pacing::share(KEYS_PERIOD, rand::random()),
            trouble: None,
            state: config.state_file.map(|path| StateFile { path }),
        };
        client.restore()?;
        Ok(client)
    }

    fn restore(&mut self) -> Result<(), DeviceError> {
        let Some(file) = &self.state else {
            return Ok(());
        };
        let read = file.load();
        let saved = read.map_err(|source| DeviceError::State {
            path: file.path.clone(),
            source,
        })?;
        let Some(saved) = saved else { return Ok(()) };
        // Pinned keys that took the place of a recovery key count alone.
        if let Some(token) = &saved.key_set
            && self.core.trust_mut().can_learn()
        {
            let learned = self.core.trust_mut().learn_signed(token);
            learned.map_err(DeviceError::SavedKeys)?;
        }
        self.key_set = saved.key_set;
        // A clock that went back makes the wait longer, at most by the whole slot.
        let ago = unix_ms().saturating_sub(saved.accepted_unix_ms);
        let ago = Duration::from_millis(u64::try_from(ago).unwrap_or(0));
        let now = Instant::now();
        self.core.on_clock(OffsetDateTime::now_utc(), now);
        self.core
            .restore(&saved.route, ago, now)
            .map_err(DeviceError::Saved)?;
        if let Some(aim) = saved.aim.and_then(|aim| aim.at(unix_ms())) {
            self.core.restore_aim(&aim, now);
        }
        Ok(())
    }

    /// Polls by itself from now on and says when to connect where: for applications that have one
    /// loop for everything.
    pub fn run(self) -> Steps {
        Steps::new(Poller::new(self))
    }

    /// Asks the concierges in turn, each once, until one gives an answer that is believed. One that
    /// asked for time is passed over. With a route held there always is a decision; `is_answered`
    /// says what it rests on.
    ///
    /// To be awaited to its end: a poll that is dropped half way counts for nothing. Where other
    /// things happen meanwhile, use [`run`](Self::run).
    ///
    /// # Errors
    /// Nobody answered and nothing is held; ask again at [`poll_at`](Self::poll_at).
    pub async fn poll(&mut self) -> Result<Decision, DeviceError> {
        let mut next = self.begin(Instant::now());
        while let Some(exchange) = next {
            let reply = exchange.send().await;
            next = self.take(reply);
        }
        match (self.core.decision(), self.trouble.take()) {
            (Some(decision), _) => Ok(decision),
            (None, Some(error)) => Err(DeviceError::NoRoute(error)),
            (None, None) => Err(DeviceError::NoRoute(HttpError::Malformed.into())),
        }
    }

    /// When to ask again: in the usual period, and never before a concierge allows it.
    pub fn poll_at(&self) -> Instant {
        let usual = self.core.poll_at();
        self.concierges
            .free_at()
            .map_or(usual, |free| usual.max(free))
    }

    /// Why the last poll that [`run`](Self::run) made came to nothing; `None` if it was answered.
    pub fn trouble(&self) -> Option<&PollError> {
        self.trouble.as_ref()
    }

    /// The last answer that is the same for the whole fleet.
    pub(super) fn fleet_answer(&self) -> Option<&Answer> {
        self.answer.as_ref()
    }

    /// A device that can't save still moves: staying at a dead hub would be worse.
    fn save(&mut self) {
        self.has_learned = false;
        let now = Instant::now();
        let (Some(file), Some((route, ago))) = (&self.state, self.core.held(now)) else {
            return;
        };
        let ago = i64::try_from(ago.as_millis()).unwrap_or(0);
        let saved = Saved {
            route: route.to_owned(),
            accepted_unix_ms: unix_ms().saturating_sub(ago),
            aim: Some(SavedAim::of(&self.core.aim(now), unix_ms())),
            key_set: self.key_set.clone(),
        };
        if let Err(error) = file.save(&saved) {
            tracing::error!(path = %file.path.display(), %error, "the accepted epoch can't be saved");
        }
    }

    /// Tells the core what happened. What a restart must know of it is saved: that a wait is over,
    /// or a canary.
    fn tell(&mut self, happened: impl FnOnce(&mut Core, Instant)) {
        let now = Instant::now();
        let before = self.core.aim(now);
        happened(&mut self.core, now);
        let after = self.core.aim(now);
        if (before.canary, before.wait) != (after.canary, after.wait) {
            self.save();
        }
    }

    fn tell_time(&mut self) {
        self.tell(|core, now| core.on_clock(OffsetDateTime::now_utc(), now));
    }

    #[cfg(test)]
    pub(super) fn keys_are_due(&mut self) {
        self.keys_due = Instant::now();
    }

    /// What to do now; `None` until a first route is held. Look again at [`Decision::until`].
    pub fn decision(&self) -> Option<Decision> {
        self.core.decision_at(Instant::now())
    }

    /// The device's state.
    pub fn core(&self) -> &Core {
        &self.core
    }

    /// The device is attached to this hub now.
    pub fn on_connected(&mut self, endpoint: &RouteEndpoint) {
        // A canary that is over is not what it was attached to.
        self.tell_time();
        self.tell(|core, _| core.on_connected(endpoint));
    }

    /// The device lost its hub.
    pub fn on_disconnected(&mut self) {
        self.tell(|core, now| core.on_disconnected(now, rand::random()));
    }

    /// An attempt to connect failed; returns what to do next.
    pub fn on_connect_failed(&mut self, error: &str) -> Option<Decision> {
        self.tell(|core, now| core.on_connect_failed(error, now, rand::random()));
        self.core.decision()
    }
}

fn unix_ms() -> i64 {
    let ms = OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000;
    i64::try_from(ms).unwrap_or(0)
}
