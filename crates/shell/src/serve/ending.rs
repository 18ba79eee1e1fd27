//! Ending one stream of an HTTP/2 connection from outside of it.
//!
//! hyper does not poll a body while the client's window is full, so a body that nobody reads can't
//! end itself. Its stream's task can be dropped, though: h2 then throws away what waits for that
//! stream and sends RST_STREAM (CANCEL). The connection and its other streams go on.
//!
//! A stream that nobody asks about costs a pointer; the handle is made when a body asks for it.

use std::cell::Cell;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use futures::FutureExt as _;
use futures::future::try_join3;
use futures::task::AtomicWaker;

thread_local! {
    /// What was asked for in the poll that goes on.
    static ASKED: Cell<Option<Arc<End>>> = const { Cell::new(None) };
}

#[derive(Debug, Default)]
struct End {
    is_over: AtomicBool,
    waker: AtomicWaker,
}

/// Ends one HTTP/2 stream. Does nothing to a response over HTTP/1.1, or to one that is over.
#[derive(Debug, Clone)]
pub struct StreamEnd(Arc<End>);

impl StreamEnd {
    /// Of the stream whose handler or body is being polled right now. Ask once for a stream: the
    /// handle that was asked for last is the one that works.
    pub fn of_current() -> Self {
        let end = Arc::new(End::default());
        ASKED.set(Some(end.clone()));
        Self(end)
    }

    /// Resets the stream, from any thread.
    pub fn end(&self) {
        self.0.is_over.store(true, Ordering::Release);
        self.0.waker.wake();
    }
}

/// The stream was ended, or has ended.
struct Ended;

type Never = Result<Infallible, Ended>;

/// The task of a stream, which a [`StreamEnd`] from within it can end. Joined rather than selected
/// in an async block: that would keep the stream's future twice.
pub(super) fn endable<F: Future>(stream: F) -> impl Future<Output = ()> {
    let forget = poll_fn(|_: &mut Context<'_>| {
        ASKED.set(None);
        Poll::<Never>::Pending
    });
    let stream = stream.map(|_| Never::Err(Ended));
    try_join3(forget, stream, Listening::default()).map(drop)
}

/// Polled after the stream: takes what the stream asked for.
#[derive(Default)]
struct Listening(Option<Arc<End>>);

impl Future for Listening {
    type Output = Never;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Never> {
        if let Some(asked) = ASKED.take() {
            self.0 = Some(asked);
        }
        let Some(end) = &self.0 else {
            return Poll::Pending;
        };
        end.waker.register(cx.waker());
        if end.is_over.load(Ordering::Acquire) {
            Poll::Ready(Err(Ended))
        } else {
            Poll::Pending
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::time::Duration;

    use tokio::sync::oneshot;

    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn a_stream_is_ended_from_outside_and_its_neighbour_is_not() {
        let (sent, asked) = oneshot::channel();
        let stream = tokio::spawn(endable(async move {
            sent.send(StreamEnd::of_current()).unwrap();
            pending::<()>().await;
        }));
        let neighbour = tokio::spawn(endable(pending::<()>()));
        asked.await.unwrap().end();
        tokio::time::timeout(LONG, stream).await.unwrap().unwrap();
        assert!(!neighbour.is_finished());
    }

    #[tokio::test]
    async fn what_was_asked_outside_of_a_stream_ends_none() {
        let stray = StreamEnd::of_current();
        let (sent, awaited) = oneshot::channel::<()>();
        let stream = tokio::spawn(endable(async move { awaited.await.unwrap() }));
        tokio::task::yield_now().await;
        stray.end();
        tokio::task::yield_now().await;
        assert!(!stream.is_finished());
        sent.send(()).unwrap();
        tokio::time::timeout(LONG, stream).await.unwrap().unwrap();
    }
}
