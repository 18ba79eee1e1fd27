//! A concierge without a database, and another one that knows more.

use hubshift_api::fault;
use hubshift_domain::route::{self, PrivateKey};
use hubshift_shell::tls::{DevAuthority, ServerTls};
use tempfile::TempDir;

use super::*;
use crate::adoption::Adoption;
use crate::front::world::{Listener, front};
use crate::http::PublicState;
use crate::table::FleetEntry;
use crate::table::fixture::{self, entry, signer};

const STALE_AFTER: Duration = Duration::from_millis(20);

fn acme() -> FleetId {
    FleetId::new("acme").unwrap()
}

/// A concierge that serves this from its disk, and has no database.
async fn on_disk(served: FleetEntry) -> (TempDir, Table) {
    let dir = tempfile::tempdir().unwrap();
    let before = Table::boot(dir.path(), &signer(), STALE_AFTER);
    before.serve(vec![served]).await;
    let table = Table::boot(dir.path(), &signer(), STALE_AFTER);
    (dir, table)
}

/// The public listener of another concierge, with TLS.
struct Peer {
    url: String,
    ca: std::path::PathBuf,
    listener: Listener,
    _files: (TempDir, TempDir),
}

impl Peer {
    async fn serving(served: FleetEntry) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let table = Table::boot(dir.path(), &signer(), STALE_AFTER);
        table.serve(vec![served]).await;
        let state = PublicState {
            table,
            signer: Arc::new(signer()),
            adoption: Adoption::new(),
        };
        let secrets = tempfile::tempdir().unwrap();
        let authority = DevAuthority::create(secrets.path()).unwrap();
        let (cert, key) = authority.issue("peer", &["127.0.0.1".to_owned()]).unwrap();
        let client_ca = None;
        let tls = ServerTls {
            cert,
            key,
            client_ca,
        };
        let listener = Listener::start(front(state), Some(tls.load().unwrap()));
        Self {
            url: format!("https://{}/", listener.addr),
            ca: authority.ca_path(),
            listener,
            _files: (dir, secrets),
        }
    }

    fn peers_of(&self, table: &Table) -> Peers {
        // The first one never answers.
        let urls = ["http://127.0.0.1:1".to_owned(), self.url.clone()];
        Peers::new(&urls, Some(&self.ca), table.clone(), Arc::new(signer())).unwrap()
    }

    async fn finish(self) {
        self.listener.finish().await;
    }
}

#[tokio::test]
async fn a_concierge_that_boots_without_a_database_takes_the_higher_epoch_of_a_peer() {
    let newer = entry("acme", 2049, 2);
    let peer = Peer::serving(newer.clone()).await;
    let (_dir, table) = on_disk(entry("acme", 1024, 9)).await;
    let cancel = CancellationToken::new();
    let running = tokio::spawn(peer.peers_of(&table).run(cancel.clone()));
    let is_taken = || {
        let served = table.get(&acme()).unwrap();
        async move { served.epoch.0 == 2049 }
    };
    assert!(hubshift_testkit::eventually(Duration::from_secs(20), is_taken).await);
    assert_eq!(table.get(&acme()).unwrap().jws, newer.jws);
    cancel.cancel();
    running.await.unwrap();
    peer.finish().await;
}

#[tokio::test]
async fn a_peer_that_knows_less_or_whose_key_is_strange_changes_nothing() {
    let held = entry("acme", 2049, 2);
    let stranger = PrivateKey::from_seed(&[2; 32]);
    let mut strange = entry("acme", 3072, 3);
    strange.jws = Arc::from(route::sign(&strange.claims, &stranger).unwrap());
    for told in [entry("acme", 1024, 9), strange, entry("other", 4096, 1)] {
        let peer = Peer::serving(told).await;
        let (_dir, table) = on_disk(held.clone()).await;
        peer.peers_of(&table).ask().await;
        assert_eq!(*table.get(&acme()).unwrap(), held);
        peer.finish().await;
    }
}

/// The route that a device is told, or why it is told none.
fn asked(held: &Table, device: &str) -> Result<String, String> {
    let answer = fixture::ask(held, device).map_err(|refused| fault::reason(&refused))?;
    assert!(answer.stale);
    Ok(answer.route)
}

#[tokio::test]
async fn a_fleet_that_devices_miss_after_a_refused_file_is_learnt_from_a_peer() {
    let told = entry("acme", 2049, 2);
    let peer = Peer::serving(told.clone()).await;
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("table"), "hubshift-table 2\ntorn").unwrap();
    let table = Table::boot(dir.path(), &signer(), STALE_AFTER);
    let cancel = CancellationToken::new();
    let running = tokio::spawn(peer.peers_of(&table).run(cancel.clone()));
    assert_eq!(asked(&table, "d-1"), Err("NOT_READY".to_owned()));
    let is_answered = || {
        let answer = asked(&table, "d-1");
        async move { answer.is_ok() }
    };
    assert!(hubshift_testkit::eventually(Duration::from_secs(20), is_answered).await);
    assert_eq!(asked(&table, ""), Ok(told.jws.to_string()));
    assert!(!table.is_loaded(), "one fleet is no table");
    cancel.cancel();
    running.await.unwrap();
    peer.finish().await;
}

/// As peers ask: two concierges without tables must not keep each other asking.
#[tokio::test]
async fn a_question_that_names_no_device_is_not_carried_on() {
    let dir = tempfile::tempdir().unwrap();
    let table = Table::boot(dir.path(), &signer(), STALE_AFTER);
    assert!(asked(&table, "").is_err() && table.take_missing().is_empty());
    assert!(asked(&table, "d-1").is_err());
    assert_eq!(table.take_missing(), [acme()].into());
    table.serve(Vec::new()).await;
    let unknown = "FLEET_NOT_FOUND".to_owned();
    assert_eq!(asked(&table, "d-1"), Err(unknown));
    assert!(table.take_missing().is_empty(), "the database has spoken");
}

#[tokio::test]
async fn peers_that_could_not_be_asked_are_refused_at_start() {
    let (_dir, table) = on_disk(entry("acme", 1024, 1)).await;
    let refused = |url: &str| {
        let urls = [url.to_owned()];
        Peers::new(&urls, None, table.clone(), Arc::new(signer())).err()
    };
    for url in ["concierge:8443", "ftp://concierge", "https://"] {
        assert!(
            matches!(refused(url), Some(PeersError::Address(_))),
            "{url}"
        );
    }
    assert!(matches!(
        refused("https://concierge:8443"),
        Some(PeersError::NoAuthority(_))
    ));
    assert!(refused("http://concierge:8443/").is_none());
}
