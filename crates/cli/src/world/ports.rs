//! Free loopback ports, below the range that the kernel hands out for outgoing connections, so
//! that a restarted process finds its port free again.

use std::net::TcpListener;

use anyhow::bail;
use rand::Rng as _;

/// A port that nobody listens on now. Another process may still be faster: whoever binds it says
/// so.
pub(crate) fn free_port() -> anyhow::Result<u16> {
    for _ in 0..200 {
        let port = rand::rng().random_range(20_000..32_000);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("found no free loopback port between 20000 and 32000")
}
