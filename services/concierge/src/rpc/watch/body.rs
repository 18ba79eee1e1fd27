//! The response body of one watcher: about forty bytes, and no copy of anything.
//!
//! It takes its seat when it is polled first, because only then is it known on which thread: the
//! handler may have run on another one.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use http_body::Frame;
use hubshift_api::fault;
use hubshift_shell::StreamEnd;
use tokio::runtime::Handle;
use tonic::Status;

use super::lobby::Lobby;
use super::seats::Step;
use super::ticket::Ticket;
use super::{Resume, ends};
use crate::table::FleetEntry;

/// A lobby that was just made may close while it is empty.
const TRIES: usize = 3;

/// A watcher's stream.
pub(crate) struct WatchBody {
    phase: Phase,
    ticket: Ticket,
}

enum Phase {
    Opening {
        entry: Arc<FleetEntry>,
        resume: Resume,
    },
    Seated(Seated),
    Over,
}

/// A seat, given back when this is dropped.
struct Seated {
    lobby: Arc<Lobby>,
    seat: u32,
}

impl Drop for Seated {
    fn drop(&mut self) {
        self.lobby.leave(self.seat);
    }
}

/// What comes next on a stream.
pub(super) enum Part {
    /// A message with its gRPC prefix.
    Message(Bytes),
    /// The end, and why.
    End(Status),
}

impl WatchBody {
    /// A stream that begins with `entry`, or what is there by then.
    pub(super) fn new(entry: Arc<FleetEntry>, resume: Resume, ticket: Ticket) -> Self {
        Self {
            phase: Phase::Opening { entry, resume },
            ticket,
        }
    }

    /// The next part; none after the end.
    pub(super) fn poll_part(&mut self, waker: &Waker) -> Poll<Option<Part>> {
        let part = match &self.phase {
            Phase::Opening { entry, resume } => {
                let (entry, resume) = (entry.clone(), *resume);
                self.open(&entry, resume)
            }
            Phase::Seated(seated) => match seated.lobby.next(seated.seat, waker) {
                Step::Frame(frame) => Part::Message(frame),
                Step::Wait => return Poll::Pending,
                Step::TooSlow => self.end(ends::too_slow()),
                Step::Closed => self.end(ends::shutting_down()),
            },
            Phase::Over => return Poll::Ready(None),
        };
        Poll::Ready(Some(part))
    }

    fn open(&mut self, entry: &Arc<FleetEntry>, resume: Resume) -> Part {
        let shared = self.ticket.shared().clone();
        let Ok(runtime) = Handle::try_current() else {
            return self.end(fault::internal());
        };
        let end = StreamEnd::of_current();
        for _ in 0..TRIES {
            if shared.closing.is_cancelled() {
                break;
            }
            let lobby = shared.lobby(&runtime);
            if let Some((seat, first)) = lobby.enter(entry, resume, end.clone()) {
                self.phase = Phase::Seated(Seated { lobby, seat });
                return Part::Message(first);
            }
        }
        self.end(ends::shutting_down())
    }

    fn end(&mut self, status: Status) -> Part {
        self.phase = Phase::Over;
        Part::End(status)
    }
}

impl http_body::Body for WatchBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let polled = self.poll_part(cx.waker());
        polled.map(|part| {
            Some(Ok(match part? {
                Part::Message(frame) => Frame::data(frame),
                Part::End(status) => Frame::trailers(trailers(&status)),
            }))
        })
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.phase, Phase::Over)
    }
}

fn trailers(status: &Status) -> HeaderMap {
    let mut trailers = HeaderMap::with_capacity(4);
    // Refused only for a text that is no header, and ours are.
    if status.add_header(&mut trailers).is_err() {
        let code = HeaderValue::from(i32::from(status.code()));
        trailers.insert("grpc-status", code);
    }
    trailers
}
