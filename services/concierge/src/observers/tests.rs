//! Observers on real sockets and a real database: a hub that goes away and comes back, and who is told.

use std::path::PathBuf;
use std::sync::Mutex;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use hmac::{Hmac, KeyInit as _, Mac as _};
use hubshift_shell::tls::{DevAuthority, ServerTls};
use hubshift_testkit::eventually;
use hubshift_testkit::pg::{Database, Role};
use serde_json::Value;
use sha2::Sha256;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::table::fixture;

const PATIENCE: Duration = Duration::from_secs(30);
/// Often enough for a test, and long enough for a handshake on a busy machine.
const EVERY: &str = "400ms";

/// What devices would connect to.
struct Hub {
    host: String,
    stop: CancellationToken,
    served: JoinHandle<std::io::Result<()>>,
}

impl Hub {
    fn start(address: &str, authority: &DevAuthority) -> Self {
        let (cert, key) = authority.issue("hub", &["127.0.0.1".to_owned()]).unwrap();
        let client_ca = None;
        let tls = ServerTls {
            cert,
            key,
            client_ca,
        };
        let listener = hubshift_shell::bind(address.parse().unwrap()).unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let (stop, tls) = (CancellationToken::new(), Some(tls.load().unwrap()));
        let served = hubshift_shell::serve(listener, Router::new(), tls, stop.clone());
        Self {
            host,
            stop,
            served: tokio::spawn(served),
        }
    }

    async fn stop(self) {
        self.stop.cancel();
        self.served.await.unwrap().unwrap();
    }
}

type Told = Arc<Mutex<Vec<(String, Bytes)>>>;

/// A receiver that is busy at first.
async fn receive(
    State(told): State<Told>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(), StatusCode> {
    let signature = headers.get("x-hubshift-signature");
    let signature = signature.map_or("", |value| value.to_str().unwrap());
    let mut told = told.lock().unwrap();
    told.push((signature.to_owned(), body));
    match told.len() {
        1 => Err(StatusCode::SERVICE_UNAVAILABLE),
        _ => Ok(()),
    }
}

fn receiver(address: &str, told: &Told) -> String {
    let router = Router::new().route("/hook", post(receive));
    let router = router.with_state(told.clone());
    let listener = hubshift_shell::bind(address.parse().unwrap()).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let never = CancellationToken::new();
    tokio::spawn(hubshift_shell::serve(listener, router, None, never));
    address
}

struct World {
    database: Database,
    pool: PgPool,
    table: Table,
    ca: PathBuf,
    authority: DevAuthority,
    dir: TempDir,
    tasks: Tasks,
}

impl World {
    /// `acme`, whose hub east is there; west is nowhere.
    async fn new(east: &str) -> Self {
        let database = Database::fresh().await.unwrap();
        let pool = database.connect(Role::Concierge).await.unwrap();
        let dir = tempfile::tempdir().unwrap();
        let authority = DevAuthority::create(&dir.path().join("ca")).unwrap();
        let table = Table::boot(dir.path(), &fixture::signer(), PATIENCE);
        let world = Self {
            database,
            pool,
            table,
            ca: authority.ca_path(),
            authority,
            dir,
            tasks: Tasks::new(CancellationToken::new()),
        };
        world.serve(east).await;
        world
    }

    async fn serve(&self, east: &str) {
        let mut entry = fixture::entry("acme", 1024, 1);
        entry.facts.hubs[0].host = east.to_owned();
        entry.facts.hubs[1].host = "127.0.0.1:1".to_owned();
        self.table.serve(vec![entry]).await;
    }

    /// An observer that runs, as a concierge in a region starts it.
    fn observe(&self, region: &str, more: &str) -> Observers {
        let config = format!(
            "{}\nregion = \"{region}\"\nobserver_ca = \"{}\"\n{more}",
            include_str!("../defaults.toml").replace("10s\"", &format!("{EVERY}\"")),
            self.ca.display()
        );
        let config: Config = toml::from_str(&config).unwrap();
        assert_eq!(config.probe_every, Duration::from_millis(400));
        let observing = Observing::open(&config).unwrap();
        let observers = observing.observers();
        let replica = format!("concierge-{region}");
        observing.start(self.table.clone(), self.pool.clone(), &replica, &self.tasks);
        observers
    }

    /// How hub looks from where, as every replica can read it.
    async fn seen(&self, hub: &str, from: &str) -> Option<(bool, String)> {
        let mut connection = self.pool.acquire().await.unwrap();
        let rows = crate::store::observer::of_fleet(&mut connection, "acme").await;
        let rows = rows.unwrap().into_iter();
        let mut rows = rows.filter(|row| row.hub_id == hub && row.seen_from == from);
        rows.next().map(|row| (row.is_alive, row.detail))
    }

    async fn looks(&self, hub: &str, from: &str, alive: bool) -> bool {
        let is_so = || async {
            let seen = self.seen(hub, from).await;
            seen.is_some_and(|(is_alive, _)| is_alive == alive)
        };
        eventually(PATIENCE, is_so).await
    }

    async fn finish(self) {
        assert!(self.tasks.shutdown(PATIENCE).await);
        drop((self.database, self.dir));
    }
}

fn signed(key: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).unwrap();
    mac.update(body);
    let bytes = mac.finalize().into_bytes();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={hex}")
}

