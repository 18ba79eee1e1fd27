//! Taking a port, with an error that says what to do when it cannot be had.

use std::io::ErrorKind;
use std::net::SocketAddr;

use tokio::net::TcpListener;

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
    let listener = std::net::TcpListener::bind(addr).map_err(|error| explain(addr, error))?;
    listener
        .set_nonblocking(true)
        .and_then(|()| TcpListener::from_std(listener))
        .map_err(|source| BindError::Other { addr, source })
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

    #[tokio::test]
    async fn a_foreign_address_is_refused_as_such() {
        let error = bind("192.0.2.1:0".parse().unwrap()).unwrap_err();
        assert!(matches!(error, BindError::NotLocal { .. }), "{error}");
    }
}
