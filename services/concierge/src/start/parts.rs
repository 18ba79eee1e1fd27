//! What a concierge is made of, and what works in the background.

use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use hubshift_flow::{Engine, EngineConfig};
use hubshift_shell::{GrpcServer, Health, Tasks, grpc};
use hubshift_store::{Database, Fit, PoolConfig};
use secrecy::ExposeSecret as _;
use time::OffsetDateTime;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::unusable;
use crate::adoption::Adoption;
use crate::app::remote::Remote;
use crate::app::{App, Settings};
use crate::config::Config;
use crate::front::PublicFront;
use crate::health::Watch;
use crate::http::{PublicState, public_router};
use crate::observers::Observing;
use crate::peers::Peers;
use crate::signing::{Signer, SigningFiles};
use crate::table::{Refresher, Table};
use crate::workflows::failover::Failover;
use crate::{gauges, reconcilers, rpc};

/// Connections to the database at most.
const CONNECTIONS: u32 = 20;
/// Answers say that they are stale after so many refreshes without a database.
const STALE_AFTER: u32 = 5;

/// What runs, before it runs.
pub(super) struct Parts {
    app: Arc<App>,
    engine: Engine,
    database: Database,
    adoption: Adoption,
    peers: Peers,
    observing: Observing,
    replica: String,
    public: Health,
    /// The operator side's health.
    pub(super) operator: Health,
}

impl Parts {
    /// Makes them; nothing runs yet.
    pub(super) fn make(config: &Config) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&config.data_dir)
            .with_context(|| format!("{} can't be made", config.data_dir.display()))?;
        let files = SigningFiles::in_dir(&config.data_dir);
        let signer = Signer::open(&files, OffsetDateTime::now_utc());
        let signer = Arc::new(signer.map_err(unusable("the signing keys can't be used"))?);
        let table = Table::boot(&config.data_dir, &signer, config.refresh * STALE_AFTER);
        let peers_ca = config.peers_ca.as_deref();
        let peers = Peers::new(&config.peers, peers_ca, table.clone(), signer.clone());
        let observing = Observing::open(config).map_err(unusable("hubs can't be observed"))?;
        let database = Database::lazy(&PoolConfig {
            urls: config.database_url.expose_secret().to_owned(),
            max_connections: CONNECTIONS,
            application: "hubshift-concierge",
        });
        let database = database.map_err(unusable("database_url can't be used"))?;
        let replica = replica_name(config);
        let pool = database.pool().clone();
        let engine = Engine::new(pool.clone(), EngineConfig::new(replica.as_str()));
        let app = Arc::new(App {
            pool,
            remote: remote(config)?,
            table,
            signer,
            settings: Settings::from(config),
            nudge: engine.nudge(),
            fit: Fit::default(),
            observers: observing.observers(),
        });
        Ok(Self {
            engine: engine.with(Failover::new(app.clone())),
            app,
            database,
            adoption: Adoption::new(),
            peers: peers.map_err(unusable("peers or peers_ca can't be used"))?,
            observing,
            replica,
            public: Health::new(),
            operator: Health::new(),
        })
    }

    /// Starts everything that works in the background.
    pub(super) fn work(self, config: &Config, tasks: &Tasks) {
        gauges::started();
        let (table, pool) = (self.app.table.clone(), self.app.pool.clone());
        self.observing.start(table, pool, &self.replica, tasks);
        let refresher = Refresher {
            table: self.app.table.clone(),
            signer: self.app.signer.clone(),
            adoption: self.adoption,
            database: self.database,
            replica: self.replica,
        };
        tasks.spawn("refresher", refresher.run(config.refresh, tasks.token()));
        tasks.spawn("peers", self.peers.run(tasks.token()));
        let watch = Watch {
            public: self.public,
            operator: self.operator,
            table: self.app.table.clone(),
            pool: self.app.pool.clone(),
            fit: self.app.fit.clone(),
        };
        tasks.spawn("health", watch.run(tasks.token()));
        let (fit, engine) = (self.app.fit.clone(), self.engine);
        let run = move |stop| engine.clone().run(stop);
        tasks.spawn("engine", fit.clone().while_fits(tasks.token(), run));
        let (app, every) = (self.app, config.reconcile);
        let reconcile = move |stop| reconcilers::run(app.clone(), every, stop);
        tasks.spawn("reconcilers", fit.while_fits(tasks.token(), reconcile));
    }

    /// What devices are answered from.
    pub(super) fn table(&self) -> Table {
        self.app.table.clone()
    }

    /// What devices reach.
    pub(super) fn public_front(&self, runtime: Handle) -> PublicFront {
        let state = PublicState {
            table: self.app.table.clone(),
            signer: self.app.signer.clone(),
            adoption: self.adoption.clone(),
        };
        let router = public_router(state.clone(), self.public.clone());
        PublicFront::new(state, router, runtime)
    }

    /// What operators and back ends reach; watches end when `closing` is cancelled.
    pub(super) fn operator_router(&self, closing: &CancellationToken) -> Router {
        let (table, limit) = (self.app.table.clone(), self.app.settings.max_watchers);
        let watchers = rpc::watch::Watchers::new(table, limit, closing.clone());
        GrpcServer::new(self.operator.clone())
            .add(rpc::fleet::server(self.app.clone(), watchers.clone()))
            .add(rpc::failover::server(self.app.clone(), closing.clone()))
            .route(rpc::watch::PATH, rpc::watch::method(watchers))
            .reflection(true)
            .into_router()
    }
}

fn remote(config: &Config) -> anyhow::Result<Remote> {
    let (registry, merge) = (config.registry(), config.merge());
    let to_registry = grpc::channel(&registry);
    let to_registry =
        to_registry.map_err(unusable("registry_url or registry_tls can't be used"))?;
    let to_merge = grpc::channel(&merge);
    let to_merge = to_merge.map_err(unusable("merge_url or merge_tls can't be used"))?;
    Ok(Remote::new(to_registry, to_merge, registry.timeout))
}

/// A name that no other replica has, and that a restart of this one does not have either.
fn replica_name(config: &Config) -> String {
    if !config.replica.is_empty() {
        return config.replica.clone();
    }
    let host = std::env::var("HOSTNAME").unwrap_or_else(|_| "concierge".to_owned());
    let random = Uuid::new_v4().simple().to_string();
    format!("{host}-{}", &random[..8])
}
