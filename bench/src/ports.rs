//! Fixed ports, below those that the system gives to clients: what connects in masses must not
//! take the port of what is started next. One contender listens at a time.

use std::net::{Ipv4Addr, SocketAddr};

/// The concierge's public listener.
pub(crate) const CONCIERGE: u16 = 20_101;
/// Its operator listener.
pub(crate) const OPERATOR: u16 = 20_102;
/// Its admin listener.
pub(crate) const ADMIN: u16 = 20_103;
/// Nobody listens here.
pub(crate) const CLOSED: u16 = 20_109;
/// A contender of our own.
pub(crate) const BARE: u16 = 20_111;
/// nginx, HTTP/1.1.
pub(crate) const NGINX: u16 = 20_121;
/// nginx, HTTP/2 without TLS.
pub(crate) const NGINX_H2: u16 = 20_122;
/// etcd, for clients.
pub(crate) const ETCD: u16 = 20_131;
/// etcd, for peers that it does not have.
pub(crate) const ETCD_PEER: u16 = 20_132;

/// The port on this machine.
pub(crate) fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}
