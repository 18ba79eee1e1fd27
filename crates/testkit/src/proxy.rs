//! A host that vanishes: a small TCP proxy in front of a server.
//!
//! While it is gone nothing is forwarded and nothing is refused, as when a machine loses its power:
//! who waits for an answer waits for ever. Connections from before stay dead when it is back; new
//! ones work.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::anyhow;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

/// A proxy; it ends, with everything that goes through it, when this is dropped.
#[derive(Debug)]
pub struct Proxy {
    url: String,
    host: Arc<Host>,
    accepting: JoinHandle<()>,
}

/// What all connections look at.
#[derive(Debug, Default)]
struct Host {
    is_gone: AtomicBool,
    /// How often it went: a connection from before the last time is dead.
    times: AtomicU64,
    /// It goes when a client says this.
    last_words: Mutex<Option<Vec<u8>>>,
}

impl Proxy {
    /// A proxy in front of the server of a URL like `postgres://user:password@host:port/database`.
    ///
    /// # Errors
    /// The text is not such a URL, or no port is free.
    pub async fn before(url: &str) -> anyhow::Result<Self> {
        // The URL holds a password: the error doesn't repeat it.
        let broken = || anyhow!("not a URL like postgres://user:password@host:port/database");
        let (who, rest) = url.rsplit_once('@').ok_or_else(broken)?;
        let (server, database) = rest.split_once('/').ok_or_else(broken)?;
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        let url = format!("{who}@{}/{database}", listener.local_addr()?);
        let host = Arc::new(Host::default());
        let accepting = tokio::spawn(accept(listener, server.to_owned(), host.clone()));
        Ok(Self {
            url,
            host,
            accepting,
        })
    }

    /// The URL that leads through it; a secret.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// From now on nothing goes through.
    pub fn vanish(&self) {
        self.host.vanish();
    }

    /// Vanishes as soon as a client says these words, which are not passed on.
    pub fn vanish_at(&self, words: &str) {
        *self.host.last_words() = Some(words.as_bytes().to_owned());
    }

    /// Whether it is gone.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.host.is_gone.load(SeqCst)
    }

    /// Forwards again what comes over new connections.
    pub fn come_back(&self) {
        self.host.is_gone.store(false, SeqCst);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Host {
    fn vanish(&self) {
        self.times.fetch_add(1, SeqCst);
        self.is_gone.store(true, SeqCst);
    }

    fn last_words(&self) -> std::sync::MutexGuard<'_, Option<Vec<u8>>> {
        self.last_words
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether what is said over a connection of this age is lost.
    fn swallows(&self, said: &[u8], times: u64) -> bool {
        let is_last = |words: &mut Vec<u8>| {
            let mut parts = said.windows(words.len());
            parts.any(|part| part == words.as_slice())
        };
        if self.last_words().take_if(is_last).is_some() {
            self.vanish();
        }
        self.is_gone.load(SeqCst) || self.times.load(SeqCst) > times
    }
}

async fn accept(listener: TcpListener, server: String, host: Arc<Host>) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        connections.spawn(forward(client, server.clone(), host.clone()));
    }
}

/// Forwards until a side closes; keeps both open when the host is gone.
async fn forward(client: TcpStream, server: String, host: Arc<Host>) -> std::io::Result<()> {
    let times = host.times.load(SeqCst);
    if host.swallows(&[], times) {
        std::future::pending::<()>().await;
    }
    let (from_server, to_server) = TcpStream::connect(server).await?.into_split();
    let (from_client, to_client) = client.into_split();
    tokio::select! {
        ended = pass(from_client, to_server, &host, times) => ended,
        ended = pass(from_server, to_client, &host, times) => ended,
    }
}

async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    host: &Host,
    times: u64,
) -> std::io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let length = from.read(&mut buffer).await?;
        if host.swallows(&buffer[..length], times) {
            std::future::pending::<()>().await;
        }
        if length == 0 {
            return Ok(());
        }
        to.write_all(&buffer[..length]).await?;
    }
}
