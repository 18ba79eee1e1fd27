//! What one thread does: it accepts connections until it is to stop, and then waits for them.

use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::Front;
use super::connection::{Connection, http};
use super::desk::Desk;
use super::refuse::turn_away;
use crate::serve::{ACCEPT_PAUSE, is_about_the_peer};

/// What a thread works with.
pub(super) struct Work<F> {
    pub(super) front: F,
    pub(super) tls: Option<Arc<rustls::ServerConfig>>,
    /// No connection is accepted any more; requests in flight may finish.
    pub(super) stop: CancellationToken,
    /// For so long.
    pub(super) grace: Duration,
    /// Everything ends now.
    pub(super) cut: CancellationToken,
}

/// Serves to the end; what is left then is dropped with the thread's runtime.
pub(super) async fn run<F: Front>(listener: TcpListener, desk: Rc<Desk>, work: Work<F>) {
    desk.set_clock(Instant::now());
    let probe = Rc::clone(&desk);
    drop(tokio::task::spawn_local(async move { probe.probe().await }));
    let (cut, grace) = (work.cut.clone(), work.grace);
    let served = async {
        accept(listener, &desk, work).await;
        desk.lines.stop();
        if tokio::time::timeout(grace, desk.lines.empty())
            .await
            .is_err()
        {
            tracing::debug!(
                left = desk.lines.open(),
                "cutting connections after the grace period"
            );
        }
    };
    tokio::select! {
        () = cut.cancelled() => {}
        () = served => {}
    }
    desk.collect();
}

async fn accept<F: Front>(listener: TcpListener, desk: &Rc<Desk>, work: Work<F>) {
    let front = work.front.on_thread();
    let http = Rc::new(http());
    let mut stopped = pin!(work.stop.cancelled());
    loop {
        let accepted = tokio::select! {
            () = stopped.as_mut() => return,
            accepted = listener.accept() => accepted,
        };
        let (stream, addr) = match accepted {
            Ok(accepted) => accepted,
            Err(error) if is_about_the_peer(&error) => continue,
            Err(error) => {
                tracing::warn!(%error, "cannot accept connections");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        match desk.admit(addr) {
            Ok(seat) => Connection {
                front: front.clone(),
                http: Rc::clone(&http),
                addr,
                seat,
            }
            .open(stream, work.tls.as_ref()),
            Err(why) => turn_away(desk, stream, why, work.tls.is_some()),
        }
    }
}
