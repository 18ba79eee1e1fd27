//! A front over real sockets: both protocols, its end, its limits, and a router behind it.

mod limits;
mod router;
mod unread;

use std::future::{Ready, ready};
use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::Full;
use reqwest::Client;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::threads::serve_within;
use super::*;
use crate::serve::{GRACE, bind};
use crate::tasks::Tasks;
use crate::tls::{DevAuthority, ServerTls};

/// No test waits longer for anything.
const LONG: Duration = Duration::from_secs(20);

/// A front that answers at once, on the connection's thread.
#[derive(Clone)]
struct AtOnce<A>(A);

impl<A> Front for AtOnce<A>
where
    A: Fn(&Request<Incoming>, &Visit) -> Response<Full<Bytes>> + Clone + Send + 'static,
{
    type Body = Full<Bytes>;
    type Future = Ready<Response<Full<Bytes>>>;

    fn answer(&self, request: Request<Incoming>, visit: &Visit) -> Self::Future {
        ready((self.0)(&request, visit))
    }
}

fn text(status: u16, text: impl Into<String>) -> Response<Full<Bytes>> {
    let body = Full::new(Bytes::from(text.into()));
    Response::builder().status(status).body(body).unwrap()
}

/// Answers with what it knows of a request.
fn echo() -> impl Front {
    AtOnce(|request: &Request<Incoming>, visit: &Visit| {
        let name = visit.peer.certificate_name.as_deref().unwrap_or("-");
        let (version, ip) = (request.version(), visit.peer.addr.ip());
        text(200, format!("{version:?} {name} {ip}"))
    })
}

struct Running {
    addr: SocketAddr,
    stop: CancellationToken,
    done: JoinHandle<std::io::Result<()>>,
}

impl Running {
    fn start(front: impl Front, limits: Limits) -> Self {
        Self::start_with(front, None, GRACE, 1, limits)
    }

    fn start_with(
        front: impl Front,
        tls: Option<Arc<rustls::ServerConfig>>,
        grace: Duration,
        threads: usize,
        limits: Limits,
    ) -> Self {
        let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let addr = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let config = FrontConfig { threads, limits };
        let serving = serve_within(
            grace,
            "tested listener",
            listener,
            tls,
            front,
            config,
            stop.clone(),
        );
        let done = tokio::spawn(serving);
        Self { addr, stop, done }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    async fn finish(self) {
        self.stop.cancel();
        let done = tokio::time::timeout(LONG, self.done).await;
        done.unwrap().unwrap().unwrap();
    }
}

fn one() -> Client {
    Client::builder().http1_only().build().unwrap()
}

fn two() -> Client {
    Client::builder().http2_prior_knowledge().build().unwrap()
}

async fn get(client: &Client, url: &str) -> String {
    client.get(url).send().await.unwrap().text().await.unwrap()
}

fn read(path: impl AsRef<std::path::Path>) -> Vec<u8> {
    std::fs::read(path).unwrap()
}

#[tokio::test]
async fn a_plain_front_speaks_both_http_versions() {
    let server = Running::start(echo(), Limits::default());
    let url = server.url("/");
    assert_eq!(get(&one(), &url).await, "HTTP/1.1 - 127.0.0.1");
    assert_eq!(get(&two(), &url).await, "HTTP/2.0 - 127.0.0.1");
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
    };
    let tls = Some(tls.load().unwrap());
    let server = Running::start_with(echo(), tls, GRACE, 2, Limits::default());
    let url = format!("https://{}/", server.addr);

    let ca = reqwest::Certificate::from_pem(&read(authority.ca_path())).unwrap();
    let (cert, key) = authority.issue("merge", &["m.local".to_owned()]).unwrap();
    let identity = reqwest::Identity::from_pem(&[read(cert), read(key)].concat()).unwrap();
    let client = || Client::builder().add_root_certificate(ca.clone());
    let known = client().identity(identity.clone()).build().unwrap();
    assert_eq!(get(&known, &url).await, "HTTP/2.0 merge 127.0.0.1");
    let old = client().identity(identity).http1_only().build().unwrap();
    assert_eq!(get(&old, &url).await, "HTTP/1.1 merge 127.0.0.1");

