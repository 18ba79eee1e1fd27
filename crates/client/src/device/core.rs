//! The device's decisions, without I/O.
//!
//! ```text
//! answer ─▶ verified? ─▶ newer epoch: hold it, start its slot ──────────────┐
//!                        same: hold the newer signature, the timer runs on  ├─▶ decision
//!                        older: keep what is held, present it ──────────────┘
//! canary of the route that has this device ─▶ its standby at a slot of its own, until its signed end,
//!                                 a route without it, or three failed attempts; then back, at the slot
//! no answer from any concierge ─▶ what is held stays; under standby_after and with the hub silent
//!                                 as well, the next hub of the signed list
//! ```

mod canary;
mod connect;
mod trial;

use std::sync::Arc;
use std::time::{Duration, Instant};

use hubshift_domain::id::{DeviceId, FleetId};
use hubshift_domain::pacing;
use hubshift_domain::route::{Accept, RouteClaims, RouteEndpoint, RouteError, accept};
use serde::Deserialize;
use time::OffsetDateTime;

use super::Trust;
use super::trust::Signed;
use connect::Connection;
pub use trial::Aim;
use trial::{MAX_FAILURES, Timer, Trial};

/// Before any concierge said how often to ask.
const DEFAULT_POLL: Duration = Duration::from_secs(60);
/// A concierge's advice is taken within these bounds: it is not signed.
const POLL_BOUNDS: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(3600));
/// A poll comes up to this share of the period later, so that devices do not fall into step.
const POLL_JITTER: u32 = 10;

/// A concierge's answer, as it came. Everything but `route` is advice.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Answer {
    /// The signed route.
    pub route: String,
    /// When to ask again, milliseconds.
    pub poll_after_ms: u32,
    /// Whether the concierge has lost its database.
    #[serde(default)]
    pub stale: bool,
}

/// Why an answer is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The route has no signature that this device believes.
    #[error("the route {0}")]
    NotVerified(RouteError),
    /// The route is of another fleet.
    #[error("the route is of fleet `{0}`")]
    OtherFleet(FleetId),
}

/// What an answer made of the device's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// A newer route is held; save it before acting on it.
    Accepted,
    /// The held route stands; perhaps it was signed anew.
    Unchanged,
    /// The concierge knows less than this device: present it this signed route.
    Present(String),
}

/// What the device should do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The route that is held.
    pub route: Arc<RouteClaims>,
    /// The hub to be attached to.
    pub endpoint: RouteEndpoint,
    /// When to connect to it, if the device isn't attached to it.
    pub connect_at: Instant,
    /// When this decision ends by itself, because a canary does: look again then. Nobody has to
    /// answer for it.
    pub until: Option<Instant>,
    /// When to ask a concierge again.
    pub poll_at: Instant,
    /// Whether a concierge answered the last poll.
    pub is_answered: bool,
}

struct Held {
    route: Arc<RouteClaims>,
    jws: Arc<str>,
    /// When the epoch was first accepted.
    accepted_at: Instant,
}

/// The state of one device.
pub struct Core {
    fleet: FleetId,
    device: DeviceId,
    trust: Trust,
    held: Option<Held>,
    connection: Connection,
    /// The held route's canary, if this device takes part: on, or over.
    trial: Option<Trial>,
    timer: Timer,
    /// What the wall clock said last, and when.
    clock: Option<(OffsetDateTime, Instant)>,
    poll_after: Duration,
    poll_at: Instant,
    /// Polls in a row that no concierge answered, and since when.
    silence: Option<(u32, Instant)>,
}

impl Core {
    /// A device that knows nothing yet; it may ask at once.
    pub fn new(fleet: FleetId, device: DeviceId, trust: Trust, now: Instant) -> Self {
        Self {
            fleet,
            device,
            trust,
            held: None,
            connection: Connection::new(now),
            trial: None,
            timer: Timer::after(Duration::ZERO, Duration::ZERO, now),
            clock: None,
            poll_after: DEFAULT_POLL,
            poll_at: now,
            silence: None,
        }
    }

