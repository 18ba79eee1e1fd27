//! The connections of one thread, seen from outside: who makes no progress, and whom to tell that
//! it is over.
//!
//! ```text
//! opening ─▶ multiplexed            (HTTP/2: it is kept by answering pings, if it reads)
//!    └─────▶ head ─▶ busy ─▶ idle   (HTTP/1: a request's first byte, its head, its answer)
//!              ▲───────────────┘
//! ```
//!
//! A sweep visits every connection about once a second and closes those that have stood still for
//! too long. That costs a request nothing but a few plain stores: hyper's own timer would be made
//! and dropped for each, and could not tell an idle connection from one that dribbles a head.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Waker};

use tokio::sync::Notify;

/// How many parts the lines are swept in: one at each probe, all of them in about a second.
pub(super) const SWEEP_PARTS: usize = 50;
/// Sweeps that a connection may take from being accepted to its first bytes of HTTP.
const OPENING_SWEEPS: u16 = 10;
/// Sweeps that the head of an HTTP/1 request may take from its first byte.
const HEAD_SWEEPS: u16 = 10;
/// Sweeps without a byte of a next request, or of an answer that is being sent: more than the
/// minute between two polls of a device.
const IDLE_SWEEPS: u16 = 75;
/// Bytes of answers that a client of HTTP/2 may leave unread for so long as an idle connection is
/// kept. It answers pings all the same, and 200 streams that nobody reads are 200 answers in memory.
const MOST_OWED: u64 = 16 * 1024;
const HTTP2: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Where a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Handshake, and the bytes that say which HTTP it is.
    Opening,
    /// HTTP/1: a part of a request's head is there.
    Head,
    /// HTTP/1: a request is being worked on.
    Busy,
    /// HTTP/1: the answer is being sent, or has been.
    Idle,
    /// HTTP/2.
    Multiplexed,
}

/// What a connection is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Go on.
    Go,
    /// Finish what it works on.
    Stop,
    /// End now.
    Cut,
}

/// One connection.
pub(super) struct Line {
    phase: Cell<Phase>,
    /// Sweeps since it last made progress; of HTTP/2, since it last owed little.
    age: Cell<u16>,
    /// Bytes of answers' bodies that were handed to HTTP and are not sent: at least so many.
    owed: Cell<u64>,
    /// Bytes that were as HTTP/2 begins.
    alike: Cell<usize>,
    order: Cell<Order>,
    waker: RefCell<Option<Waker>>,
}

impl Line {
    fn new() -> Self {
        Self {
            phase: Cell::new(Phase::Opening),
            age: Cell::new(0),
            owed: Cell::new(0),
            alike: Cell::new(0),
            order: Cell::new(Order::Go),
            waker: RefCell::new(None),
        }
    }

    /// Bytes of HTTP were read.
    pub(super) fn received(&self, bytes: &[u8]) {
        match self.phase.get() {
            _ if bytes.is_empty() => {}
            Phase::Opening => self.opened(bytes),
            Phase::Idle => self.turn(Phase::Head),
            Phase::Head | Phase::Busy | Phase::Multiplexed => {}
        }
    }

    fn opened(&self, bytes: &[u8]) {
        let rest = HTTP2.get(self.alike.get()..).unwrap_or_default();
        let compared = rest.len().min(bytes.len());
        if rest[..compared] != bytes[..compared] {
            self.turn(Phase::Head);
        } else if compared == rest.len() {
            self.turn(Phase::Multiplexed);
        } else {
            self.alike.set(self.alike.get() + compared);
        }
    }

    /// A body gave so many bytes.
    pub(super) fn owes(&self, bytes: usize) {
        self.owed.set(self.owed.get().saturating_add(bytes as u64));
    }

    /// So many bytes were sent. What is not of a body counts as well: it is little, and more than
    /// it would need a client that reads.
    pub(super) fn sent(&self, bytes: usize) {
        self.owed.set(self.owed.get().saturating_sub(bytes as u64));
        if self.phase.get() == Phase::Idle {
            self.age.set(0);
        }
    }

