//! Who makes a call, as every handler knows it.

use std::fmt;
use std::net::SocketAddr;

use crate::serve::Peer;

/// The name of a caller without a certificate.
pub const ANONYMOUS: &str = "anonymous";

/// The caller of an rpc.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The name in the client certificate that TLS verified, else [`ANONYMOUS`].
    pub name: String,
    /// Where the connection came from; none in tests that call a handler directly.
    pub addr: Option<SocketAddr>,
}

impl Caller {
    /// The caller of a request that came through [`crate::serve()`].
    pub fn of<T>(request: &tonic::Request<T>) -> Self {
        Self::from_extensions(request.extensions())
    }

    /// The caller, from the extensions of a plain HTTP request.
    pub fn from_extensions(extensions: &http::Extensions) -> Self {
        let peer = extensions.get::<Peer>();
        let name = peer.and_then(|peer| peer.certificate_name.clone());
        Self {
            name: name.unwrap_or_else(|| ANONYMOUS.to_owned()),
            addr: peer.map(|peer| peer.addr),
        }
    }

    /// Whether nobody vouched for the caller's name.
    pub fn is_anonymous(&self) -> bool {
        self.name == ANONYMOUS
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.addr {
            Some(addr) => write!(f, "{} at {addr}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_without_a_peer_is_anonymous() {
        let caller = Caller::of(&tonic::Request::new(()));
        assert!(caller.is_anonymous());
        assert_eq!(caller.addr, None);
    }

    #[test]
    fn the_certificates_name_is_the_callers() {
        let mut request = tonic::Request::new(());
        let addr = "127.0.0.1:5000".parse().unwrap();
        let certificate_name = Some("merge".to_owned());
        request.extensions_mut().insert(Peer {
            addr,
            certificate_name,
        });
        assert_eq!(Caller::of(&request).to_string(), "merge at 127.0.0.1:5000");
    }
}
