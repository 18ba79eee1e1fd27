//! A device that lives through what the input says, one event a line:
//!
//! ```text
//! {…    a concierge answers with these claims, signed
//! tN    N seconds pass
//! n     a concierge answers that nothing changed
//! f     no concierge answers
//! c     the device connects to where it is to be
//! d     its connection is lost
//! xE    it can't connect, for the reason E
//! k     it looks at its clock
//! r     it restarts
//! …     anything else: a concierge answers with this as the signed route
//! ```
//!
//! Checked after each: the epoch never goes down (I3); a decision names a hub of the route, or of the
//! canary before its signed end; what is refused changes nothing; the slot's timer starts at the
//! moment when an epoch is accepted.

use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::time::{Duration, Instant};

use hubshift_client::device::{Answer, Core, Decision, Outcome, Trust};
use hubshift_domain::id::{DeviceId, FleetId};
use hubshift_domain::route::{RouteClaims, RouteEndpoint};
use time::OffsetDateTime;

use crate::claims;
use crate::jws::Keys;

/// More events teach nothing new, and each may cost some signatures.
const MOST_EVENTS: usize = 16;
/// The longest time that passes in one event, seconds.
const LONGEST: u64 = 10_000_000;
/// When the device's life begins.
const BIRTH: i64 = 1_800_000_000;
/// The bounds of the time to the next poll: those of the period, and a tenth of it.
const POLLS: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(3_961));
/// Time to the next poll, as concierges advise it, milliseconds.
const ADVICE: [u32; 4] = [60_000, 0, u32::MAX, 900];

/// The device, and what has been true of it.
pub(crate) struct Device<'k> {
    keys: &'k Keys,
    core: Core,
    has_clock: bool,
    born: Instant,
    now: Instant,
    /// The highest epoch that it held.
    epoch: u64,
    /// The latest end of any canary that it was told of.
    last_end: OffsetDateTime,
}

impl<'k> Device<'k> {
    pub(crate) fn new(keys: &'k Keys, has_clock: bool) -> Self {
        let now = Instant::now();
        let mut device = Self {
            keys,
            core: core(keys, now),
            has_clock,
            born: now,
            now,
            epoch: 0,
            last_end: OffsetDateTime::UNIX_EPOCH,
        };
        device.look_at_clock();
        device
    }

    /// Lives through all of it.
    pub(crate) fn live(mut self, events: &[u8]) {
        for event in events.split(|byte| *byte == b'\n').take(MOST_EVENTS) {
            self.event(event);
            self.check();
        }
    }

    fn event(&mut self, event: &[u8]) {
        let random = BuildHasherDefault::<DefaultHasher>::new().hash_one(event);
        let now = self.now;
        let Some((kind, rest)) = event.split_first() else {
            return;
        };
        match (*kind, rest) {
            (b'{', _) => self.answered(self.keys.route(event), random),
            (b't', digits) => self.now += Duration::from_secs(number(digits) % LONGEST),
            (b'n', []) => self.core.on_not_modified(now, random),
            (b'f', []) => self.core.on_failure(now, random),
            (b'c', []) => self.connected(),
            (b'd', []) => self.core.on_disconnected(now, random),
            (b'x', error) => {
                let error = String::from_utf8_lossy(error);
                self.core.on_connect_failed(&error, now, random);
            }
            (b'k', []) => self.look_at_clock(),
            (b'r', []) => self.restart(),
            _ => self.answered(String::from_utf8_lossy(event).into_owned(), random),
        }
    }

    fn answered(&mut self, route: String, random: u64) {
        let verified = self.keys.trusted.verify(&route);
        if let Ok(claims) = &verified {
            claims::check(self.keys, claims);
            let end = claims.canary().map(|canary| canary.until);
            self.last_end = end.map_or(self.last_end, |end| end.max(self.last_end));
        }
        let before = self.core.decision();
        let answer = Answer {
            route,
            poll_after_ms: ADVICE[(random % 4) as usize],
            stale: random % 2 == 0,
        };
        match self.core.on_answer(&answer, self.now, random) {
            Err(_) => assert_eq!(
                self.core.decision(),
                before,
                "a refused route has an effect"
            ),
            Ok(outcome) => {
                let claims = verified.expect("a route that no key signed was taken");
                self.taken(&claims, outcome, before.as_ref());
            }
        }
    }