    /// A request's head is whole.
    pub(super) fn called(&self) {
        if self.phase.get() != Phase::Multiplexed {
            self.turn(Phase::Busy);
        }
    }

    /// A request has its answer.
    pub(super) fn answered(&self) {
        if self.phase.get() == Phase::Busy {
            self.turn(Phase::Idle);
        }
    }

    fn turn(&self, phase: Phase) {
        self.phase.set(phase);
        self.age.set(0);
    }

    /// What to do; `cx` is woken when that changes.
    pub(super) fn listen(&self, cx: &Context<'_>) -> Order {
        let mut waker = self.waker.borrow_mut();
        match &mut *waker {
            Some(waker) => waker.clone_from(cx.waker()),
            None => *waker = Some(cx.waker().clone()),
        }
        self.order.get()
    }

    fn tell(&self, order: Order) {
        self.order.set(order);
        let waker = self.waker.take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// One more sweep; where it stood still for too long, if it did.
    fn grow_older(&self) -> Option<Phase> {
        let age = self.age.get().saturating_add(1);
        self.age.set(age);
        let phase = self.phase.get();
        let most = match phase {
            Phase::Opening => OPENING_SWEEPS,
            Phase::Head => HEAD_SWEEPS,
            Phase::Idle => IDLE_SWEEPS,
            Phase::Multiplexed if self.owed.get() > MOST_OWED => IDLE_SWEEPS,
            Phase::Multiplexed => {
                self.age.set(0);
                return None;
            }
            Phase::Busy => return None,
        };
        (age > most).then_some(phase)
    }
}

/// All connections of a thread.
#[derive(Default)]
pub(super) struct Lines {
    slots: RefCell<Vec<Option<Rc<Line>>>>,
    free: RefCell<Vec<usize>>,
    open: Cell<usize>,
    swept: Cell<usize>,
    emptied: Notify,
}

impl Lines {
    /// A new one, and its place.
    pub(super) fn enter(&self) -> (usize, Rc<Line>) {
        let line = Rc::new(Line::new());
        let mut slots = self.slots.borrow_mut();
        let place = self.free.borrow_mut().pop().unwrap_or(slots.len());
        let taken = Some(Rc::clone(&line));
        match slots.get_mut(place) {
            Some(slot) => *slot = taken,
            None => slots.push(taken),
        }
        self.open.set(self.open.get() + 1);
        (place, line)
    }

    /// The one at a place is closed.
    pub(super) fn leave(&self, place: usize) {
        let left = self
            .slots
            .borrow_mut()
            .get_mut(place)
            .and_then(Option::take);
        if left.is_none() {
            return;
        }
        self.free.borrow_mut().push(place);
        self.open.set(self.open.get() - 1);
        if self.open.get() == 0 {
            self.emptied.notify_one();
        }
    }

    pub(super) fn open(&self) -> usize {
        self.open.get()
    }

    /// Until there is none.
    pub(super) async fn empty(&self) {
        while self.open.get() > 0 {
            self.emptied.notified().await;
        }
    }

    /// All of them are to finish.
    pub(super) fn stop(&self) {
        for line in self.slots.borrow().iter().flatten() {
            line.tell(Order::Stop);
        }
    }