    /// Takes up what was saved: the signed route, and how long ago its epoch was accepted. The
    /// slot's timer runs on where it was. A canary is over, unless [`Self::restore_aim`] says else.
    ///
    /// # Errors
    /// The route is not believed; the device then knows nothing.
    pub fn restore(&mut self, jws: &str, ago: Duration, now: Instant) -> Result<(), Refused> {
        let Signed { jws, route } = self.verified(jws)?;
        self.timer = Timer::after(ago, route.slot(self.device.as_str()), now);
        self.connection.aim(self.timer.due(now));
        let canary = route.canary_of(self.device.as_str());
        self.trial = canary.map(|canary| Trial::of(canary, &route, &self.device));
        let accepted_at = now.checked_sub(ago).unwrap_or(now);
        self.held = Some(Held {
            route,
            jws,
            accepted_at,
        });
        Ok(())
    }

    /// Takes an answer. `random` is any uniformly drawn number.
    ///
    /// # Errors
    /// The answer is not believed and nothing changed; ask another concierge.
    pub fn on_answer(
        &mut self,
        answer: &Answer,
        now: Instant,
        random: u64,
    ) -> Result<Outcome, Refused> {
        let signed = self.verified(&answer.route)?;
        self.advance(now);
        let (least, most) = POLL_BOUNDS;
        let advice = Duration::from_millis(u64::from(answer.poll_after_ms));
        self.poll_after = advice.clamp(least, most);
        self.answered(now, random);
        let held = self.held.as_ref().map(|held| &*held.route);
        match accept(held, &signed.route) {
            Accept::Newer => {
                self.hold(signed, now);
                Ok(Outcome::Accepted)
            }
            Accept::Same => {
                self.renew(signed);
                Ok(Outcome::Unchanged)
            }
            Accept::Older => Ok(match &self.held {
                Some(held) => Outcome::Present(held.jws.to_string()),
                None => Outcome::Unchanged,
            }),
        }
    }

    /// Takes "nothing changed" (304).
    pub fn on_not_modified(&mut self, now: Instant, random: u64) {
        self.advance(now);
        self.answered(now, random);
    }

    /// No concierge answered this poll. What is held stays, and the poll period with it: devices
    /// that asked faster would keep a concierge down. A device that knows nothing yet backs off.
    pub fn on_failure(&mut self, now: Instant, random: u64) {
        self.advance(now);
        let (polls, since) = self.silence.unwrap_or((0, now));
        self.silence = Some((polls.saturating_add(1), since));
        self.poll_at = match self.held {
            Some(_) => now + self.jittered(random),
            None => now + pacing::backoff(polls, random),
        };
    }

    fn answered(&mut self, now: Instant, random: u64) {
        self.silence = None;
        self.poll_at = now + self.jittered(random);
        if let Some(held) = &self.held {
            // Back to the hub that is the authority, in an orderly way.
            self.connection
                .come_back(now + held.route.slot(self.device.as_str()));
        }
    }

    fn jittered(&self, random: u64) -> Duration {
        self.poll_after + pacing::share(self.poll_after / POLL_JITTER, random)
    }

    fn verified(&self, jws: &str) -> Result<Signed, Refused> {
        let signed = self.trust.verify(jws).map_err(Refused::NotVerified)?;
        if signed.route.fleet == self.fleet {
            Ok(signed)
        } else {
            Err(Refused::OtherFleet(signed.route.fleet.clone()))
        }
    }

    /// The timer starts with an epoch or a canary, and with nothing else.
    fn hold(&mut self, signed: Signed, now: Instant) {
        let Signed { jws, route } = signed;
        let known = self.held.as_ref();
        let known = known.filter(|held| held.route.epoch == route.epoch);
        let accepted_at = match known.map(|held| held.accepted_at) {
            Some(at) => at,
            None => {
                self.trial = None;
                self.start(route.slot(self.device.as_str()), now);
                now
            }
        };
        self.held = Some(Held {
            route,
            jws,
            accepted_at,
        });
        self.follow_canary(now);
    }

