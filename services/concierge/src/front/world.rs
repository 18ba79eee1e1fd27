//! The public listener on a free port, with no database anywhere.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hubshift_shell::grpc::{Endpoint, GrpcChannel, channel};
use hubshift_shell::{Front, FrontConfig, Health, Limits, Tasks};
use reqwest::Response;
use tempfile::TempDir;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::PublicFront;
use crate::adoption::Adoption;
use crate::http::{PublicState, public_router};
use crate::table::Table;
use crate::table::fixture::{entry, signer};

/// For what must end soon.
const SOON: Duration = Duration::from_secs(20);

/// What a listener answers from: the table of this folder.
pub(crate) fn state(dir: &Path) -> PublicState {
    PublicState {
        table: Table::boot(dir, &signer(), Duration::from_secs(5)),
        signer: Arc::new(signer()),
        adoption: Adoption::new(),
    }
}

/// The front as the process has it.
pub(crate) fn front(state: PublicState) -> PublicFront {
    let router = public_router(state.clone(), Health::new());
    PublicFront::new(state, router, Handle::current())
}

/// A front that is served.
pub(crate) struct Listener {
    pub(crate) addr: SocketAddr,
    tasks: Tasks,
}

impl Listener {
    pub(crate) fn start(front: impl Front, tls: Option<Arc<rustls::ServerConfig>>) -> Self {
        Self::within(Limits::default(), front, tls)
    }

    /// The same with other limits.
    pub(crate) fn within(
        limits: Limits,
        front: impl Front,
        tls: Option<Arc<rustls::ServerConfig>>,
    ) -> Self {
        let listener = hubshift_shell::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let addr = listener.local_addr().unwrap();
        let tasks = Tasks::new(CancellationToken::new());
        let config = FrontConfig { threads: 1, limits };
        tasks.listen_front("public listener", listener, tls, front, config);
        Self { addr, tasks }
    }

    /// A way to its gRPC services, without TLS.
    pub(crate) fn channel(&self) -> GrpcChannel {
        channel(&Endpoint {
            url: format!("http://{}", self.addr),
            tls: None,
            timeout: Duration::from_secs(5),
        })
        .unwrap()
    }

    pub(crate) async fn finish(self) {
        assert!(self.tasks.shutdown(SOON).await);
    }
}

/// A listener, and a client of it.
pub(crate) struct World {
    dir: TempDir,
    pub(crate) state: PublicState,
    pub(crate) url: String,
    listener: Listener,
    pub(crate) http: reqwest::Client,
}

impl World {
    pub(crate) fn start(dir: TempDir) -> Self {
        let state = state(dir.path());
        let front = front(state.clone());
        Self::of(dir, state, front)
    }

    /// Serves this front, whose table is in this folder.
    pub(crate) fn of(dir: TempDir, state: PublicState, front: PublicFront) -> Self {
        let listener = Listener::start(front, None);
        Self {
            dir,
            state,
            url: format!("http://{}", listener.addr),
            listener,
            http: reqwest::Client::new(),
        }
    }

    /// Serving `acme` from disk alone: east reigns in epoch 1024.
    pub(crate) async fn from_disk() -> Self {
        Self::start(Self::folder().await)
    }

    /// A folder with the table of [`Self::from_disk`].
    pub(crate) async fn folder() -> TempDir {
        let dir = tempfile::tempdir().unwrap();
        let before = Table::boot(dir.path(), &signer(), Duration::from_secs(5));
        before.serve(vec![entry("acme", 1024, 1)]).await;
        dir
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.http
            .get(format!("{}{path}", self.url))
            .send()
            .await
            .unwrap()
    }

    pub(crate) fn channel(&self) -> GrpcChannel {
        self.listener.channel()
    }

    pub(crate) async fn finish(self) {
        drop(self.http);
        self.listener.finish().await;
        drop(self.dir);
    }
}

/// A header of a response; empty when it is not there.
pub(crate) fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response
        .headers()
        .get(name)
        .map_or("", |value| value.to_str().unwrap())
}
