//! The listener: TLS, HTTP/1.1 and HTTP/2, and outages that take hold of connections.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use crate::app::App;

/// How long a client may take to shake hands.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long to wait when the operating system has no connection to give (too many open files).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What connections share.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) app: Arc<App>,
    pub(crate) tls: TlsAcceptor,
    pub(crate) cancel: CancellationToken,
    pub(crate) tasks: TaskTracker,
}

impl Server {
    /// Accepts connections until cancelled.
    pub(crate) async fn run(self, listener: TcpListener) {
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = self.cancel.cancelled() => return,
            };
            match accepted {
                Ok((stream, _)) => {
                    self.tasks.spawn(self.clone().connection(stream));
                }
                Err(error) => {
                    warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Serves one connection; an outage that refuses connections closes it.
    async fn connection(self, stream: TcpStream) {
        tokio::select! {
            biased;
            () = self.app.outage.refused() => {}
            () = self.clone().serve(stream) => {}
        }
    }

    async fn serve(self, stream: TcpStream) {
        // Answers are small; a delayed one would look like a slow hub.
        let _ = stream.set_nodelay(true);
        let handshake = tokio::time::timeout(HANDSHAKE, self.tls.accept(stream));
        let stream = match handshake.await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return debug!(%error, "no TLS"),
            Err(_) => return debug!("no TLS in time"),
        };
        let app = self.app;
        let service = service_fn(move |request| {
            let app = Arc::clone(&app);
            async move { app.handle(request).await }
        });
        let mut builder = Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new());
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
        let result = tokio::select! {
            result = connection.as_mut() => result,
            () = self.cancel.cancelled() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = result {
            debug!(error, "a connection ended early");
        }
    }
}
