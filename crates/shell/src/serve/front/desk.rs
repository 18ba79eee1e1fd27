//! What the connections of one thread share, and what the threads of one front share.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;

use super::clients::Clients;
use super::limits::Limits;
use super::line::{Line, Lines};
use super::load::{Load, PROBE_EVERY};
use super::tally::Tally;
use super::{CLIENT_TOO_FAST, OVERLOADED, Refusal, descriptors};

/// How many probes there are between two collections of the counts.
const COLLECT_EVERY: u32 = 50;

/// How many of a front are told at once why they are turned away; the others are only closed.
const MOST_WORDS: usize = 128;
/// Where few files may be open, no more than this part of the room.
const WORDS_PART: usize = 64;

/// Of all threads of a front.
pub(super) struct Shared {
    /// The listener's name, for metrics.
    pub(super) listener: &'static str,
    limits: Limits,
    clients: Clients,
    open: AtomicUsize,
    room: usize,
    /// Connections that are being turned away with words.
    turned_away: AtomicUsize,
    /// Zero of the front's clock.
    started: Instant,
}

/// Of one thread.
pub(super) struct Desk {
    shared: Arc<Shared>,
    load: Load,
    /// The front's clock as of the last probe, nanoseconds: near enough, and for nothing.
    now: Cell<u64>,
    index: usize,
    pub(super) lines: Lines,
    pub(super) tally: Tally,
    /// Handshakes that may still be computed in this turn of the loop.
    pub(super) handshakes: Semaphore,
}

/// A connection is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Full {
    /// The front has as many as it may.
    Front,
    /// Its client has as many as it may, or opens them too fast.
    Client,
}

impl Shared {
    /// Raises the process's limit of open files.
    pub(super) fn new(listener: &'static str, limits: Limits) -> Self {
        let room = descriptors::room().min(limits.max_connections);
        Self {
            listener,
            clients: Clients::new(&limits),
            limits,
            open: AtomicUsize::new(0),
            room,
            turned_away: AtomicUsize::new(0),
            started: Instant::now(),
        }
    }

    /// How many connections there may be.
    pub(super) fn room(&self) -> usize {
        self.room
    }

    fn enter(&self) -> bool {
        let fits = self.open.fetch_add(1, Ordering::Relaxed) < self.room;
        if !fits {
            self.leave();
        }
        fits
    }

