//! Following one fleet for as long as a back end or a gateway runs: over concierges that come and
//! go, and never back.
//!
//! Kept true: what is told rises by (epoch, revision); a concierge that is behind is not believed,
//! and left when it stays so; one that is silent is left after three missing heartbeats. Clocks and
//! the stream that is being opened are kept between calls, so that whoever waits beside other work
//! and gives up often asks no more often and hears a silence no later. Durable is nothing here: who
//! wants to go on after a restart keeps [`FleetWatch::position`].

use std::time::Duration;

use hubshift_api::pb::concierge::{Fleet, WatchFleetRequest, WatchFleetResponse};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tonic::{Code, Status, Streaming};

use super::Concierge;
use super::retry::{RetryPolicy, wait};

/// Three heartbeats of a concierge, which come every 15 s.
const SILENCE: Duration = Duration::from_secs(45);
/// For a stream to begin.
const OPENING: Duration = Duration::from_secs(10);
/// A stream that lived so long was a good one: the next wait is short again.
const STEADY: Duration = Duration::from_secs(5);
/// No concierge may ask for a longer wait.
const LONGEST: Duration = Duration::from_secs(300);

/// A state of the fleet.
#[derive(Debug, Clone, PartialEq)]
pub struct FleetState {
    /// The fleet, whole.
    pub fleet: Fleet,
    /// Its revision, the same at every concierge.
    pub revision: u64,
}

impl FleetState {
    /// What rises.
    pub fn position(&self) -> (u64, u64) {
        (self.fleet.epoch, self.revision)
    }
}

/// Follows a fleet.
#[derive(Debug)]
pub struct FleetWatch {
    concierges: Vec<Concierge>,
    /// The one that is asked, modulo their number.
    current: usize,
    name: String,
    back_end: String,
    seen: Option<(u64, u64)>,
    /// At most one stream that is on its way.
    opening: JoinSet<Result<Open, Status>>,
    open: Option<Open>,
    failures: u32,
    /// Nothing is asked earlier.
    not_before: Option<Instant>,
    silence: Duration,
}

/// A stream that goes on.
#[derive(Debug)]
struct Open {
    stream: Streaming<WatchFleetResponse>,
    since: Instant,
    /// When it said something last.
    heard: Instant,
    /// Whether the last state that it told is older than what was seen.
    is_behind: bool,
}

impl FleetWatch {
    /// Watches `fleets/{fleet}` at one of these concierges, the first one first. Nothing is asked
    /// yet. `back_end` is the name that operators see; it may be empty.
    pub fn new(
        concierges: Vec<Concierge>,
        name: impl Into<String>,
        back_end: impl Into<String>,
    ) -> Self {
        Self {
            concierges,
            current: 0,
            name: name.into(),
            back_end: back_end.into(),
            seen: None,
            opening: JoinSet::new(),
            open: None,
            failures: 0,
            not_before: None,
            silence: SILENCE,
        }
    }

    /// Goes on from an earlier watch's [`position`](Self::position): what is not newer is not told.
    #[must_use]
    pub fn resuming(mut self, position: (u64, u64)) -> Self {
        self.seen = Some(position);
        self
    }

    /// Epoch and revision of the last state that was told.
    pub fn position(&self) -> Option<(u64, u64)> {
        self.seen
    }

    /// Waits for the next state: the first one, then each newer one, or the newest of several.
    /// Concierges that don't answer are waited for, without end and with full jitter. Safe to
    /// cancel.
    ///
    /// # Errors
    /// What repeating does not help: there is no such fleet, the caller may not, or no concierge
    /// was named. Another call tries the next concierge, after a while.
    pub async fn next(&mut self) -> Result<FleetState, Status> {
        loop {
            match self.step().await {
                Ok(Some(state)) => return Ok(state),
                Ok(None) => {}
                Err(status) => self.leave(status)?,
            }
        }
    }

    /// The next message; a state if it is newer.
    async fn step(&mut self) -> Result<Option<FleetState>, Status> {
        if let Some(when) = self.not_before {
            sleep_until(when).await;
            self.not_before = None;
        }
        if self.open.is_none() {
            self.open = Some(self.opened().await?);
        }
        let Some(open) = &mut self.open else {
            return Ok(None);
        };
        let heard = timeout_at(open.heard + self.silence, open.stream.message()).await;
        let heard = heard.map_err(|_| lost("no heartbeat came"))??;
        open.heard = Instant::now();
        let message = heard.ok_or_else(|| lost("the stream ended"))?;
        let Some(fleet) = message.fleet.filter(|_| !message.heartbeat) else {
            if open.is_behind && self.concierges.len() > 1 {
                return Err(lost("this concierge stays behind what another one told"));
            }
            return Ok(None);
        };
        let revision = message.revision;
        let state = FleetState { fleet, revision };
        let position = Some(state.position());
        open.is_behind = position < self.seen;
        if position <= self.seen {
            return Ok(None);
        }
        self.seen = position;
        Ok(Some(state))
    }

    /// Waits for the stream that is on its way, or sends for one.
    async fn opened(&mut self) -> Result<Open, Status> {
        if self.opening.is_empty() {
            let turn = self.current.checked_rem(self.concierges.len());
            let concierge = turn.and_then(|turn| self.concierges.get(turn));
            let concierge =
                concierge.ok_or_else(|| Status::invalid_argument("no concierge was named"))?;
            let begun = begin(concierge.clone(), self.request());
            self.opening.spawn(begun);
        }
        match self.opening.join_next().await {
            Some(Ok(opened)) => opened,
            Some(Err(_)) | None => Err(lost("the stream was not opened")),
        }
    }

    fn request(&self) -> WatchFleetRequest {
        let (epoch, revision) = self.seen.unwrap_or_default();
        WatchFleetRequest {
            name: self.name.clone(),
            back_end: self.back_end.clone(),
            revision,
            epoch,
        }
    }

    /// Turns to the next concierge, which is asked after a while.
    fn leave(&mut self, status: Status) -> Result<(), Status> {
        let left = self.open.take();
        if left.is_some_and(|open| open.since.elapsed() >= STEADY) {
            self.failures = 0;
        }
        self.current = self.current.wrapping_add(1);
        let wait = wait(RetryPolicy::default(), self.failures, &status).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        self.not_before = Some(Instant::now() + wait);
        if is_final(status.code()) {
            return Err(status);
        }
        tracing::debug!(
            fleet = self.name,
            ?wait,
            error = status.message(),
            "a watch is begun again"
        );
        Ok(())
    }
}

async fn begin(concierge: Concierge, request: WatchFleetRequest) -> Result<Open, Status> {
    let mut client = concierge.fleets();
    let opened = timeout(OPENING, client.watch_fleet(request)).await;
    let opened = opened.map_err(|_| lost("no answer came"))??;
    let now = Instant::now();
    Ok(Open {
        stream: opened.into_inner(),
        since: now,
        heard: now,
        is_behind: false,
    })
}

fn lost(text: &str) -> Status {
    Status::unavailable(text)
}

/// Whether the same question gets the same answer.
fn is_final(code: Code) -> bool {
    matches!(
        code,
        Code::NotFound
            | Code::InvalidArgument
            | Code::PermissionDenied
            | Code::Unauthenticated
            | Code::Unimplemented
    )
}

#[cfg(test)]
mod tests;