    let stranger = client().build().unwrap();
    assert!(stranger.get(&url).send().await.is_err());
    server.finish().await;
}

#[tokio::test]
async fn many_handshakes_pass_through_a_narrow_gate() {
    let dir = tempfile::tempdir().unwrap();
    let authority = DevAuthority::create(dir.path()).unwrap();
    let (cert, key) = authority.issue("east", &["127.0.0.1".to_owned()]).unwrap();
    let tls = ServerTls {
        cert,
        key,
        client_ca: None,
    };
    let limits = Limits {
        max_handshakes: 1,
        ..Limits::default()
    };
    let tls = Some(tls.load().unwrap());
    let server = Running::start_with(echo(), tls, GRACE, 1, limits);
    let url = format!("https://{}/", server.addr);
    let ca = reqwest::Certificate::from_pem(&read(authority.ca_path())).unwrap();
    let asked = (0..50).map(|_| {
        let client = Client::builder().add_root_certificate(ca.clone());
        let (client, url) = (client.build().unwrap(), url.clone());
        async move { get(&client, &url).await }
    });
    for answer in futures::future::join_all(asked).await {
        assert_eq!(answer, "HTTP/2.0 - 127.0.0.1");
    }
    server.finish().await;
}

#[tokio::test]
async fn a_front_that_panics_loses_the_connection_and_not_the_thread() {
    let front = AtOnce(|request: &Request<Incoming>, _: &Visit| {
        assert_ne!(request.uri().path(), "/panic", "on purpose");
        text(200, "fine")
    });
    let server = Running::start(front, Limits::default());
    for client in [one(), two()] {
        assert!(client.get(server.url("/panic")).send().await.is_err());
        assert_eq!(get(&client, &server.url("/")).await, "fine");
    }
    server.finish().await;
}

/// A front whose threads can't begin.
#[derive(Clone)]
struct Broken;

impl Front for Broken {
    type Body = Full<Bytes>;
    type Future = Ready<Response<Full<Bytes>>>;

    fn on_thread(&self) -> Self {
        panic!("on purpose")
    }

    fn answer(&self, _: Request<Incoming>, _: &Visit) -> Self::Future {
        ready(text(200, "never"))
    }
}

#[tokio::test]
async fn a_broken_front_stops_the_tasks() {
    let asked = CancellationToken::new();
    let tasks = Tasks::new(asked.child_token());
    let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let config = FrontConfig {
        threads: 2,
        limits: Limits::default(),
    };
    tasks.listen_front("broken listener", listener, None, Broken, config);
    let finished = tokio::time::timeout(LONG, tasks.finish(asked, LONG)).await;
    assert!(finished.unwrap().is_err());
}

/// How many threads of this process have a name.
#[cfg(target_os = "linux")]
fn threads_named(name: &str) -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let names =
        tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    names.filter(|found| found.trim_end() == name).count()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn no_thread_outlives_its_tasks() {
    let asked = CancellationToken::new();
    let tasks = Tasks::new(asked.child_token());
    let listener = bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let config = FrontConfig {
        threads: 2,
        limits: Limits::default(),
    };
    tasks.listen_front("lasting listener", listener, None, echo(), config);
    let client = two();
    get(&client, &url).await;
    assert_eq!(threads_named("lasting-0"), 1);
    assert_eq!(threads_named("lasting-1"), 1);
    asked.cancel();
    tasks.finish(asked, LONG).await.unwrap();
    // A thread that was joined is still listed for the moment that the kernel takes.
    let gone = async {
        while threads_named("lasting-0") + threads_named("lasting-1") > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LONG, gone).await.unwrap();
    assert!(client.get(&url).send().await.is_err());
}
