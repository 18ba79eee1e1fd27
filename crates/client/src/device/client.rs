//! A device's client: HTTPS and a state file around [`Core`].

use std::path::PathBuf;
use std::time::{Duration, Instant};

use hubshift_domain::id::{DeviceId, FleetId};
use hubshift_domain::route::{RouteEndpoint, RouteError};
use reqwest::{Client, Url};
use time::OffsetDateTime;

use super::files::{Saved, SavedAim, StateFile};
use super::http::{self, Got};
use super::{Answer, Core, Decision, HttpError, Outcome, Refused, Trust, TrustError};

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

/// Why there is no decision.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// No concierge is configured.
    #[error("no concierge is configured")]
    NoConcierge,
    /// The state file can't be read. Repair or remove it; a removed one forgets the epoch.
    #[error("the state file {} can't be read", .path.display())]
    State {
        /// Which.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The saved state is not believed: it was made under other keys.
    #[error("the saved route is not believed")]
    Saved(#[source] Refused),
    /// The saved key set is not believed.
    #[error("the saved key set is not believed")]
    SavedKeys(#[source] TrustError),
    /// No concierge gave an answer that is believed, and no route is held.
    #[error("no concierge gave an answer that can be believed")]
    NoRoute(#[source] PollError),
}

/// Why one concierge's answer did not count.
#[derive(Debug, thiserror::Error)]
pub enum PollError {
    /// It gave none.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// It is not believed.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// Neither is its key set.
    #[error(transparent)]
    Trust(#[from] TrustError),
}

/// One device. Share the HTTP client between devices of a process.
pub struct DeviceClient {
    core: Core,
    http: Client,
    concierges: Vec<Url>,
    /// The concierge that answered last: it is asked first.
    current: usize,
    etag: Option<String>,
    key_set: Option<String>,
    /// Whether the key set was taken since the last save.
    has_learned: bool,
    state: Option<StateFile>,
}

impl DeviceClient {
    /// Takes up the saved state, if there is one. Nothing is asked yet.
    ///
    /// # Errors
    /// No concierge, or a state file that can't be read or believed.
    pub fn open(config: DeviceConfig, http: Client) -> Result<Self, DeviceError> {
        if config.concierges.is_empty() {
            return Err(DeviceError::NoConcierge);
        }
        let core = Core::new(config.fleet, config.device, config.trust, Instant::now());
        let mut client = Self {
            core,
            http,
            concierges: config.concierges,
            current: 0,
            etag: None,
            key_set: None,
            has_learned: false,
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
        if let Some(token) = &saved.key_set {
            self.core
                .trust_mut()
                .learn_signed(token)
                .map_err(DeviceError::SavedKeys)?;
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

    /// Asks the concierges in turn, each once, until one gives an answer that is believed. With a
    /// route held there always is a decision; `is_answered` says what it rests on.
    ///
    /// # Errors
    /// Nobody answered and nothing is held; ask again at [`Core::poll_at`].
    pub async fn poll(&mut self) -> Result<Decision, DeviceError> {
        self.core
            .on_clock(OffsetDateTime::now_utc(), Instant::now());
        let mut last = None;
        for turn in 0..self.concierges.len() {
            let place = (self.current + turn) % self.concierges.len();
            let concierge = self.concierges[place].clone();
            match self.poll_one(&concierge).await {
                Ok(()) => {
                    self.current = place;
                    last = None;
                    break;
                }
                Err(error) => {
                    tracing::debug!(
                        device = %self.core.device(), %concierge,
                        error = &error as &dyn std::error::Error, "a concierge gave no answer"
                    );
                    last = Some(error);
                }
            }
        }
        if last.is_some() {
            self.core.on_failure(Instant::now(), rand::random());
        }
        match (self.core.decision(), last) {
            (Some(decision), _) => Ok(decision),
            (None, Some(error)) => Err(DeviceError::NoRoute(error)),
            (None, None) => Err(DeviceError::NoRoute(HttpError::Malformed.into())),
        }
    }

    async fn poll_one(&mut self, concierge: &Url) -> Result<(), PollError> {
        // Only what is held can be "not modified".
        let etag = self
            .etag
            .as_deref()
            .filter(|_| self.core.decision().is_some());
        match http::ask(&self.http, concierge, &self.core, etag).await? {
            Got::NotModified => self.core.on_not_modified(Instant::now(), rand::random()),
            Got::Answer(answer, etag) => {
                let outcome = self.take(concierge, &answer).await?;
                self.etag = etag;
                self.follow_up(concierge, outcome).await;
            }
        }
        Ok(())
    }

    /// Takes an answer; meets a key that is not known by asking for the key set, once.
    async fn take(&mut self, concierge: &Url, answer: &Answer) -> Result<Outcome, PollError> {
        match self.core.on_answer(answer, Instant::now(), rand::random()) {
            Err(Refused::NotVerified(RouteError::UnknownKey { .. }))
                if self.core.trust_mut().can_learn() =>
            {
                let document = http::key_document(&self.http, concierge).await?;
                self.key_set = Some(self.core.trust_mut().learn(&document)?);
                self.has_learned = true;
                Ok(self
                    .core
                    .on_answer(answer, Instant::now(), rand::random())?)
            }
            outcome => Ok(outcome?),
        }
    }

    async fn follow_up(&mut self, concierge: &Url, outcome: Outcome) {
        match outcome {
            // A restart must not go back to a key that was taken out since.
            Outcome::Unchanged if std::mem::take(&mut self.has_learned) => self.save(),
            Outcome::Unchanged => {}
            Outcome::Accepted => self.save(),
            Outcome::Present(route) => {
                // A stale answer's tag must not keep the right one from being seen.
                self.etag = None;
                let presented = http::present(&self.http, concierge, &self.core, &route).await;
                if let Err(error) = presented {
                    tracing::warn!(
                        device = %self.core.device(), %concierge, %error,
                        "a concierge that knows less refused this device's route"
                    );
                }
            }
        }
    }

    /// A device that can't save still moves: staying at a dead hub would be worse.
    fn save(&self) {
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
        self.core.on_connected(endpoint);
    }

    /// The device lost its hub.
    pub fn on_disconnected(&mut self) {
        self.core.on_disconnected(Instant::now(), rand::random());
    }

    /// An attempt to connect failed; returns what to do next.
    pub fn on_connect_failed(&mut self, error: &str) -> Option<Decision> {
        self.core
            .on_connect_failed(error, Instant::now(), rand::random());
        self.core.decision()
    }
}

fn unix_ms() -> i64 {
    let ms = OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000;
    i64::try_from(ms).unwrap_or(0)
}