    fn start(&mut self, wait: Duration, now: Instant) {
        self.timer = Timer::after(Duration::ZERO, wait, now);
        self.connection.aim(now + wait);
    }

    fn renew(&mut self, signed: Signed) {
        if let Some(held) = self
            .held
            .as_mut()
            .filter(|held| held.route.issued_at < signed.route.issued_at)
        {
            held.route = signed.route;
            held.jws = signed.jws;
        }
    }

    /// What to do now, as the last event left it; `None` until a first route is held.
    pub fn decision(&self) -> Option<Decision> {
        let held = self.held.as_ref()?;
        let trial = self.trial.as_ref();
        let canary = trial.and_then(|trial| Some((&trial.endpoint, trial.ends_at()?)));
        let (endpoint, until) = match canary {
            Some((endpoint, ends_at)) => (endpoint, Some(ends_at)),
            None => (self.connection.endpoint(&held.route)?, None),
        };
        Some(Decision {
            route: held.route.clone(),
            endpoint: endpoint.clone(),
            connect_at: self.connection.connect_at(),
            until,
            poll_at: self.poll_at,
            is_answered: self.silence.is_none(),
        })
    }

    /// When to ask a concierge next.
    pub fn poll_at(&self) -> Instant {
        self.poll_at
    }

    /// The signed route that is held, and how long ago its epoch was accepted: what to save.
    pub fn held(&self, now: Instant) -> Option<(&str, Duration)> {
        let held = self.held.as_ref()?;
        Some((&held.jws, now.saturating_duration_since(held.accepted_at)))
    }

    /// What is echoed to the concierge: the epoch held, the hub attached to and the last error,
    /// each empty or zero for none.
    pub fn echo(&self) -> (u64, &str, &str) {
        let epoch = self.held.as_ref().map_or(0, |held| held.route.epoch.0);
        (
            epoch,
            self.connection.attached(),
            self.connection.last_error(),
        )
    }

    /// The device is attached to this hub now.
    pub fn on_connected(&mut self, endpoint: &RouteEndpoint) {
        self.connection.on_connected(endpoint);
        let aimed_at = self.decision();
        if aimed_at.is_some_and(|decision| decision.endpoint.hub == endpoint.hub) {
            // It waited: a restart without a clock must not make it wait again.
            self.timer.wait = Duration::ZERO;
        }
    }

    /// The device lost its hub: it connects again after a backoff, or at its slot if that lies
    /// ahead. A connection that ended within a minute is like an attempt that failed.
    pub fn on_disconnected(&mut self, now: Instant, random: u64) {
        self.advance(now);
        self.connection.on_disconnected(now, random);
        if let Some(slot) = self.slot_of_trial()
            && self.connection.failures() >= MAX_FAILURES
        {
            self.connection.note("the hub ends its connections");
            self.go_back(now, slot);
        }
    }

    /// An attempt to connect failed: the next one comes after a backoff with full jitter, perhaps
    /// at the next hub of the signed list. A canary that takes nobody is given up after three.
    pub fn on_connect_failed(&mut self, error: &str, now: Instant, random: u64) {
        self.advance(now);
        let since = self.silence.map(|(_, since)| since);
        let at_canary = self.slot_of_trial();
        // From a canary nobody walks: its way on is the way back.
        let held = self.held.as_ref().filter(|_| at_canary.is_none());
        let route = held.map(|held| &*held.route);
        self.connection.on_failed(error, route, since, now, random);
        if let Some(slot) = at_canary
            && self.connection.failures() >= MAX_FAILURES
        {
            self.go_back(now, slot);
        }
    }

    /// The fleet.
    pub fn fleet(&self) -> &FleetId {
        &self.fleet
    }

    /// The device.
    pub fn device(&self) -> &DeviceId {
        &self.device
    }

    pub(super) fn trust_mut(&mut self) -> &mut Trust {
        &mut self.trust
    }
}

#[cfg(test)]
mod tests;
