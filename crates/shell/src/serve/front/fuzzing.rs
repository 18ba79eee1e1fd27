//! One connection after the other, without a socket: for fuzzing, and only in builds that are made
//! for it (`--cfg fuzzing`).
//!
//! It is served exactly as one that a listener accepted, without TLS. Kept true: when its client is
//! gone a connection ends, at the latest once the sweeps that every connection is under have seen
//! it stand still. Time is the runtime's, so it should be one whose clock is paused.

use std::net::{Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};

use super::connection::{Connection, Local, http};
use super::desk::{Desk, Shared};
use super::line::SWEEP_PARTS;
use super::{Front, Limits};
use crate::serve::Peer;

/// By then everything that waits for a client has given up.
const PATIENCE: Duration = Duration::from_secs(120);
/// More than any phase of a connection may take.
const SWEEPS: usize = 100 * SWEEP_PARTS;

/// What the connections of one thread share, without a listener.
pub struct Desks {
    desk: Rc<Desk>,
    http: Rc<Builder<Local>>,
}

impl Desks {
    /// One that no client can ask too fast.
    pub fn open() -> Self {
        let shared = Arc::new(Shared::new("fuzzing", Limits::trusting_everyone()));
        Self {
            desk: Rc::new(Desk::new(shared, 0)),
            http: Rc::new(http()),
        }
    }

    /// Serves one connection to its end, inside of a local runtime.
    ///
    /// # Panics
    /// It does not end.
    pub async fn serve<F, S>(&self, front: F, stream: S)
    where
        F: Front,
        S: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        let Ok(seat) = self.desk.admit(addr) else {
            panic!("a connection before has not given its seat back");
        };
        let connection = Connection {
            front,
            http: Rc::clone(&self.http),
            addr,
            seat,
        };
        connection.serve(stream, Peer::plain(addr));
        if !self.is_over().await {
            (0..SWEEPS).for_each(|_| self.desk.lines.sweep(|_| {}));
            assert!(self.is_over().await, "a connection outlives its client");
        }
    }

    async fn is_over(&self) -> bool {
        let over = self.desk.lines.empty();
        tokio::time::timeout(PATIENCE, over).await.is_ok()
    }
}
