//! One connection: handshake, then HTTP/1.1 or HTTP/2 until it ends or is told to.
//!
//! Request tasks of HTTP/2 are tracked like connections, so none outlives [`super::serve`].

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::rt::{Executor, Read, Write};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_util::future::FutureExt as _;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use super::Peer;
use super::ending::endable;

/// For a TLS handshake, and for the first byte of a plain connection.
const OPENING_TIMEOUT: Duration = Duration::from_secs(10);
/// For the head of an HTTP/1.1 request; also how long such a connection may idle.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
const MAX_HEAD_BYTES: u32 = 32 * 1024;
const MAX_STREAMS: u32 = 200;
const PING_EVERY: Duration = Duration::from_secs(10);
const PING_TIMEOUT: Duration = Duration::from_secs(5);

/// What every connection of a listener shares.
#[derive(Clone)]
pub(super) struct Acceptor {
    app: axum::Router,
    tls: Option<TlsAcceptor>,
    http: Arc<Builder<Tracked>>,
    shutdown: CancellationToken,
    cut: CancellationToken,
}

impl Acceptor {
    pub(super) fn new(
        app: axum::Router,
        tls: Option<Arc<rustls::ServerConfig>>,
        shutdown: CancellationToken,
        cut: CancellationToken,
        tracker: TaskTracker,
    ) -> Self {
        let http = Arc::new(http(Tracked {
            tracker,
            cut: cut.clone(),
        }));
        Self {
            app,
            tls: tls.map(TlsAcceptor::from),
            http,
            shutdown,
            cut,
        }
    }

    /// Handles one connection to its end.
    pub(super) async fn run(self, stream: TcpStream, addr: SocketAddr) {
        let cut = self.cut.clone();
        tokio::select! {
            () = cut.cancelled() => {}
            () = self.handle(stream, addr) => {}
        }
    }

    async fn handle(self, stream: TcpStream, addr: SocketAddr) {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%addr, %error, "connection is gone");
            return;
        }
        let Some(tls) = self.tls.clone() else {
            return self.plain(stream, addr).await;
        };
        match tokio::time::timeout(OPENING_TIMEOUT, tls.accept(stream)).await {
            Ok(Ok(stream)) => {
                let peer = Peer::of_tls(addr, &stream);
                self.http(TokioIo::new(stream), peer).await;
            }
            Ok(Err(error)) => tracing::debug!(%addr, %error, "tls handshake failed"),
            Err(_) => tracing::debug!(%addr, "tls handshake timed out"),
        }
    }

    /// A plain connection that never says anything is closed, as a silent handshake would be.
    async fn plain(self, stream: TcpStream, addr: SocketAddr) {
        let opening = tokio::time::timeout(OPENING_TIMEOUT, stream.readable());
        let opened = tokio::select! {
            () = self.shutdown.cancelled() => return,
            opened = opening => opened,
        };
        match opened {
            Ok(Ok(())) => self.http(TokioIo::new(stream), Peer::plain(addr)).await,
            Ok(Err(error)) => tracing::debug!(%addr, %error, "connection is gone"),
            Err(_) => tracing::debug!(%addr, "connection stayed silent"),
        }
    }

    async fn http<I: Read + Write + Unpin + Send + 'static>(self, io: I, peer: Peer) {
        let addr = peer.addr;
        let app = self.app;
        let service = service_fn(move |request| answer(app.clone(), request, peer.clone()));
        let connection = self.http.serve_connection(io, service);
        tokio::pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = self.shutdown.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%addr, %error, "connection ended");
        }
    }
}

async fn answer(
    app: axum::Router,
    request: Request<Incoming>,
    peer: Peer,
) -> Result<Response<Body>, Infallible> {
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(peer);
    app.oneshot(request).await
}

fn http(executor: Tracked) -> Builder<Tracked> {
    let mut builder = Builder::new(executor);
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD_BYTES as usize);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_TIMEOUT)
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEAD_BYTES);
    builder
}

/// Runs hyper's own tasks under the listener's tracker, and ends them when connections are cut; one
/// stream's alone when its body asked for that.
#[derive(Clone, Debug)]
struct Tracked {
    tracker: TaskTracker,
    cut: CancellationToken,
}

impl<F> Executor<F> for Tracked
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        let stream = endable(future).with_cancellation_token_owned(self.cut.clone());
        self.tracker.spawn(stream);
    }
}
