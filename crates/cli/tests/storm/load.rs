//! The devices' connections: HTTP/2 over TLS, as many turns at a time as there are streams. A turn
//! is one poll, verified as a device verifies it.

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hubshift_domain::route::{KeySet, RouteClaims};
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::devices::{Devices, Turn};

/// Devices of one connection, up to [`CONNECTIONS`]: a small storm leaves the machine to other tests.
const DEVICES_EACH: u64 = 5_000;
const CONNECTIONS: u64 = 64;
/// Turns at a time on a connection.
const STREAMS: usize = 4;
/// Failures that are kept to be shown.
const SHOWN: usize = 5;

/// What came of all turns.
#[derive(Debug, Default)]
pub(crate) struct Ended {
    pub(crate) answers: u64,
    /// Answers of a lower epoch than the device held.
    pub(crate) lowered: u64,
    pub(crate) failures: Vec<String>,
}

#[derive(Deserialize)]
struct Answer<'a> {
    route: &'a str,
    connect_after_ms: u32,
    stale: bool,
}

struct Shared {
    devices: Arc<Devices>,
    keys: KeySet,
    /// The route that was verified last: the same text need not be verified again.
    verified: Mutex<Option<(String, Arc<RouteClaims>)>>,
    latencies: Mutex<Vec<Duration>>,
    stopping: AtomicBool,
    stale: AtomicU64,
    lowered: AtomicU64,
    failures: Mutex<Vec<String>>,
}

/// Devices that ask until they are stopped.
pub(crate) struct Load {
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

impl Load {
    /// `address` is `localhost:PORT` of the public listener, `ca` who signed its certificate.
    pub(crate) fn start(address: &str, ca: &Path, devices: Arc<Devices>) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let tls = connector(ca);
        let keys = runtime.block_on(keys(address, &tls));
        let connections = devices.count().div_ceil(DEVICES_EACH).min(CONNECTIONS);
        let shared = Arc::new(Shared {
            devices,
            keys,
            verified: Mutex::default(),
            latencies: Mutex::default(),
            stopping: AtomicBool::new(false),
            stale: AtomicU64::new(0),
            lowered: AtomicU64::new(0),
            failures: Mutex::default(),
        });
        let (address, all) = (address.to_owned(), shared.clone());
        let thread = std::thread::spawn(move || {
            runtime.block_on(async move {
                let mut tasks = tokio::task::JoinSet::new();
                for _ in 0..connections {
                    let sender = connect(&address, &tls).await;
                    for _ in 0..STREAMS {
                        tasks.spawn(turns(all.clone(), address.clone(), sender.clone()));
                    }
                }
                tasks.join_all().await;
            });
        });
        Self { shared, thread }
    }

    /// The latencies since the last look.
    pub(crate) fn latencies(&self) -> Vec<Duration> {
        std::mem::take(&mut self.shared.latencies.lock().unwrap())
    }

    /// Answers so far of a concierge that had lost its database.
    pub(crate) fn stale(&self) -> u64 {
        self.shared.stale.load(Relaxed)
    }

    /// Lets every turn that was begun end.
    pub(crate) fn stop(self) -> Ended {
        self.shared.stopping.store(true, Relaxed);
        self.thread.join().unwrap();
        Ended {
            answers: self.shared.devices.asked(),
            lowered: self.shared.lowered.load(Relaxed),
            failures: std::mem::take(&mut self.shared.failures.lock().unwrap()),
        }
    }
}

type Sender = SendRequest<Empty<Bytes>>;

async fn turns(shared: Arc<Shared>, address: String, mut sender: Sender) {
    while !shared.stopping.load(Relaxed) {
        let turn = shared.devices.next();
        if let Err(failure) = poll(&shared, &address, &mut sender, turn).await {
            let mut failures = shared.failures.lock().unwrap();
            if failures.len() < SHOWN {
                failures.push(format!("{turn:?}: {failure}"));
            }
            // A connection that broke would fail for ever.
            return;
        }
    }
}

async fn poll(
    shared: &Shared,
    address: &str,
    sender: &mut Sender,
    turn: Turn,
) -> Result<(), String> {
    let (id, epoch) = (Devices::id(turn), shared.devices.epoch(turn));
    let uri =
        format!("https://{address}/v1/fleets/acme/endpoint?device={id}&epoch={epoch}&hub=east");
    let started = Instant::now();
    let body = get(sender, &uri).await?;
    shared.latencies.lock().unwrap().push(started.elapsed());
    let answer: Answer<'_> = serde_json::from_slice(&body).map_err(|error| error.to_string())?;
    let route = verified(shared, answer.route)?;
    let slot = u128::from(answer.connect_after_ms);
    if route.slot(&id).as_millis() != slot {
        return Err(format!("its slot is not {slot} ms"));
    }
    shared.stale.fetch_add(u64::from(answer.stale), Relaxed);
    if !shared.devices.take(turn, &route, answer.connect_after_ms) {
        shared.lowered.fetch_add(1, Relaxed);
    }
    Ok(())
}

async fn get(sender: &mut Sender, uri: &str) -> Result<Bytes, String> {
    let request = http::Request::get(uri)
        .body(Empty::new())
        .map_err(|error| error.to_string())?;
    sender.ready().await.map_err(|error| error.to_string())?;
    let response = sender
        .send_request(request)
        .await
        .map_err(|error| error.to_string())?;
    if response.status() != 200 {
        return Err(response.status().to_string());
    }
    let body = response
        .into_body()
        .collect()
        .await
        .map_err(|error| error.to_string())?;
    Ok(body.to_bytes())
}

fn verified(shared: &Shared, token: &str) -> Result<Arc<RouteClaims>, String> {
    let mut last = shared.verified.lock().unwrap();
    if let Some((_, claims)) = last.as_ref().filter(|(known, _)| known == token) {
        return Ok(claims.clone());
    }
    let claims = shared
        .keys
        .verify(token)
        .map_err(|error| error.to_string())?;
    let claims = Arc::new(claims);
    *last = Some((token.to_owned(), claims.clone()));
    Ok(claims)
}

async fn keys(address: &str, tls: &TlsConnector) -> KeySet {
    let mut sender = connect(address, tls).await;
    let uri = format!("https://{address}/.well-known/hubshift/keys");
    let document = get(&mut sender, &uri).await.unwrap();
    KeySet::from_json(&document).unwrap()
}

async fn connect(address: &str, tls: &TlsConnector) -> Sender {
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let stream = tls.connect(name, stream).await.unwrap();
    let (sender, connection) = handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    sender
}

fn connector(ca: &Path) -> TlsConnector {
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(ca).unwrap())
        .unwrap();
    let mut config = rustls::ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    TlsConnector::from(Arc::new(config))
}
