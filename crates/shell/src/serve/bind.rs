//! Taking a port, with an error that says what to do when it cannot be had.

use std::io::ErrorKind;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};

/// How many connections may wait to be accepted; the system has a limit of its own
/// (`net.core.somaxconn`). The standard library's 128 is full within a millisecond when a fleet
/// comes back, and each device that finds no place in it asks again a second later.
const BACKLOG: u32 = 65_535;

/// Why an address cannot be listened on. Exit with [`crate::exit::UNAVAILABLE`].
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another process has the port.
    #[error(
        "port {} on {} is taken: stop what listens there (`ss -ltnp 'sport = :{}'` shows it) \
         or configure another port",
        .addr.port(), .addr.ip(), .addr.port()
    )]
    Taken {
        /// The address asked for.
        addr: SocketAddr,
    },
    /// The process may not have the port.
    #[error(
        "not allowed to listen on {addr}: ports below 1024 need root or CAP_NET_BIND_SERVICE; \
         configure a higher port"
    )]
    Forbidden {
        /// The address asked for.
        addr: SocketAddr,
    },
    /// The address is not one of this machine.
    #[error(
        "{} is not an address of this machine: listen on one of its own (`ip address` lists \
         them), on 127.0.0.1 or on 0.0.0.0",
        .addr.ip()
    )]
    NotLocal {
        /// The address asked for.
        addr: SocketAddr,
    },
    /// Anything else.
    #[error("cannot listen on {addr}")]
    Other {
        /// The address asked for.
        addr: SocketAddr,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

/// Listens on `addr`; port 0 takes a free port. Call it inside a tokio runtime.
///
/// # Errors
/// [`BindError`], whose text says what to do.
///
/// # Panics
/// Outside of a tokio runtime.
pub fn bind(addr: SocketAddr) -> Result<TcpListener, BindError> {
    listen(addr).map_err(|error| explain(addr, error))
}

fn listen(addr: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = match addr {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // As the standard library does: a restart need not wait for connections of the process before.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    socket.listen(BACKLOG)
}

fn explain(addr: SocketAddr, source: std::io::Error) -> BindError {
    match source.kind() {
        ErrorKind::AddrInUse => BindError::Taken { addr },
        ErrorKind::PermissionDenied => BindError::Forbidden { addr },
        ErrorKind::AddrNotAvailable => BindError::NotLocal { addr },
        _ => BindError::Other { addr, source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_taken_port_is_named_with_what_to_do() {
        let first = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let addr = first.local_addr().unwrap();
        let error = bind(addr).unwrap_err();
        assert!(matches!(error, BindError::Taken { .. }));
        let text = error.to_string();
        assert!(text.contains(&format!("port {}", addr.port())), "{text}");
        assert!(text.contains("configure another port"), "{text}");
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn many_may_wait_to_be_accepted() {
        const MANY: usize = 400;
        let allowed = std::fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap();
        let allowed: usize = allowed.trim().parse().unwrap();
        let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let addr = listener.local_addr().unwrap();
        // Whoever finds no place is not refused: it waits for a second, and asks again.
        let patience = std::time::Duration::from_secs(20);
        let all = async {
            let mut waiting = Vec::new();
            for _ in 0..MANY.min(allowed) {
                waiting.push(tokio::net::TcpStream::connect(addr).await.unwrap());
            }
            waiting
        };
        assert!(tokio::time::timeout(patience, all).await.is_ok());
    }

    #[tokio::test]
    async fn a_foreign_address_is_refused_as_such() {
        let error = bind("192.0.2.1:0".parse().unwrap()).unwrap_err();
        assert!(matches!(error, BindError::NotLocal { .. }), "{error}");
    }
}
