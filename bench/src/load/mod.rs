//! What is done to a server, and what is measured of it.

mod cold;
mod h2load;
mod pages;
mod storm;
mod unary;
mod watch;
mod words;
mod wrk;

use crate::answers::Who;
use crate::contender::Contender;
use crate::judge::Figures;
use crate::world::World;

/// For how long a server is warmed up, seconds.
const WARM_UP: u32 = 1;

/// What is done to a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Load {
    /// Unary calls of gRPC.
    Grpc {
        /// Connections at once.
        connections: u32,
        /// Calls at once on each.
        streams: u32,
        /// Who calls.
        who: Who,
    },
    /// GET over HTTP/1.1.
    Http1 {
        /// Connections at once.
        connections: u32,
        /// Whether the client has the page and asks if it changed.
        revalidate: bool,
        /// Who asks.
        who: Who,
    },
    /// GET over HTTP/2.
    Http2 {
        /// Connections at once.
        connections: u32,
        /// Requests at once on each.
        streams: u32,
        /// Who asks.
        who: Who,
    },
    /// A new TCP and TLS connection for every GET.
    Storm {
        /// Whether the client resumes its session.
        resumed: bool,
    },
    /// Watchers, and changes that must reach all of them.
    Watch {
        /// Connections at once.
        connections: usize,
        /// Watchers on each.
        streams: usize,
    },
    /// A start with a table on disk and no database, up to the first answer.
    ColdStart {
        /// Fleets in the table.
        fleets: usize,
    },
}

impl Load {
    /// Who asks.
    pub(crate) fn who(&self) -> Who {
        match self {
            Self::Grpc { who, .. } | Self::Http1 { who, .. } | Self::Http2 { who, .. } => *who,
            Self::Storm { .. } | Self::Watch { .. } | Self::ColdStart { .. } => Who::Device,
        }
    }

    /// Whether the public listener has a certificate.
    pub(crate) fn is_encrypted(&self) -> bool {
        matches!(self, Self::Storm { .. })
    }
}

/// Starts a server, loads it, and stops it.
pub(crate) async fn measure(
    world: &World,
    contender: Contender,
    load: &Load,
) -> anyhow::Result<Figures> {
    if let Load::ColdStart { fleets } = *load {
        return Box::pin(cold::measure(world, fleets)).await;
    }
    let mut process = Box::pin(contender.start(world, load)).await?;
    let figures = match *load {
        Load::Grpc {
            connections,
            streams,
            who,
        } => {
            Box::pin(unary::measure(
                world,
                contender,
                (connections, streams),
                who,
            ))
            .await
        }
        Load::Http1 {
            connections,
            revalidate,
            who,
        } => Box::pin(pages::http1(world, contender, connections, revalidate, who)).await,
        Load::Http2 {
            connections,
            streams,
            who,
        } => Box::pin(pages::http2(world, contender, (connections, streams), who)).await,
        Load::Storm { resumed } => {
            Box::pin(storm::measure(world, contender, process.pid(), resumed)).await
        }
        Load::Watch {
            connections,
            streams,
        } => {
            let shape = (connections, streams);
            Box::pin(watch::measure(world, contender, process.pid(), shape)).await
        }
        Load::ColdStart { .. } => Ok(Figures::new()),
    };
    process.check()?;
    process.stop().await?;
    figures
}
