//! Contenders of our own, each a process: as little as its framework allows, on one thread,
//! answering from memory.

mod axum_get;
mod fanout;
mod tls_get;
mod tonic_unary;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};

/// What can be served.
#[derive(Debug, Subcommand)]
pub(crate) enum Server {
    /// GetEndpoint by tonic.
    Tonic(Served),
    /// GET by axum, HTTP/1.1 and HTTP/2 without TLS.
    Axum(Served),
    /// WatchFleet by tonic from a broadcast channel; UpdateFleet makes a change.
    Fanout(Served),
    /// GET by hyper behind rustls, HTTP/1.1.
    Tls(Encrypted),
}

/// Where, and the answer.
#[derive(Debug, Args)]
pub(crate) struct Served {
    #[arg(long)]
    listen: SocketAddr,
    /// The file with the answer
    #[arg(long)]
    answer: PathBuf,
}

/// The same, with a certificate.
#[derive(Debug, Args)]
pub(crate) struct Encrypted {
    #[command(flatten)]
    served: Served,
    #[arg(long)]
    cert: PathBuf,
    #[arg(long)]
    key: PathBuf,
}

/// Serves until it is killed.
pub(crate) async fn run(server: Server) -> anyhow::Result<()> {
    match server {
        Server::Tonic(served) => tonic_unary::serve(&served).await,
        Server::Axum(served) => axum_get::serve(&served).await,
        Server::Fanout(served) => fanout::serve(&served).await,
        Server::Tls(encrypted) => tls_get::serve(&encrypted).await,
    }
}
