//! Listening: one port for gRPC and plain HTTP, with or without TLS.
//!
//! [`serve`] runs on the runtime that it is called in; a [`front`] has threads of its own, for what
//! is asked by the ten thousand. What follows is true of both.
//!
//! Every connection is a task that is waited for. After shutdown begins, no connection is
//! accepted, requests in flight may finish for [`GRACE`], then whatever is left is cut. Limits
//! here protect the process from slow and greedy peers.

mod bind;
mod connection;
mod ending;
pub mod front;
mod peer;

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use bind::{BindError, bind};
pub use ending::StreamEnd;
pub use peer::Peer;

use connection::Acceptor;

/// How long requests in flight may take to finish once shutdown has begun.
pub const GRACE: Duration = Duration::from_secs(5);
/// Pause after an accept that failed for want of file descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves `app` on `listener` until `shutdown`; returns when the last connection is closed, at
/// most [`GRACE`] later.
///
/// Every request carries a [`Peer`] in its extensions.
///
/// # Errors
/// The listener itself is broken. Failures of single connections are logged at `debug`.
pub async fn serve(
    listener: TcpListener,
    app: axum::Router,
    tls: Option<Arc<rustls::ServerConfig>>,
    shutdown: CancellationToken,
) -> std::io::Result<()> {
    serve_within(GRACE, listener, app, tls, shutdown).await
}

async fn serve_within(
    grace: Duration,
    listener: TcpListener,
    app: axum::Router,
    tls: Option<Arc<rustls::ServerConfig>>,
    shutdown: CancellationToken,
) -> std::io::Result<()> {
    let address = listener.local_addr()?;
    tracing::info!(%address, tls = tls.is_some(), "listening");
    let connections = TaskTracker::new();
    let cut = CancellationToken::new();
    let acceptor = Acceptor::new(app, tls, shutdown.clone(), cut.clone(), connections.clone());
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, addr)) => drop(connections.spawn(acceptor.clone().run(stream, addr))),
            Err(error) if is_about_the_peer(&error) => {}
            Err(error) => {
                tracing::warn!(%address, %error, "cannot accept connections");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
    drop(listener);
    drain(&connections, &cut, grace).await;
    tracing::info!(%address, "closed");
    Ok(())
}

async fn drain(connections: &TaskTracker, cut: &CancellationToken, grace: Duration) {
    connections.close();
    if tokio::time::timeout(grace, connections.wait())
        .await
        .is_err()
    {
        tracing::debug!(
            left = connections.len(),
            "cutting connections after the grace period"
        );
        cut.cancel();
        connections.wait().await;
    }
}

fn is_about_the_peer(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted
    )
}

#[cfg(test)]
mod tests;
