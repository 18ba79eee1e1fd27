//! Who watches which fleet on one thread, and who has something to take. Plain data: the lobby
//! locks it.

use std::collections::HashMap;
use std::sync::Arc;
use std::task::Waker;

use bytes::Bytes;
use hubshift_domain::id::FleetId;
use hubshift_shell::StreamEnd;

use super::frames::State;
use super::slots::Slots;
use super::tally::Tally;
use super::{CLASSES, Resume};

/// What a stream does next.
pub(super) enum Step {
    /// Sends this.
    Frame(Bytes),
    /// Waits until it is woken.
    Wait,
    /// Ends: its reader took nothing for too long.
    TooSlow,
    /// Ends: the process does.
    Closed,
}

/// All watchers of one thread.
#[derive(Default)]
pub(super) struct Seats {
    seats: Slots<Seat>,
    rooms: Slots<Room>,
    by_fleet: HashMap<FleetId, u32>,
    /// Rises [`CLASSES`] times per heartbeat.
    tick: u32,
    is_closed: bool,
    pub(super) tally: Tally,
}

/// A fleet, and who watches it.
pub(super) struct Room {
    state: Arc<State>,
    /// Rises with every state.
    version: u64,
    members: Vec<u32>,
}

/// One stream.
pub(super) struct Seat {
    room: u32,
    /// Where it stands among the room's members.
    place: u32,
    /// The room's version that it took last.
    seen: u64,
    /// Whom to wake when there is something; `None`: it was told, or has taken something, and has
    /// not come back since.
    waker: Option<Waker>,
    /// Since which tick.
    gone_since: u32,
    /// Whether it is time to say that the stream lives.
    heartbeat: bool,
    is_slow: bool,
    end: StreamEnd,
}

impl Seat {
    fn wake(&mut self, tick: u32) -> Option<Waker> {
        let waker = self.waker.take()?;
        self.gone_since = tick;
        Some(waker)
    }
}

impl Room {
    /// The fleet.
    pub(super) fn fleet(&self) -> &FleetId {
        &self.state.entry().fleet_id
    }
}

impl Seats {
    pub(super) fn is_closed(&self) -> bool {
        self.is_closed
    }

    pub(super) fn is_empty(&self) -> bool {
        self.seats.is_empty()
    }

    /// The room of a fleet; `first` makes its state if nobody is in it yet.
    pub(super) fn room(&mut self, fleet: &FleetId, first: impl FnOnce() -> Arc<State>) -> u32 {
        if let Some(room) = self.by_fleet.get(fleet) {
            return *room;
        }
        let room = self.rooms.insert(Room {
            state: first(),
            version: 0,
            members: Vec::new(),
        });
        self.by_fleet.insert(fleet.clone(), room);
        room
    }

    /// Takes a seat; returns it with what is sent first.
    pub(super) fn enter(
        &mut self,
        room_key: u32,
        resume: Resume,
        end: StreamEnd,
    ) -> Option<(u32, Bytes)> {
        let room = self.rooms.get_mut(room_key)?;
        let first = if room.state.is_at(resume) {
            self.tally.heartbeats += 1;
            room.state.heartbeat()
        } else {
            self.tally.changes += 1;
            room.state.change()
        };
        let seat = self.seats.insert(Seat {
            room: room_key,
            place: room.members.len() as u32,
            seen: room.version,
            waker: None,
            gone_since: self.tick,
            heartbeat: false,
            is_slow: false,
            end,
        });
        room.members.push(seat);
        Some((seat, first))
    }

    /// What a stream does next, and the waker that it left before, to be dropped outside the lock.
    pub(super) fn next(&mut self, seat: u32, waker: &Waker) -> (Step, Option<Waker>) {
        if self.is_closed {
            return (Step::Closed, None);
        }
        let Some(seat) = self.seats.get_mut(seat) else {
            return (Step::Closed, None);
        };
        let Some(room) = self.rooms.get(seat.room) else {
            return (Step::Closed, None);
        };
        if seat.is_slow {
            return (Step::TooSlow, None);
        }
        let frame = if seat.seen != room.version {
            self.tally.changes += 1;
            room.state.change()
        } else if seat.heartbeat {
            self.tally.heartbeats += 1;
            room.state.heartbeat()
        } else {
            let held = seat.waker.as_ref();
            if held.is_some_and(|held| held.will_wake(waker)) {
                return (Step::Wait, None);
            }
            return (Step::Wait, seat.waker.replace(waker.clone()));
        };
        seat.seen = room.version;
        seat.heartbeat = false;
        seat.gone_since = self.tick;
        (Step::Frame(frame), seat.waker.take())
    }

    /// Brings every room up to what `newest` says. Returns whom to wake: those whose own fleet
    /// changed.
    pub(super) fn refresh(&mut self, newest: impl Fn(&State) -> Arc<State>) -> Vec<Waker> {
        let mut woken = Vec::new();
        for room in self.rooms.values_mut() {
            let state = newest(&room.state);
            if Arc::ptr_eq(&state, &room.state) {
                continue;
            }
            room.state = state;
            room.version += 1;
            for key in &room.members {
                if let Some(seat) = self.seats.get_mut(*key) {
                    self.tally.coalesced += u64::from(seat.seen + 1 != room.version);
                    woken.extend(seat.wake(self.tick));
                }
            }
        }
        woken
    }

    /// One tick: a heartbeat for one class of the streams, and an end to those of them that took
    /// nothing for `patience` ticks. Returns whom to wake.
    pub(super) fn tick(&mut self, patience: u32) -> Vec<Waker> {
        self.tick = self.tick.wrapping_add(1);
        let tick = self.tick;
        let mut woken = Vec::new();
        for seat in self.seats.class_mut(tick % CLASSES, CLASSES) {
            let is_gone = seat.waker.is_none() && !seat.is_slow;
            if is_gone && tick.wrapping_sub(seat.gone_since) >= patience {
                seat.is_slow = true;
                seat.end.end();
                self.tally.slow += 1;
                continue;
            }
            seat.heartbeat = true;
            woken.extend(seat.wake(tick));
        }
        woken
    }

    /// Leaves. Returns what is to be dropped outside the lock: the seat, and the room if nobody is
    /// left in it.
    pub(super) fn leave(&mut self, seat: u32) -> Option<(Seat, Option<Room>)> {
        let seat = self.seats.remove(seat)?;
        let Some(room) = self.rooms.get_mut(seat.room) else {
            return Some((seat, None));
        };
        let place = seat.place as usize;
        room.members.swap_remove(place);
        if let Some(moved) = room.members.get(place)
            && let Some(moved) = self.seats.get_mut(*moved)
        {
            moved.place = seat.place;
        }
        if !room.members.is_empty() {
            return Some((seat, None));
        }
        let room = self.rooms.remove(seat.room);
        if let Some(room) = &room {
            self.by_fleet.remove(room.fleet());
        }
        Some((seat, room))
    }

    /// Lets nobody in any more. Returns whom to wake: everybody.
    pub(super) fn close(&mut self) -> Vec<Waker> {
        self.is_closed = true;
        let seats = self.seats.values_mut();
        seats.filter_map(|seat| seat.waker.take()).collect()
    }
}