    fn leave(&self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Desk {
    /// Of the thread with this number.
    pub(super) fn new(shared: Arc<Shared>, index: usize) -> Self {
        Self {
            load: Load::new(shared.limits.shed_lag),
            handshakes: Semaphore::new(shared.limits.max_handshakes.min(Semaphore::MAX_PERMITS)),
            shared,
            now: Cell::default(),
            index,
            lines: Lines::default(),
            tally: Tally::default(),
        }
    }

    /// A seat for a new connection, if there is room.
    pub(super) fn admit(self: &Rc<Self>, addr: SocketAddr) -> Result<Seat, Full> {
        if !self.shared.enter() {
            self.tally.full.one();
            return Err(Full::Front);
        }
        let client = self.shared.clients.find(addr.ip());
        if client.is_some_and(|client| !self.shared.clients.enter(client, self.now.get())) {
            self.shared.leave();
            self.tally.crowded.one();
            return Err(Full::Client);
        }
        self.tally.accepted.one();
        let (place, line) = self.lines.enter();
        Ok(Seat {
            desk: Rc::clone(self),
            line,
            client,
            place,
        })
    }

    /// Whether a request is one of those that the thread has no time for.
    pub(super) fn shed(&self) -> Option<Refusal> {
        let retry_after = self.load.refuses()?;
        self.tally.shed.one();
        Some(Refusal {
            reason: OVERLOADED,
            retry_after,
        })
    }

    /// Whether a client asks too fast; its request is counted.
    pub(super) fn too_fast(&self, client: u32) -> Option<Refusal> {
        let retry_after = self.shared.clients.take(client, self.now.get()).err()?;
        self.tally.too_fast.one();
        Some(Refusal {
            reason: CLIENT_TOO_FAST,
            retry_after,
        })
    }

    /// Time for words to somebody who is turned away, unless many hear them already: each of them
    /// is an open file beyond the front's room, all threads together.
    pub(super) fn words(&self) -> Option<Words> {
        let most = (self.shared.room / WORDS_PART).clamp(1, MOST_WORDS);
        let before = self.shared.turned_away.fetch_add(1, Ordering::Relaxed);
        let words = Words(Arc::clone(&self.shared));
        (before < most).then_some(words)
    }

    /// When somebody who is turned away may come back.
    pub(super) fn come_back_after(&self) -> Duration {
        self.load.retry_after()
    }

    /// Measures the loop's lag, sets the clock, sweeps connections and collects counts, until it
    /// is dropped.
    pub(super) async fn probe(&self) {
        let mut looked = Instant::now();
        loop {
            for _ in 0..COLLECT_EVERY {
                tokio::time::sleep(PROBE_EVERY).await;
                let now = Instant::now();
                let slept = now.duration_since(looked);
                looked = now;
                self.load.observe(slept.saturating_sub(PROBE_EVERY), slept);
                self.set_clock(now);
                self.lines.sweep(|phase| self.tally.closed(phase));
            }
            self.collect();
        }
    }

    pub(super) fn set_clock(&self, now: Instant) {
        let since = now.saturating_duration_since(self.shared.started);
        self.now
            .set(u64::try_from(since.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Brings the thread's counts to the process's metrics.
    pub(super) fn collect(&self) {
        let listener = self.shared.listener;
        self.tally.collect(listener);
        let labels = [
            ("listener", listener.to_owned()),
            ("thread", self.index.to_string()),
        ];
        metrics::gauge!("hubshift_front_connections", &labels).set(self.lines.open() as f64);
        metrics::gauge!("hubshift_front_lag_seconds", &labels).set(self.load.lag().as_secs_f64());
    }
}

/// Somebody is being turned away with words; until this is dropped.
pub(super) struct Words(Arc<Shared>);

impl Drop for Words {
    fn drop(&mut self) {
        self.0.turned_away.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A connection's place; given back when it is dropped.
pub(super) struct Seat {
    pub(super) desk: Rc<Desk>,
    pub(super) line: Rc<Line>,
    /// None: no limit per client is for it.
    pub(super) client: Option<u32>,
    place: usize,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.desk.lines.leave(self.place);
        self.desk.shared.leave();
        if let Some(client) = self.client {
            self.desk.shared.clients.leave(client);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn desk(limits: Limits) -> Rc<Desk> {
        Rc::new(Desk::new(Arc::new(Shared::new("test", limits)), 0))
    }

    fn addr(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_seat_is_given_back_when_its_connection_is_gone() {
        let desk = desk(Limits {
            max_connections: 1,
            ..Limits::default()
        });
        let seat = desk.admit(addr("192.0.2.1:1")).ok();
        assert!(seat.is_some());
        let refused = desk.admit(addr("192.0.2.2:1")).err();
        assert_eq!(refused, Some(Full::Front));
        drop(seat);
        assert!(desk.admit(addr("192.0.2.2:1")).is_ok());
        assert_eq!(desk.lines.open(), 0);
    }

    #[test]
    fn few_are_turned_away_with_words_whichever_thread_does_it() {
        let limits = Limits {
            max_connections: 3 * WORDS_PART,
            ..Limits::default()
        };
        let shared = Arc::new(Shared::new("test", limits));
        let most = (shared.room() / WORDS_PART).max(1);
        let desks = [0, 1].map(|index| Desk::new(Arc::clone(&shared), index));
        let both = || desks.iter().cycle().take(2 * most + 2);
        let told: Vec<_> = both().filter_map(Desk::words).collect();
        assert_eq!(told.len(), most);
        drop(told);
        assert_eq!(both().filter_map(Desk::words).count(), 2 * most + 2);
    }

    #[test]
    fn one_client_can_not_take_all_seats_and_a_trusted_one_is_not_counted() {
        let desk = desk(Limits {
            max_connections_per_client: 1,
            ..Limits::default()
        });
        let first = desk.admit(addr("192.0.2.1:1")).ok();
        assert!(first.is_some());
        let refused = desk.admit(addr("192.0.2.1:2")).err();
        assert_eq!(refused, Some(Full::Client));
        let trusted: Vec<_> = (1..5).map(|_| desk.admit(addr("127.0.0.1:3"))).collect();
        assert!(trusted.iter().all(Result::is_ok));
        drop(first);
        // Its next one comes no sooner than it may.
        desk.set_clock(Instant::now() + Duration::from_secs(1));
        assert!(desk.admit(addr("192.0.2.1:2")).is_ok());
    }
}
