//! A concierge with a fleet, and the client that is to be served whatever happens.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use hubshift_api::pb::concierge::fleet_service_client::FleetServiceClient;
use hubshift_api::pb::concierge::{CreateFleetRequest, Fleet, Hub};
use hubshift_concierge::{Config, Running, start};
use hubshift_shell::tls::DevAuthority;
use hubshift_testkit::eventually;
use hubshift_testkit::pg::Database;
use reqwest::{Client, ClientBuilder};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use uuid::Uuid;

/// No test waits longer for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// Every answer to the client that behaves is there by then.
const IN_TIME: Duration = Duration::from_secs(2);
/// How often that client asks at least.
const ENOUGH: u32 = 20;
pub(crate) const PATH: &str = "/v1/fleets/acme/endpoint";

/// A concierge that serves the fleet `acme`.
pub(crate) struct World {
    pub(crate) public: SocketAddr,
    url: String,
    /// One connection, kept.
    kept: Client,
    authority: DevAuthority,
    running: Running,
    cancel: CancellationToken,
    _database: Database,
    _data: tempfile::TempDir,
}

impl World {
    /// Its public listener is plain.
    pub(crate) async fn plain() -> Self {
        Self::start(false).await
    }

    /// Its public listener is TLS.
    pub(crate) async fn tls() -> Self {
        Self::start(true).await
    }

    async fn start(over_tls: bool) -> Self {
        let database = Database::fresh().await.unwrap();
        let data = tempfile::tempdir().unwrap();
        let authority = DevAuthority::create(data.path()).unwrap();
        let mut text = config(&database.concierge_url(), data.path());
        if over_tls {
            let sans = ["127.0.0.1".to_owned()];
            let (cert, key) = authority.issue("public", &sans).unwrap();
            let (cert, key) = (cert.display(), key.display());
            text += &format!("[public_tls]\ncert = '{cert}'\nkey = '{key}'\n");
        }
        let config: Config = toml::from_str(&text).unwrap();
        let cancel = CancellationToken::new();
        let running = start(config, cancel.clone()).await.unwrap();
        let scheme = if over_tls { "https" } else { "http" };
        let public = running.public_addr;
        let world = Self {
            public,
            url: format!("{scheme}://{public}{PATH}"),
            kept: client(&authority).build().unwrap(),
            authority,
            running,
            cancel,
            _database: database,
            _data: data,
        };
        world.create_fleet().await;
        world
    }

    async fn create_fleet(&self) {
        let url = format!("http://{}", self.running.operator_addr);
        let channel = Channel::from_shared(url).unwrap().connect_lazy();
        let fleets = FleetServiceClient::new(channel);
        let request = fleet();
        let created = eventually(PATIENCE, || {
            let (mut fleets, request) = (fleets.clone(), request.clone());
            async move { fleets.create_fleet(request).await.is_ok() }
        });
        assert!(created.await, "the fleet can't be made");
        let served = eventually(PATIENCE, || async {
            let answer = self.kept.get(&self.url).send().await;
            answer.is_ok_and(|answer| answer.status() == 200)
        });
        assert!(served.await, "the fleet isn't served");
    }

    /// Does something bad while the client that behaves asks, over a connection that it keeps and
    /// over a new one each time; every answer of both is in time.
    pub(crate) async fn stays_served<T>(&self, abuse: impl Future<Output = T>) -> T {
        let over = CancellationToken::new();
        let asking = async {
            let mut asked = 0;
            while asked < ENOUGH || !over.is_cancelled() {
                self.ask(&self.kept, "a kept connection").await;
                let new = client(&self.authority).build().unwrap();
                self.ask(&new, "a new connection").await;
                asked += 1;
            }
        };
        let abuse = async {
            let outcome = abuse.await;
            over.cancel();
            outcome
        };
        tokio::join!(asking, abuse).1
    }

    async fn ask(&self, client: &Client, over: &str) {
        let answer = tokio::time::timeout(IN_TIME, client.get(&self.url).send()).await;
        let answer = answer.unwrap_or_else(|_| panic!("no answer in time over {over}"));
        assert_eq!(answer.unwrap().status(), 200, "over {over}");
    }

    /// A connection of somebody who means harm.
    pub(crate) async fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.public).await.unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    /// Stops it: nothing that was done to it keeps it from that.
    pub(crate) async fn stop(self) {
        self.cancel.cancel();
        let stopped = tokio::time::timeout(PATIENCE, self.running.task).await;
        stopped.unwrap().unwrap().unwrap();
    }
}

fn client(authority: &DevAuthority) -> ClientBuilder {
    let ca = std::fs::read(authority.ca_path()).unwrap();
    Client::builder().add_root_certificate(reqwest::Certificate::from_pem(&ca).unwrap())
}

/// Nothing listens below: devices don't need it.
fn config(database_url: &str, data: &std::path::Path) -> String {
    format!(
        r#"
        public_listen = "127.0.0.1:0"
        operator_listen = "127.0.0.1:0"
        database_url = "{database_url}"
        data_dir = "{}"
        registry_url = "http://127.0.0.1:1"
        merge_url = "http://127.0.0.1:1"
        refresh = "50ms"
        reconcile = "10s"
        clock_bound = "10ms"
        publish_deadline = "5s"
        freeze_timeout = "1m"
        observe_timeout = "300ms"
        max_staleness = "5m"
        max_watchers = 1000
        "#,
        data.display()
    )
}

fn fleet() -> CreateFleetRequest {
    let hub = |slug: &str| Hub {
        name: format!("fleets/acme/hubs/{slug}"),
        host: format!("{slug}.acme.test"),
        admission_per_second: 1_000,
        ..Hub::default()
    };
    CreateFleetRequest {
        fleet_id: "acme".to_owned(),
        request_id: Uuid::new_v4().to_string(),
        fleet: Some(Fleet {
            home_hub: "east".into(),
            hubs: vec![hub("east"), hub("west")],
            ..Fleet::default()
        }),
    }
}

/// Reads until the other side closes, and returns what came; fails if it does not close.
pub(crate) async fn until_closed(stream: &mut TcpStream) -> Vec<u8> {
    let mut came = Vec::new();
    let closed = async {
        let mut scratch = [0; 4096];
        while let Ok(count @ 1..) = stream.read(&mut scratch).await {
            came.extend_from_slice(&scratch[..count]);
        }
    };
    let closed = tokio::time::timeout(PATIENCE, closed).await;
    assert!(closed.is_ok(), "the connection stays open");
    came
}