#[tokio::test]
async fn a_hub_that_dies_and_returns_is_seen_by_all_and_the_webhook_is_told() {
    let world = World::new("127.0.0.1:1").await;
    let hub = Hub::start("127.0.0.1:0", &world.authority);
    world.serve(&hub.host).await;
    let told = Told::default();
    let receiver = receiver("127.0.0.1:0", &told);
    let secret = world.dir.path().join("webhook");
    std::fs::write(&secret, "canary\n").unwrap();
    let webhook = format!(
        "[webhook]\nurl = \"http://{receiver}/hook\"\nsecret_file = \"{}\"",
        secret.display()
    );
    let one = world.observe("east", &webhook);
    world.observe("west", "");
    for from in ["east", "west"] {
        assert!(world.looks("east", from, true).await, "alive from {from}");
        assert!(world.looks("west", from, false).await, "dead from {from}");
    }
    let (_, why) = world.seen("west", "east").await.unwrap();
    assert!(why.starts_with("connect failed"), "{why}");
    assert!(eventually(PATIENCE, || async { one.is_dead("acme", "west") }).await);
    assert!(!one.is_dead("acme", "east") && !one.is_dead("nobody", "west"));

    let host = hub.host.clone();
    hub.stop().await;
    for from in ["east", "west"] {
        assert!(world.looks("east", from, false).await, "dead from {from}");
    }
    let hub = Hub::start(&host, &world.authority);
    assert!(world.looks("east", "west", true).await);
    let is_told = || {
        let told = told.lock().unwrap().clone();
        async move {
            let news = told.iter().map(|(_, body)| body);
            let mut news = news.map(|body| serde_json::from_slice::<Value>(body).unwrap());
            news.any(|news| news["hub"] == "east" && news["alive"] == true)
        }
    };
    assert!(eventually(PATIENCE, is_told).await);
    for (signature, body) in told.lock().unwrap().iter() {
        assert_eq!(*signature, signed("canary", body));
        let news: Value = serde_json::from_slice(body).unwrap();
        assert_eq!(
            (&news["fleet"], &news["from"]),
            (&"acme".into(), &"east".into())
        );
        assert!(news["text"].as_str().unwrap().contains("looks"));
        assert!(!String::from_utf8_lossy(body).contains("canary"));
    }
    // The first try was refused, so that the first two are the same.
    {
        let told = told.lock().unwrap();
        assert_eq!(told[0], told[1]);
    }
    hub.stop().await;
    world.finish().await;
}

#[tokio::test]
async fn a_receiver_that_is_down_holds_nobody_up_and_is_told_when_it_is_back() {
    let world = World::new("127.0.0.1:1").await;
    let free = hubshift_shell::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = free.local_addr().unwrap().to_string();
    drop(free);
    let webhook = format!("[webhook]\nurl = \"http://{address}/hook\"");
    world.observe("north", &webhook);
    for hub in ["east", "west"] {
        assert!(world.looks(hub, "north", false).await, "{hub}");
    }
    let told = Told::default();
    receiver(&address, &told);
    let both = || {
        let told = told.lock().unwrap().clone();
        async move {
            let of = |hub: &str| {
                told.iter().any(|(signature, body)| {
                    let news: Value = serde_json::from_slice(body).unwrap();
                    signature.is_empty() && news["hub"] == hub && news["alive"] == false
                })
            };
            of("east") && of("west")
        }
    };
    assert!(eventually(PATIENCE * 2, both).await);
    world.finish().await;
}

#[tokio::test]
async fn what_nobody_renews_is_stale_and_does_not_count() {
    let world = World::new("127.0.0.1:1").await;
    let observers = world.observe("east", "");
    assert!(world.looks("east", "east", false).await);
    assert!(eventually(PATIENCE, || async { observers.is_dead("acme", "east") }).await);
    // It stops looking.
    assert!(world.tasks.shutdown(PATIENCE).await);
    let age = |minutes: i32| {
        let pool = world.pool.clone();
        async move {
            let sql = "update concierge.hub_observation
                          set good_until = now() - make_interval(mins => $1)";
            sqlx::query(sql).bind(minutes).execute(&pool).await.unwrap();
        }
    };
    age(1).await;
    let mut connection = world.pool.acquire().await.unwrap();
    let rows = crate::store::observer::of_fleet(&mut connection, "acme").await;
    assert!(rows.unwrap().iter().all(|row| row.is_stale));
    let doubtful = crate::store::observer::doubtful(&world.pool).await.unwrap();
    assert!(doubtful.is_empty());
    age(20).await;
    assert_eq!(world.seen("east", "east").await, None);
}

#[tokio::test]
async fn two_of_three_make_a_hub_dead_and_one_does_not() {
    let world = World::new("127.0.0.1:1").await;
    let observers = Observers::default();
    let write = |replica: &'static str, is_alive: bool| {
        let pool = world.pool.clone();
        async move {
            let seen = [crate::store::observer::Observation {
                fleet: FleetId::new("acme").unwrap(),
                hub: HubId::new("east").unwrap(),
                is_alive,
                since: time::OffsetDateTime::UNIX_EPOCH,
                detail: String::new(),
            }];
            let written = crate::store::observer::write(&pool, replica, replica, PATIENCE, &seen);
            written.await.unwrap();
        }
    };
    let is_dead = || async {
        let doubtful = crate::store::observer::doubtful(&world.pool).await;
        observers.take(doubtful.unwrap(), PATIENCE);
        observers.is_dead("acme", "east")
    };
    write("one", false).await;
    assert!(is_dead().await, "the only one");
    write("two", true).await;
    assert!(!is_dead().await, "one against one");
    write("three", false).await;
    assert!(is_dead().await, "two against one");
    write("one", true).await;
    assert!(!is_dead().await);
    observers.take(Vec::new(), Duration::ZERO);
    assert!(!observers.is_dead("acme", "east"), "the database is silent");
}
