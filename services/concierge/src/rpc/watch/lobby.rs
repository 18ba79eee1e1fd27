//! The watchers of one thread, and the task that wakes them there.
//!
//! A change crosses to a thread once, however many streams it has: waking 10,000 tasks of a
//! current-thread runtime from outside would be 10,000 system calls. One clock serves the
//! heartbeats of all of them, and finds those that nobody reads.

use std::sync::{Arc, Mutex};
use std::task::Waker;

use bytes::Bytes;
use hubshift_shell::StreamEnd;
use tokio::sync::watch::Receiver;
use tokio::time::{MissedTickBehavior, interval};

use super::seats::{Seats, Step};
use super::{Resume, Shared, lock};
use crate::table::FleetEntry;

/// So many are woken before the thread gets to do something else.
const BATCH: usize = 512;

/// The watchers of one runtime: of one thread, where runtimes have one.
pub(super) struct Lobby {
    shared: Arc<Shared>,
    seats: Mutex<Seats>,
}

impl Lobby {
    /// An empty one.
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            seats: Mutex::default(),
        }
    }

    /// Whether nobody is let in any more.
    pub(super) fn is_closed(&self) -> bool {
        lock(&self.seats).is_closed()
    }

    /// Takes a seat; returns it with what is sent first. `None`: the lobby has closed.
    pub(super) fn enter(
        &self,
        entry: &Arc<FleetEntry>,
        resume: Resume,
        end: StreamEnd,
    ) -> Option<(u32, Bytes)> {
        let shared = &self.shared;
        let mut seats = lock(&self.seats);
        if seats.is_closed() {
            return None;
        }
        let first = || shared.frames.newest(&shared.table, entry);
        let room = seats.room(&entry.fleet_id, first);
        seats.enter(room, resume, end)
    }

    /// What a stream does next; if that is to wait, `waker` is woken when there is something.
    pub(super) fn next(&self, seat: u32, waker: &Waker) -> Step {
        let (step, left) = lock(&self.seats).next(seat, waker);
        drop(left);
        step
    }

    /// Gives the seat back.
    pub(super) fn leave(&self, seat: u32) {
        let left = lock(&self.seats).leave(seat);
        if let Some((_, Some(room))) = left {
            let fleet = room.fleet().clone();
            drop(room);
            self.shared.frames.forget(&fleet);
        }
    }

    fn refresh(&self) -> Vec<Waker> {
        let shared = &self.shared;
        lock(&self.seats).refresh(|held| shared.frames.newest(&shared.table, held.entry()))
    }

    /// A tick of the clock; `None`: nobody is here, and the lobby has closed.
    fn tick(&self) -> Option<Vec<Waker>> {
        let mut seats = lock(&self.seats);
        let woken = seats.tick(self.shared.pace.patience());
        let is_empty = seats.is_empty();
        if is_empty {
            seats.close();
        }
        let tally = std::mem::take(&mut seats.tally);
        drop(seats);
        tally.tell();
        self.shared.tell();
        (!is_empty).then_some(woken)
    }

    fn close(&self) -> Vec<Waker> {
        lock(&self.seats).close()
    }
}

/// Keeps a lobby open: closed with its task, however that ends, and then everybody is told.
pub(super) struct Open(pub(super) Arc<Lobby>);

impl Drop for Open {
    fn drop(&mut self) {
        for waker in self.0.close() {
            waker.wake();
        }
    }
}

/// Wakes the streams of a lobby on its own runtime, until it is empty or the process closes.
pub(super) async fn run(open: Open, mut changes: Receiver<u64>) {
    let lobby = &open.0;
    let mut ticks = interval(lobby.shared.pace.tick());
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        let woken = tokio::select! {
            () = lobby.shared.closing.cancelled() => return,
            changed = changes.changed() => match changed {
                Ok(()) => lobby.refresh(),
                Err(_) => return,
            },
            _ = ticks.tick() => match lobby.tick() {
                Some(woken) => woken,
                None => return,
            },
        };
        wake(woken).await;
    }
}

/// Wakes them in batches, so that the first are served before the last are woken.
async fn wake(wakers: Vec<Waker>) {
    for (woken, waker) in wakers.into_iter().enumerate() {
        waker.wake();
        if woken % BATCH == BATCH - 1 {
            tokio::task::yield_now().await;
        }
    }
}
