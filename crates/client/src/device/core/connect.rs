//! Which hub of the route to connect to, and when.

use std::time::{Duration, Instant};

use hubshift_domain::pacing;
use hubshift_domain::route::{OnUnreachable, RouteClaims, RouteEndpoint};

/// No longer error is echoed, characters.
const MAX_ERROR: usize = 256;

/// The device's connection to its hub.
pub(super) struct Connection {
    /// The place in the signed list that is tried; 0 is the authority.
    place: usize,
    connect_at: Instant,
    attached: String,
    last_error: String,
    /// Attempts in a row that failed, and since when.
    failures: Option<(u32, Instant)>,
    /// Connections in a row that ended soon: a hub that ends what it took must not be hammered.
    brief: u32,
}

impl Connection {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            place: 0,
            connect_at: now,
            attached: String::new(),
            last_error: String::new(),
            failures: None,
            brief: 0,
        }
    }

    /// Something new to be attached to: a new epoch's authority, a canary, or the way back from one;
    /// at this device's slot.
    pub(super) fn aim(&mut self, connect_at: Instant) {
        self.place = 0;
        self.failures = None;
        self.brief = 0;
        self.connect_at = connect_at;
    }

    /// A concierge answers again: a device that walked goes back to the authority at its slot.
    pub(super) fn come_back(&mut self, connect_at: Instant) {
        if self.place != 0 {
            self.aim(connect_at);
        }
    }

    pub(super) fn endpoint<'a>(&self, route: &'a RouteClaims) -> Option<&'a RouteEndpoint> {
        // A list that became shorter leaves the authority.
        route.endpoints.get(self.place).or_else(|| route.active())
    }

    pub(super) fn connect_at(&self) -> Instant {
        self.connect_at
    }

    pub(super) fn attached(&self) -> &str {
        &self.attached
    }

    pub(super) fn last_error(&self) -> &str {
        &self.last_error
    }

    /// Attempts in a row that came to nothing, at once or soon.
    pub(super) fn failures(&self) -> u32 {
        let failed = self.failures.map_or(0, |(attempts, _)| attempts);
        failed.saturating_add(self.brief)
    }

    /// What an operator should know.
    pub(super) fn note(&mut self, error: &str) {
        self.last_error = error.chars().take(MAX_ERROR).collect();
    }

    pub(super) fn on_connected(&mut self, endpoint: &RouteEndpoint) {
        self.attached = endpoint.hub.to_string();
        self.last_error.clear();
        self.failures = None;
    }

    pub(super) fn on_disconnected(&mut self, now: Instant, random: u64) {
        self.attached.clear();
        // It was made when that was due, or later. One of before a slot that lies ahead is no matter.
        let lasted = now.checked_duration_since(self.connect_at);
        if lasted.is_some_and(|lasted| lasted >= pacing::BACKOFF_CAP) {
            self.brief = 0;
        }
        // A slot that lies ahead is waited for.
        let wait = pacing::backoff(self.brief, random);
        self.connect_at = self.connect_at.max(now + wait);
        if lasted.is_some_and(|lasted| lasted < pacing::BACKOFF_CAP) {
            self.brief = self.brief.saturating_add(1);
        }
    }

    pub(super) fn on_failed(
        &mut self,
        error: &str,
        route: Option<&RouteClaims>,
        concierges_silent_since: Option<Instant>,
        now: Instant,
        random: u64,
    ) {
        let wait = pacing::backoff(self.failures(), random);
        let (attempts, since) = self.failures.unwrap_or((0, now));
        self.failures = Some((attempts.saturating_add(1), since));
        self.note(error);
        self.attached.clear();
        self.connect_at = self.connect_at.max(now + wait);
        let Some(route) = route else { return };
        let both_silent = concierges_silent_since.map(|silent| now - silent.max(since));
        if may_walk(route, both_silent) {
            self.place = (self.place + 1) % route.endpoints.len().max(1);
        }
    }
}

fn may_walk(route: &RouteClaims, both_silent: Option<Duration>) -> bool {
    match route.on_unreachable {
        OnUnreachable::Ask => false,
        OnUnreachable::StandbyAfter(after) => both_silent.is_some_and(|silent| silent >= after),
    }
}
