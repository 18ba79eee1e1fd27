//! The public front for fuzzing: one connection from memory, and its fast readers beside the usual
//! ones. Panics are what a fuzzer looks for.
#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a panic here is what the fuzzer is told by"
)]

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{IoSlice, Result};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::extract::Query;
use http::Uri;
use hubshift_api::pb::concierge::GetEndpointRequest;
use hubshift_shell::Health;
use hubshift_shell::serve::front::fuzzing::Desks;
use prost::Message as _;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::runtime::{Builder, Handle, LocalOptions};
use tokio::time::{Sleep, sleep};

use super::query::Params;
use super::{PublicFront, wire};
use crate::adoption::Adoption;
use crate::http::{PublicState, public_router};
use crate::table::fuzz::in_memory;
use crate::table::{Asked, fixture};

/// How long a client says nothing before it goes: long enough for the deadline of a body, or for
/// the pings of HTTP/2 to find out.
const SILENCES: [Duration; 2] = [Duration::from_secs(15), Duration::from_secs(60)];
/// A connection's bytes come in at most so many pieces.
const PIECES: usize = 256;

thread_local! {
    static WORLD: World = World::new();
}

/// Serves these bytes; returns what came back.
pub(crate) fn connection(bytes: &[u8]) -> Vec<u8> {
    WORLD.with(|world| world.visit(bytes))
}

/// The reader of messages beside prost: the same question, or none.
pub(crate) fn message(bytes: &[u8]) {
    let Some(read) = wire::read(bytes) else {
        return;
    };
    let decoded = GetEndpointRequest::decode(bytes).expect("prost refuses what the front reads");
    assert_eq!(said(&read), said(&wire::asked(&decoded)));
}

/// The reader of queries beside serde_urlencoded.
pub(crate) fn query(text: &str) {
    let Ok(uri) = format!("/?{text}").parse::<Uri>() else {
        return;
    };
    let usual = Query::<HashMap<String, String>>::try_from_uri(&uri);
    let Query(mut usual) = usual.expect("there is no query that is malformed");
    let [device, epoch, hub, error] =
        ["device", "epoch", "hub", "error"].map(|name| usual.remove(name).unwrap_or_default());
    let params = Params::of(uri.query().unwrap_or_default());
    let read = params.asked("acme");
    let known_epoch: std::result::Result<u64, &str> = match epoch.as_str() {
        "" => Ok(0),
        text => text.parse().map_err(|_| text),
    };
    let expected = ("acme", &*device, known_epoch, &*hub, &*error);
    assert_eq!(said(&read), expected);
}

type Said<'a> = (
    &'a str,
    &'a str,
    std::result::Result<u64, &'a str>,
    &'a str,
    &'a str,
);

fn said<'a>(asked: &Asked<'a>) -> Said<'a> {
    (
        asked.fleet,
        asked.device,
        asked.known_epoch,
        asked.attached_hub,
        asked.last_connect_error,
    )
}

/// A front over a table in memory. Nothing that comes in changes it: the fuzzer has no key to sign a
/// newer route with.
struct World {
    state: PublicState,
    router: Router,
    desks: Desks,
}

impl World {
    fn new() -> Self {
        let state = PublicState {
            table: in_memory(),
            signer: Arc::new(fixture::signer()),
            adoption: Adoption::new(),
        };
        state.adoption.make_room(&state.table.load());
        let router = public_router(state.clone(), Health::new());
        Self {
            state,
            router,
            desks: Desks::open(),
        }
    }

    /// In a runtime of its own, whose clock stands still while there is something to do: no visit
    /// leaves anything behind, and waiting takes no time.
    fn visit(&self, bytes: &[u8]) -> Vec<u8> {
        let runtime = Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build_local(LocalOptions::default())
            .expect("a runtime without I/O needs nothing");
        let client = Client::new(bytes);
        let written = Rc::clone(&client.written);
        runtime.block_on(async {
            let (state, router) = (self.state.clone(), self.router.clone());
            let front = PublicFront::new(state, router, Handle::current());
            self.desks.serve(front, client).await;
        });
        drop(runtime);
        written.take()
    }
}

/// A client that sends its bytes, reads everything at once, falls silent and goes. In what pieces the
/// bytes come, and how long the silence is, follows from their number.
struct Client {
    bytes: Vec<u8>,
    sent: usize,
    piece: usize,
    /// The next piece is not there yet.
    pauses: bool,
    silence: Duration,
    going: Option<Pin<Box<Sleep>>>,
    is_gone: bool,
    written: Rc<RefCell<Vec<u8>>>,
}

impl Client {
    fn new(bytes: &[u8]) -> Self {
        let length = bytes.len();
        let least = length.div_ceil(PIECES);
        Self {
            bytes: bytes.to_vec(),
            sent: 0,
            piece: match length % 4 {
                0 => least.max(1),
                1 => least.max(7),
                _ => usize::MAX,
            },
            pauses: false,
            silence: SILENCES[length / 4 % 2],
            going: None,
            is_gone: false,
            written: Rc::default(),
        }
    }

    fn poll_going(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if !self.is_gone {
            let silence = self.silence;
            let going = self.going.get_or_insert_with(|| Box::pin(sleep(silence)));
            ready!(going.as_mut().poll(cx));
            self.is_gone = true;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Client {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        let this = &mut *self;
        let rest = this.bytes.get(this.sent..).unwrap_or_default();
        if rest.is_empty() {
            return this.poll_going(cx);
        }
        if this.pauses {
            this.pauses = false;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let piece = rest.len().min(this.piece).min(buf.remaining());
        buf.put_slice(&rest[..piece]);
        this.sent += piece;
        this.pauses = true;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Client {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        self.written.borrow_mut().extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let mut written = self.written.borrow_mut();
        parts
            .iter()
            .for_each(|part| written.extend_from_slice(part));
        Poll::Ready(Ok(parts.iter().map(|part| part.len()).sum()))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }
}
