//! Two concierges on two addresses and one port, as two machines of a deployment.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use hubshift_concierge::{Config, Running, start};
use hubshift_shell::tls::DevAuthority;
use hubshift_testkit::eventually;
use hubshift_testkit::pg::Database;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::gdnsd::Probe;

/// Where the first one is.
pub(crate) const EAST: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 11);
/// Where the other one is.
pub(crate) const WEST: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 12);
/// What devices call both.
pub(crate) const NAME: &str = "concierge.hubshift.example.com";

const PATIENCE: Duration = Duration::from_secs(30);

/// What both share: the port, and with TLS the certificate.
pub(crate) struct Place {
    pub(crate) probe: Probe,
    pub(crate) port: u16,
    pub(crate) ca: PathBuf,
    tls: (PathBuf, PathBuf),
    _dir: TempDir,
}

impl Place {
    /// A port that is free at both addresses, and a certificate.
    pub(crate) async fn find(probe: Probe) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let authority = DevAuthority::create(dir.path()).unwrap();
        let tls = authority.issue("concierge", &[NAME.to_owned()]).unwrap();
        loop {
            let east = TcpListener::bind((EAST, 0)).await.unwrap();
            let port = east.local_addr().unwrap().port();
            if TcpListener::bind((WEST, port)).await.is_ok() {
                return Self {
                    probe,
                    port,
                    ca: authority.ca_path(),
                    tls,
                    _dir: dir,
                };
            }
        }
    }

    fn config(&self, database: &Database, address: Ipv4Addr, data: &TempDir) -> Config {
        let tls = match self.probe {
            Probe::Http => String::new(),
            Probe::Https => {
                let (cert, key) = (self.tls.0.display(), self.tls.1.display());
                format!("[public_tls]\ncert = \"{cert}\"\nkey = \"{key}\"")
            }
        };
        let text = format!(
            r#"
            public_listen = "{address}:{}"
            operator_listen = "127.0.0.1:0"
            database_url = "{}"
            data_dir = "{}"
            registry_url = "http://127.0.0.1:9"
            merge_url = "http://127.0.0.1:9"
            refresh = "50ms"
            reconcile = "1s"
            clock_bound = "10ms"
            publish_deadline = "5s"
            freeze_timeout = "1m"
            observe_timeout = "300ms"
            max_staleness = "5m"
            max_watchers = 1000
            {tls}
            "#,
            self.port,
            database.concierge_url(),
            data.path().display(),
        );
        toml::from_str(&text).unwrap()
    }

    /// Whether the concierge at this address says that it serves.
    async fn is_ready(&self, address: Ipv4Addr) -> bool {
        let scheme = match self.probe {
            Probe::Http => "http",
            Probe::Https => "https",
        };
        let ca = reqwest::Certificate::from_pem(&std::fs::read(&self.ca).unwrap()).unwrap();
        let client = reqwest::Client::builder()
            .no_proxy()
            .add_root_certificate(ca)
            .timeout(Duration::from_secs(5))
            .resolve(NAME, SocketAddr::from((address, self.port)))
            .build()
            .unwrap();
        let url = format!("{scheme}://{NAME}:{}/readyz", self.port);
        let answer = client.get(url).send().await;
        answer.is_ok_and(|answer| answer.status() == reqwest::StatusCode::OK)
    }
}

/// One of them.
pub(crate) struct Concierge {
    running: Running,
    cancel: CancellationToken,
    _data: TempDir,
}

impl Concierge {
    /// Starts it and waits until it serves.
    pub(crate) async fn start(place: &Place, database: &Database, address: Ipv4Addr) -> Self {
        let data = tempfile::tempdir().unwrap();
        let cancel = CancellationToken::new();
        let config = place.config(database, address, &data);
        let running = start(config, cancel.clone()).await.unwrap();
        let is_ready = eventually(PATIENCE, || place.is_ready(address)).await;
        assert!(is_ready, "{address} does not get ready");
        Self {
            running,
            cancel,
            _data: data,
        }
    }

    /// Stops it, as a signal would.
    pub(crate) async fn stop(self) {
        self.cancel.cancel();
        self.running.task.await.unwrap().unwrap();
    }
}
