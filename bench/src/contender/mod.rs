//! The servers that are measured: how each is started, where it listens, and what it answers.

pub(crate) mod bare;
pub(crate) mod etcd;
pub(crate) mod nginx;
pub(crate) mod ours;

use std::net::SocketAddr;

use serde::Serialize;

use crate::load::Load;
use crate::ports;
use crate::probe::Version;
use crate::process::Process;
use crate::world::World;

/// A server that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Contender {
    /// Ours, as it is shipped.
    Concierge,
    /// A minimal tonic unary server.
    Tonic,
    /// A bare tonic broadcast.
    TonicBroadcast,
    /// Bare axum.
    Axum,
    /// Bare hyper behind rustls.
    RustlsHyper,
    /// nginx with a static file.
    Nginx,
    /// etcd with one node.
    Etcd,
}

impl Contender {
    /// As the table says it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Concierge => "concierge",
            Self::Tonic => "minimal tonic",
            Self::TonicBroadcast => "tonic broadcast",
            Self::Axum => "bare axum",
            Self::RustlsHyper => "rustls + hyper",
            Self::Nginx => "nginx",
            Self::Etcd => "etcd",
        }
    }

    /// Where it answers HTTP of a version; gRPC is HTTP/2.
    pub(crate) fn addr(self, version: Version) -> SocketAddr {
        ports::local(match (self, version) {
            (Self::Concierge, _) => ports::CONCIERGE,
            (Self::Nginx, Version::Http1) => ports::NGINX,
            (Self::Nginx, Version::Http2) => ports::NGINX_H2,
            (Self::Etcd, _) => ports::ETCD,
            (Self::Tonic | Self::TonicBroadcast | Self::Axum | Self::RustlsHyper, _) => ports::BARE,
        })
    }

    /// Where watchers come.
    pub(crate) fn watch_addr(self) -> SocketAddr {
        match self {
            Self::Concierge => ports::local(ports::OPERATOR),
            other => other.addr(Version::Http2),
        }
    }

    /// Starts it for a load; returns when it listens.
    pub(crate) async fn start(self, world: &World, load: &Load) -> anyhow::Result<Process> {
        match self {
            Self::Concierge => ours::start(world, load).await,
            Self::Nginx => nginx::start(world, load).await,
            Self::Etcd => etcd::start(world).await,
            Self::Tonic | Self::TonicBroadcast | Self::Axum | Self::RustlsHyper => {
                bare::start(self, world, load).await
            }
        }
    }
}