    /// Sweeps the next part; `closed` hears of those that are cut.
    pub(super) fn sweep(&self, mut closed: impl FnMut(Phase)) {
        let slots = self.slots.borrow();
        let part = self.swept.get();
        self.swept.set((part + 1) % SWEEP_PARTS);
        for line in slots.iter().skip(part).step_by(SWEEP_PARTS).flatten() {
            if let Some(phase) = line.grow_older() {
                closed(phase);
                line.tell(Order::Cut);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn age(line: &Line, sweeps: u16) -> Option<Phase> {
        (0..sweeps).find_map(|_| line.grow_older())
    }

    #[test]
    fn the_first_bytes_tell_the_protocol_however_they_are_cut() {
        for at in 1..HTTP2.len() {
            let line = Line::new();
            line.received(&HTTP2[..at]);
            assert_eq!(line.phase.get(), Phase::Opening, "{at}");
            line.received(&HTTP2[at..]);
            assert_eq!(line.phase.get(), Phase::Multiplexed, "{at}");
        }
        for text in [&b"GET / HTTP/1.1"[..], b"PRI * HTTP/1.0", b"\0"] {
            let line = Line::new();
            line.received(text);
            assert_eq!(line.phase.get(), Phase::Head);
        }
        let line = Line::new();
        line.received(b"P");
        line.received(b"UT / HTTP/1.1");
        assert_eq!(line.phase.get(), Phase::Head);
    }

    #[test]
    fn a_connection_that_says_nothing_or_dribbles_the_preface_is_closed() {
        let line = Line::new();
        for byte in HTTP2[..10].chunks(1) {
            line.received(byte);
            assert_eq!(line.grow_older(), None);
        }
        assert_eq!(line.grow_older(), Some(Phase::Opening));
    }

    #[test]
    fn a_head_that_dribbles_is_closed_and_an_idle_connection_kept_between_polls() {
        let line = Line::new();
        line.received(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n");
        line.called();
        assert_eq!(age(&line, 1_000), None, "work takes as long as it takes");
        line.answered();
        assert_eq!(age(&line, 70), None);
        line.received(b"G");
        for _ in 0..HEAD_SWEEPS {
            line.received(b"x");
            assert_eq!(line.grow_older(), None);
        }
        assert_eq!(line.grow_older(), Some(Phase::Head));
    }

    #[test]
    fn an_answer_is_sent_for_as_long_as_somebody_reads() {
        let line = Line::new();
        line.received(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n");
        line.called();
        line.answered();
        for _ in 0..10 {
            assert_eq!(age(&line, 50), None);
            line.sent(1);
        }
        assert_eq!(age(&line, 100), Some(Phase::Idle));
    }

    #[test]
    fn http2_is_left_to_its_pings() {
        let line = Line::new();
        line.received(HTTP2);
        line.called();
        line.answered();
        assert_eq!(line.phase.get(), Phase::Multiplexed);
        assert_eq!(age(&line, 10_000), None);
    }

    #[test]
    fn http2_that_takes_its_answers_is_kept_and_one_that_does_not_is_closed() {
        let line = Line::new();
        line.received(HTTP2);
        let many = 4 * MOST_OWED as usize;
        for _ in 0..10 {
            line.owes(many);
            assert_eq!(age(&line, 70), None);
            line.sent(many + 9);
            assert_eq!((line.owed.get(), age(&line, 1)), (0, None));
        }
        line.owes(MOST_OWED as usize);
        assert_eq!(age(&line, 1_000), None, "so little may wait");
        line.owes(1);
        for _ in 0..IDLE_SWEEPS {
            // Nobody needs to read for that.
            line.received(b"ping");
            assert_eq!(line.grow_older(), None);
        }
        assert_eq!(line.grow_older(), Some(Phase::Multiplexed));
    }

    #[test]
    fn a_whole_round_of_sweeps_visits_every_line_once() {
        let lines = Lines::default();
        let all: Vec<_> = (0..120).map(|_| lines.enter()).collect();
        (0..SWEEP_PARTS).for_each(|_| lines.sweep(|_| {}));
        assert!(all.iter().all(|(_, line)| line.age.get() == 1));
        let mut closed = 0;
        (0..SWEEP_PARTS * 10).for_each(|_| lines.sweep(|_| closed += 1));
        assert_eq!(closed, 120);
        assert!(all.iter().all(|(_, line)| line.order.get() == Order::Cut));
    }

    #[tokio::test]
    async fn places_are_used_again_and_the_last_to_leave_is_heard() {
        let lines = Lines::default();
        let (first, _) = lines.enter();
        let (second, _) = lines.enter();
        lines.leave(first);
        lines.leave(first);
        assert_eq!(lines.open(), 1);
        assert_eq!(lines.enter().0, first);
        lines.leave(first);
        lines.leave(second);
        lines.empty().await;
    }
}
