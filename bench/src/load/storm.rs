//! A reconnect storm: every request over a new TCP and TLS connection, which is then closed. What
//! counts is the CPU time of the server: the client works as hard, on a core of its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use futures::future::try_join_all;
use rustls::client::Resumption;
use rustls::{ClientConfig, HandshakeKind, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::answers::Who;
use crate::contender::Contender;
use crate::judge::{Figure, Figures};
use crate::probe::Version;
use crate::proc;
use crate::world::{Tls, World};

/// Clients at once.
const CLIENTS: u32 = 32;
/// Connections per second of measuring: enough for the kernel's clock, which ticks every 10 ms.
const CONNECTIONS: u32 = 1_500;
/// How many of a hundred connections must be what was asked for: each client's first is full.
const MOST: u32 = 90;

/// Measures one server.
pub(super) async fn measure(
    world: &World,
    contender: Contender,
    pid: u32,
    resumed: bool,
) -> anyhow::Result<Figures> {
    let addr = contender.addr(Version::Http1);
    let path = Who::Device.path(world.answers.epoch);
    let storm = Storm {
        addr,
        request: format!("GET {path} HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\n\r\n"),
        connectors: connectors(&world.place.tls, resumed)?,
    };
    storm.run(CONNECTIONS).await?;
    let connections = CONNECTIONS * world.place.options.seconds;
    let (start, before) = (Instant::now(), proc::cpu_time(pid)?);
    let seen = storm.run(connections).await?;
    let (took, cpu) = (start.elapsed(), proc::cpu_time(pid)? - before);
    let wanted = if resumed { seen.resumed } else { seen.full };
    ensure!(
        wanted * 100 >= seen.all() * MOST,
        "of {} connections {} were resumed",
        seen.all(),
        seen.resumed
    );
    let count = f64::from(seen.all());
    Ok(Figures::from([
        (Figure::CpuPerConnectionUs, micros(cpu) / count),
        (Figure::ConnectionsPerSecond, count / took.as_secs_f64()),
    ]))
}

fn micros(span: Duration) -> f64 {
    span.as_secs_f64() * 1e6
}

/// How the connections came about.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    full: u32,
    resumed: u32,
}

impl Seen {
    fn all(self) -> u32 {
        self.full + self.resumed
    }
}

struct Storm {
    addr: SocketAddr,
    request: String,
    /// One for each client, with a session store of its own.
    connectors: Vec<TlsConnector>,
}

impl Storm {
    /// So many connections, shared by all clients.
    async fn run(&self, connections: u32) -> anyhow::Result<Seen> {
        let each = connections.div_ceil(CLIENTS);
        let clients = self.connectors.iter();
        let seen = try_join_all(clients.map(|connector| self.client(connector, each))).await?;
        Ok(seen.iter().fold(Seen::default(), |sum, seen| Seen {
            full: sum.full + seen.full,
            resumed: sum.resumed + seen.resumed,
        }))
    }

    async fn client(&self, connector: &TlsConnector, visits: u32) -> anyhow::Result<Seen> {
        let (mut seen, mut answer) = (Seen::default(), Vec::new());
        for _ in 0..visits {
            match self.visit(connector, &mut answer).await? {
                HandshakeKind::Resumed => seen.resumed += 1,
                HandshakeKind::Full | HandshakeKind::FullWithHelloRetryRequest => seen.full += 1,
            }
        }
        Ok(seen)
    }

    async fn visit(
        &self,
        connector: &TlsConnector,
        answer: &mut Vec<u8>,
    ) -> anyhow::Result<HandshakeKind> {
        let stream = TcpStream::connect(self.addr).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::from(self.addr.ip());
        let mut stream = connector.connect(name, stream).await?;
        stream.write_all(self.request.as_bytes()).await?;
        answer.clear();
        stream
            .read_to_end(answer)
            .await
            .context("the connection was cut")?;
        ensure!(
            answer.starts_with(b"HTTP/1.1 200 "),
            "it answers {}",
            String::from_utf8_lossy(answer)
                .lines()
                .next()
                .unwrap_or("nothing")
        );
        let kind = stream.get_ref().1.handshake_kind();
        kind.context("an answer without a handshake")
    }
}

fn connectors(tls: &Tls, resumed: bool) -> anyhow::Result<Vec<TlsConnector>> {
    let mut roots = RootCertStore::empty();
    for authority in CertificateDer::pem_file_iter(&tls.ca).context("could not read the CA")? {
        roots.add(authority?)?;
    }
    let roots = Arc::new(roots);
    (0..CLIENTS)
        .map(|_| connector(roots.clone(), resumed))
        .collect()
}

fn connector(roots: Arc<RootCertStore>, resumed: bool) -> anyhow::Result<TlsConnector> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.resumption = match resumed {
        true => Resumption::in_memory_sessions(16),
        false => Resumption::disabled(),
    };
    Ok(TlsConnector::from(Arc::new(config)))
}
