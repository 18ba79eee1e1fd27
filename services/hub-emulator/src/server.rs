//! A listener: TLS, HTTP/1.1 and HTTP/2, and faults that take hold of connections.

mod line;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use crate::app::Dropped;
use line::Wire;

pub(crate) use line::Line;

/// How long a client may take to shake hands.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long connections have to end by themselves when the hub stops: less than it waits for them.
const LAST_CALLS: Duration = Duration::from_secs(1);
/// How long to wait when the operating system has no connection to give (too many open files).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What answers on a listener.
pub(crate) trait Site: Send + Sync + 'static {
    /// Answers a request, or has its connection dropped.
    fn handle(
        self: Arc<Self>,
        request: Request<Incoming>,
        line: Arc<Line>,
    ) -> impl Future<Output = Result<Response<Body>, Dropped>> + Send;

    /// Ends when connections are to be closed; at once if they are not to be opened.
    fn refused(self: Arc<Self>) -> impl Future<Output = ()> + Send;
}

/// What the connections of a listener share.
pub(crate) struct Server<S> {
    pub(crate) site: Arc<S>,
    pub(crate) tls: TlsAcceptor,
    pub(crate) cancel: CancellationToken,
    pub(crate) tasks: TaskTracker,
}

impl<S: Site> Server<S> {
    /// Accepts connections until cancelled.
    pub(crate) async fn run(self, listener: TcpListener) {
        let server = Arc::new(self);
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = server.cancel.cancelled() => return,
            };
            match accepted {
                Ok((stream, _)) => {
                    server.tasks.spawn(Arc::clone(&server).connection(stream));
                }
                Err(error) => {
                    warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Serves one connection; an outage that refuses connections closes it, and the end of the hub.
    async fn connection(self: Arc<Self>, stream: TcpStream) {
        tokio::select! {
            biased;
            () = Arc::clone(&self.site).refused() => {}
            () = self.stopped() => debug!("a connection outlived the hub"),
            () = self.serve(stream) => {}
        }
    }

    /// Ends when connections have had time to end. One that is open keeps the hub's data.
    async fn stopped(&self) {
        self.cancel.cancelled().await;
        tokio::time::sleep(LAST_CALLS).await;
    }

    async fn serve(&self, stream: TcpStream) {
        // Answers are small; a delayed one would look like a slow hub.
        let _ = stream.set_nodelay(true);
        let handshake = tokio::time::timeout(HANDSHAKE, self.tls.accept(stream));
        let stream = match handshake.await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return debug!(%error, "no TLS"),
            Err(_) => return debug!("no TLS in time"),
        };
        let line = Arc::new(Line::default());
        let wire = TokioIo::new(Wire::new(stream, Arc::clone(&line)));
        let (site, of) = (Arc::clone(&self.site), Arc::clone(&line));
        let service = service_fn(move |request| {
            let (site, line) = (Arc::clone(&site), Arc::clone(&of));
            async move { site.handle(request, line).await }
        });
        let mut builder = Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new());
        let mut connection = pin!(builder.serve_connection(wire, service));
        let served = async {
            tokio::select! {
                result = connection.as_mut() => result,
                () = self.cancel.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            }
        };
        tokio::select! {
            biased;
            () = line.ended() => debug!("a connection was ended by an ordered fault"),
            result = served => {
                if let Err(error) = result {
                    debug!(error, "a connection ended early");
                }
            }
        }
    }
}