    fn taken(&self, claims: &RouteClaims, outcome: Outcome, before: Option<&Decision>) {
        let decision = self.core.decision().expect("a route is held");
        let wait = decision.poll_at.duration_since(self.now);
        assert!(wait >= POLLS.0 && wait <= POLLS.1, "polls after {wait:?}");
        let order = before.map(|before| before.route.order());
        let is_newer = order.is_none_or(|order| claims.order() > order);
        assert_eq!(outcome == Outcome::Accepted, is_newer, "{outcome:?}");
        let device = self.core.device().as_str();
        let rises = order.is_none_or(|(epoch, _)| claims.epoch > epoch);
        if rises && claims.canary_of(device).is_none() {
            assert_eq!(decision.connect_at, self.now + claims.slot(device));
            assert_eq!(Some(&decision.endpoint), claims.active());
        }
    }

    fn connected(&mut self) {
        if let Some(decision) = self.core.decision_at(self.now) {
            self.core.on_connected(&decision.endpoint);
        }
    }

    fn look_at_clock(&mut self) {
        if self.has_clock {
            self.core.on_clock(self.clock(), self.now);
        }
    }

    fn clock(&self) -> OffsetDateTime {
        let birth = OffsetDateTime::from_unix_timestamp(BIRTH).expect("a time of our days");
        birth + self.now.duration_since(self.born)
    }

    /// What was saved is believed, and is the same afterwards.
    fn restart(&mut self) {
        let mut next = core(self.keys, self.now);
        if let Some((route, ago)) = self.core.held(self.now) {
            if self.has_clock {
                next.on_clock(self.clock(), self.now);
            }
            let restored = next.restore(route, ago, self.now);
            restored.expect("what was held is not believed any more");
            next.restore_aim(&self.core.aim(self.now), self.now);
            let routes = [&next, &self.core].map(|core| core.decision().map(|held| held.route));
            assert_eq!(routes[0], routes[1]);
        }
        self.core = next;
        self.look_at_clock();
    }

    fn check(&mut self) {
        let (epoch, ..) = self.core.echo();
        assert!(epoch >= self.epoch, "from epoch {} to {epoch}", self.epoch);
        self.epoch = epoch;
        let decision = self.core.decision_at(self.now);
        let is_held = self.core.held(self.now).is_some();
        assert_eq!(decision.is_some(), is_held, "{decision:?}");
        if let Some(decision) = decision {
            self.is_sound(&decision);
        }
    }

    fn is_sound(&self, decision: &Decision) {
        let Decision {
            route, endpoint, ..
        } = decision;
        match decision.until {
            None => assert!(route.endpoints.contains(endpoint), "{decision:?}"),
            Some(until) => {
                assert!(until > self.now, "a canary that is over: {decision:?}");
                let in_time = !self.has_clock || self.clock() < self.last_end;
                assert!(in_time, "a canary after its signed end: {decision:?}");
            }
        }
        let RouteEndpoint { hub, .. } = endpoint;
        assert!(!hub.as_str().is_empty());
    }
}

/// A device that knows nothing yet.
fn core(keys: &Keys, now: Instant) -> Core {
    let fleet = FleetId::new("acme").expect("a slug");
    let device = DeviceId::new("device-50").expect("a device's id");
    Core::new(fleet, device, Trust::keys(keys.trusted.clone()), now)
}

/// The digits as a number; anything else counts as nothing.
fn number(digits: &[u8]) -> u64 {
    let text = std::str::from_utf8(digits).unwrap_or_default();
    text.parse().unwrap_or_default()
}
