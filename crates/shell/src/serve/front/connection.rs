//! One connection of a front: handshake, then HTTP/1.1 or HTTP/2 until it ends or is told to.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use pin_project_lite::pin_project;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use super::desk::{Desk, Seat};
use super::line::{Line, Order};
use super::owing::Owing;
use super::watched::Watched;
use super::{Front, Peer, Visit};
use crate::serve::ending::endable;

const MAX_HEAD_BYTES: u32 = 32 * 1024;
const MAX_STREAMS: u32 = 200;
/// A request's body is small, and what a client may send unread is memory of ours.
const STREAM_WINDOW: u32 = 65_535;
const CONNECTION_WINDOW: u32 = 256 * 1024;
/// What a stream may have waiting for a client that does not read.
const MAX_SEND_BUFFER: usize = 64 * 1024;
/// Streams that the client reset before they were looked at, and that we reset for its errors,
/// until the connection is ended: a client that does nothing else burns our time.
const MAX_PENDING_RESETS: usize = 20;
const MAX_ERROR_RESETS: usize = 256;
/// Seldom enough for a hundred thousand idle devices, often enough to forget those that are gone.
const PING_EVERY: Duration = Duration::from_secs(30);
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// How HTTP is spoken; one per thread.
pub(super) fn http() -> Builder<Local> {
    let mut builder = Builder::new(Local);
    builder
        .http1()
        // The line's sweep does that, without a timer for each request.
        .header_read_timeout(None::<Duration>)
        // The number of headers stays hyper's (100): one of our own would be memory per request.
        .max_buf_size(MAX_HEAD_BYTES as usize);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_TIMEOUT)
        .max_concurrent_streams(MAX_STREAMS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(MAX_SEND_BUFFER)
        .max_pending_accept_reset_streams(MAX_PENDING_RESETS)
        .max_local_error_reset_streams(MAX_ERROR_RESETS)
        .max_header_list_size(MAX_HEAD_BYTES);
    builder
}

/// Runs the streams of HTTP/2 on the connection's own thread.
#[derive(Debug, Clone, Copy)]
pub(super) struct Local;

impl<T> Executor<T> for Local
where
    T: Future + 'static,
    T::Output: 'static,
{
    fn execute(&self, future: T) {
        drop(tokio::task::spawn_local(endable(future)));
    }
}

/// A connection that was let in.
pub(super) struct Connection<F> {
    pub(super) front: F,
    pub(super) http: Rc<Builder<Local>>,
    pub(super) addr: SocketAddr,
    pub(super) seat: Seat,
}

impl<F: Front> Connection<F> {
    /// Serves it in a task of its own.
    pub(super) fn open(self, stream: TcpStream, tls: Option<&Arc<rustls::ServerConfig>>) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(addr = %self.addr, %error, "connection is gone");
            return;
        }
        match tls {
            None => {
                let peer = Peer::plain(self.addr);
                self.serve(stream, peer);
            }
            Some(tls) => drop(tokio::task::spawn_local(
                self.serve_tls(stream, Arc::clone(tls)),
            )),
        }
    }

    /// Handshake, and then a task of its own again: what the handshake needed is given back.
    async fn serve_tls(self, stream: TcpStream, tls: Arc<rustls::ServerConfig>) {
        let shaken = handshake(stream, tls, &self.seat.desk);
        let shaken = unless_told(&self.seat.line, shaken).await;
        match shaken {
            Some(Ok(stream)) => {
                let peer = Peer::of_tls(self.addr, &stream);
                self.serve(stream, peer);
            }
            Some(Err(error)) => {
                self.seat.desk.tally.handshakes_failed.one();
                tracing::debug!(addr = %self.addr, %error, "tls handshake failed");
            }
            None => tracing::debug!(addr = %self.addr, "tls handshake was cut short"),
        }
    }

    /// Serves a connection whose handshake, if there is one, is over.
    pub(super) fn serve<S>(self, stream: S, peer: Peer)
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let Self {
            front,
            http,
            addr,
            seat,
        } = self;
        let line = &seat.line;
        let answers = Answers {
            front,
            visit: Visit::new(peer, seat.client, Rc::clone(&seat.desk)),
            line: Rc::clone(line),
            owing: seat.client.map(|_| Rc::clone(line)),
        };
        let io = TokioIo::new(Watched::new(stream, Rc::clone(line)));
        let connection = Box::pin(http.serve_connection(io, answers).into_owned());
        drop(tokio::task::spawn_local(async move {
            let ended = drive(connection, |http| http.graceful_shutdown(), &seat.line).await;
            if let Err(error) = ended {
                tracing::debug!(%addr, %error, "connection ended");
            }
            drop(seat);
        }));
    }
}

/// The handshake. What costs is computed as the semaphore allows: so many in one turn of the loop,
/// however many wait, and the turn ends before the next ones. Nobody holds a permit while waiting
/// for a client.
async fn handshake(
    stream: TcpStream,
    tls: Arc<rustls::ServerConfig>,
    desk: &Desk,
) -> std::io::Result<TlsStream<TcpStream>> {
    let hello = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), stream).await?;
    let permit = desk.handshakes.acquire().await;
    let mut shaking = hello.into_stream(tls);
    let first = futures::poll!(&mut shaking);
    tokio::task::yield_now().await;
    drop(permit);
    match first {
        Poll::Ready(done) => done,
        Poll::Pending => shaking.await,
    }
}

/// What a future comes to; none if the line is told something before.
async fn unless_told<T: Future>(line: &Line, future: T) -> Option<T::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| match line.listen(cx) {
        Order::Go => future.as_mut().poll(cx).map(Some),
        Order::Stop | Order::Cut => Poll::Ready(None),
    })
    .await
}

/// Runs a connection to its end, and obeys its line's orders.
async fn drive<C, E>(
    mut connection: Pin<Box<C>>,
    stop: impl Fn(Pin<&mut C>),
    line: &Line,
) -> Result<(), E>
where
    C: Future<Output = Result<(), E>>,
{
    let mut stopping = false;
    poll_fn(|cx| {
        match line.listen(cx) {
            Order::Go => {}
            Order::Cut => return Poll::Ready(Ok(())),
            Order::Stop if stopping => {}
            Order::Stop => {
                stopping = true;
                stop(connection.as_mut());
            }
        }
        connection.as_mut().poll(cx)
    })
    .await
}

/// What hyper asks for answers.
struct Answers<F> {
    front: F,
    visit: Visit,
    line: Rc<Line>,
    /// Where it is counted what is not read; none where a client is trusted. A back end may read
    /// one watch slowly and a hundred others well: who watches looks after that.
    owing: Option<Rc<Line>>,
}

impl<F: Front> Service<Request<Incoming>> for Answers<F> {
    type Response = Response<Owing<F::Body>>;
    type Error = Infallible;
    type Future = Answer<F::Future>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.line.called();
        Answer {
            future: self.front.answer(request, &self.visit),
            line: Rc::clone(&self.line),
            owing: self.owing.clone(),
        }
    }
}

pin_project! {
    /// A front's future, which tells the line when it is done.
    struct Answer<T> {
        #[pin]
        future: T,
        line: Rc<Line>,
        owing: Option<Rc<Line>>,
    }
}

impl<T: Future<Output = Response<B>>, B> Future for Answer<T> {
    type Output = Result<Response<Owing<B>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let answer = ready!(this.future.poll(cx));
        this.line.answered();
        let owing = this.owing.take();
        Poll::Ready(Ok(answer.map(|body| Owing::new(body, owing))))
    }
}
