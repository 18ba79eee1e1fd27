//! One port speaks HTTP/1.1 and HTTP/2, plain and over TLS, and stops in bounded time.

use std::net::SocketAddr;

use axum::Extension;
use axum::http::Version;
use axum::routing::get;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::*;
use crate::tls::{DevAuthority, ServerTls};

struct Running {
    addr: SocketAddr,
    stop: CancellationToken,
    done: JoinHandle<std::io::Result<()>>,
}

impl Running {
    fn start(app: axum::Router, tls: Option<Arc<rustls::ServerConfig>>, grace: Duration) -> Self {
        let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let addr = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let done = tokio::spawn(serve_within(grace, listener, app, tls, stop.clone()));
        Self { addr, stop, done }
    }

    async fn finish(self) {
        self.stop.cancel();
        self.done.await.unwrap().unwrap();
    }
}

/// Answers with the HTTP version and the peer's certified name.
fn echo() -> axum::Router {
    let handler = |version: Version, Extension(peer): Extension<Peer>| async move {
        let name = peer.certificate_name.unwrap_or_else(|| "-".to_owned());
        format!("{version:?} {name} {}", peer.addr.ip())
    };
    axum::Router::new().route("/", get(handler))
}

async fn text(client: &reqwest::Client, url: &str) -> String {
    client.get(url).send().await.unwrap().text().await.unwrap()
}

fn read(path: impl AsRef<std::path::Path>) -> Vec<u8> {
    std::fs::read(path).unwrap()
}

#[tokio::test]
async fn a_plain_port_speaks_both_http_versions() {
    let server = Running::start(echo(), None, GRACE);
    let url = format!("http://{}/", server.addr);
    let one = reqwest::Client::builder().http1_only().build().unwrap();
    assert_eq!(text(&one, &url).await, "HTTP/1.1 - 127.0.0.1");
    let two = reqwest::Client::builder()
        .http2_prior_knowledge()
        .build()
        .unwrap();
    assert_eq!(text(&two, &url).await, "HTTP/2.0 - 127.0.0.1");
    server.finish().await;
}

#[tokio::test]
async fn mutual_tls_names_the_peer_and_refuses_strangers() {
    let dir = tempfile::tempdir().unwrap();
    let authority = DevAuthority::create(dir.path()).unwrap();
    let sans = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let (cert, key) = authority.issue("east", &sans).unwrap();
    let tls = ServerTls {
        cert,
        key,
        client_ca: Some(authority.ca_path()),
    }
    .load()
    .unwrap();
    let server = Running::start(echo(), Some(tls), GRACE);
    let url = format!("https://{}/", server.addr);

    let ca = reqwest::Certificate::from_pem(&read(authority.ca_path())).unwrap();
    let (cert, key) = authority
        .issue("merge", &["merge.local".to_owned()])
        .unwrap();
    let identity = reqwest::Identity::from_pem(&[read(cert), read(key)].concat()).unwrap();
    let client = || reqwest::Client::builder().add_root_certificate(ca.clone());
    let known = client().identity(identity.clone()).build().unwrap();
    assert_eq!(text(&known, &url).await, "HTTP/2.0 merge 127.0.0.1");
    let old = client().identity(identity).http1_only().build().unwrap();
    assert_eq!(text(&old, &url).await, "HTTP/1.1 merge 127.0.0.1");

    let stranger = client().build().unwrap();
    assert!(stranger.get(&url).send().await.is_err());
    server.finish().await;
}

#[tokio::test]
async fn a_request_in_flight_is_answered_after_shutdown_began() {
    let (entered, inside) = oneshot::channel::<()>();
    let (release, released) = oneshot::channel::<()>();
    let gates = Arc::new(std::sync::Mutex::new(Some((entered, released))));
    let handler = move || async move {
        let (entered, released) = gates.lock().unwrap().take().unwrap();
        entered.send(()).unwrap();
        released.await.unwrap();
        "finished"
    };
    let server = Running::start(axum::Router::new().route("/", get(handler)), None, GRACE);
    let url = format!("http://{}/", server.addr);
    let request = tokio::spawn(async move { text(&reqwest::Client::new(), &url).await });
    inside.await.unwrap();
    server.stop.cancel();
    release.send(()).unwrap();
    assert_eq!(request.await.unwrap(), "finished");
    server.finish().await;
}

#[tokio::test]
async fn a_request_that_never_ends_is_cut_after_the_grace_period() {
    let (entered, inside) = oneshot::channel::<()>();
    let gate = Arc::new(std::sync::Mutex::new(Some(entered)));
    let handler = move || async move {
        gate.lock().unwrap().take().unwrap().send(()).unwrap();
        std::future::pending::<&'static str>().await
    };
    let app = axum::Router::new().route("/", get(handler));
    let server = Running::start(app, None, Duration::from_millis(20));
    let url = format!("http://{}/", server.addr);
    let client = reqwest::Client::builder()
        .http2_prior_knowledge()
        .build()
        .unwrap();
    let request = tokio::spawn(async move { client.get(url).send().await });
    inside.await.unwrap();
    server.finish().await;
    assert!(request.await.unwrap().is_err());
}
