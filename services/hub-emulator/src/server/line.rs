//! One connection as faults see it: it can be closed, or cut, at once or when half an answer has
//! left.
//!
//! A cut is a reset, not an orderly close: the client sees that the connection broke. Over HTTP/2
//! every request of the connection ends with it, whichever of the two it is.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes};
use http::Response;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use crate::app::Dropped;

/// At 0 nothing is ordered; here the line is to be cut when what is written next has left.
const ARMED: u8 = 1;
/// Something was written since then.
const WRITTEN: u8 = 2;

/// A connection that can be closed and cut.
#[derive(Default)]
pub(crate) struct Line {
    state: AtomicU8,
    /// Its end is a reset.
    is_cut: AtomicBool,
    end: CancellationToken,
}

impl Line {
    /// Closes the connection.
    pub(crate) fn close(&self) {
        self.end.cancel();
    }

    /// Cuts the connection.
    pub(crate) fn cut(&self) {
        self.is_cut.store(true, Ordering::SeqCst);
        self.end.cancel();
    }

    /// Ends when the line is closed or cut.
    pub(super) async fn ended(&self) {
        self.end.cancelled().await;
    }

    /// An answer that breaks off in the middle, with the connection. One without a body cannot:
    /// the line is cut at once.
    pub(crate) async fn cut_within(
        self: Arc<Self>,
        answer: Response<Body>,
    ) -> Result<Response<Body>, Dropped> {
        let (head, body) = answer.into_parts();
        // The whole of it is in memory already.
        let bytes = axum::body::to_bytes(body, usize::MAX)
            .await
            .unwrap_or_default();
        if bytes.is_empty() {
            self.cut();
            return Err(Dropped);
        }
        let half = Half {
            first: Some(bytes.slice(..bytes.len() / 2)),
            whole: bytes.len() as u64,
            line: self,
        };
        Ok(Response::from_parts(head, Body::new(half)))
    }

    fn arm(&self) {
        self.state.store(ARMED, Ordering::SeqCst);
    }

    fn wrote(&self) {
        let _ = self
            .state
            .compare_exchange(ARMED, WRITTEN, Ordering::SeqCst, Ordering::SeqCst);
    }

    fn flushed(&self) {
        if self.state.load(Ordering::SeqCst) == WRITTEN {
            self.cut();
        }
    }
}

/// A body that promises more than it gives.
struct Half {
    first: Option<Bytes>,
    whole: u64,
    line: Arc<Line>,
}

impl HttpBody for Half {
    type Data = Bytes;
    type Error = Dropped;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Dropped>>> {
        match self.first.take() {
            Some(bytes) => {
                self.line.arm();
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            // There is no more: the line ends when the first half has left.
            None => Poll::Pending,
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.whole)
    }
}

/// The stream of a line.
pub(super) struct Wire {
    stream: TlsStream<TcpStream>,
    line: Arc<Line>,
}

impl Wire {
    pub(super) fn new(stream: TlsStream<TcpStream>, line: Arc<Line>) -> Self {
        Self { stream, line }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        if self.line.is_cut.load(Ordering::SeqCst) {
            // Closing is a reset then. If that cannot be had, the line still ends.
            let _ = self.stream.get_ref().0.set_zero_linger();
        }
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let count = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
        self.line.wrote();
        Poll::Ready(Ok(count))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let count = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, parts))?;
        self.line.wrote();
        Poll::Ready(Ok(count))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        self.line.flushed();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_when_what_was_written_after_the_order_has_left() {
        let line = Line::default();
        line.wrote();
        line.flushed();
        line.arm();
        line.flushed();
        assert!(!line.end.is_cancelled(), "nothing was written since");
        line.wrote();
        assert!(!line.end.is_cancelled(), "it has not left");
        line.flushed();
        assert!(line.end.is_cancelled());
    }

    #[tokio::test]
    async fn half_a_body_is_given_and_all_of_it_promised() {
        let line = Arc::new(Line::default());
        let answer = Response::new(Body::from("0123456789"));
        let mut broken = Arc::clone(&line).cut_within(answer).await.unwrap();
        assert_eq!(broken.body().size_hint().exact(), Some(10));
        let body = Pin::new(broken.body_mut());
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let Poll::Ready(Some(Ok(frame))) = body.poll_frame(&mut cx) else {
            panic!("there is a first half");
        };
        assert_eq!(frame.into_data().unwrap(), "01234");
        assert!(Pin::new(broken.body_mut()).poll_frame(&mut cx).is_pending());
    }

    #[tokio::test]
    async fn an_answer_without_a_body_takes_the_line_with_it() {
        let line = Arc::new(Line::default());
        let answer = Response::new(Body::empty());
        assert!(Arc::clone(&line).cut_within(answer).await.is_err());
        assert!(line.end.is_cancelled());
    }
}
