//! Puts the parts together and runs them.
//!
//! Nothing here waits for the database: the listener is open at once and says NOT_SERVING until
//! the database is there with a schema that this binary knows; calls get UNAVAILABLE until then,
//! and what works in the background waits, and stops when a schema comes that it does not know.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use hubshift_api::pb::merge::inbox_service_server::InboxServiceServer;
use hubshift_api::pb::merge::merge_service_server::MergeServiceServer;
use hubshift_api::pb::merge::metadata_service_server::MetadataServiceServer;
use hubshift_domain::merge::Policy;
use hubshift_flow::{Engine, EngineConfig};
use hubshift_shell::{GrpcServer, Health, Tasks, admin, bind, grpc};
use hubshift_store::{Database, Fit, PoolConfig, fit};
use secrecy::ExposeSecret as _;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::app::App;
use crate::config::Config;
use crate::reconcilers;
use crate::remote::Remote;
use crate::rpc::inbox::InboxRpc;
use crate::rpc::merge::MergeRpc;
use crate::rpc::metadata::MetadataRpc;
use crate::workflows::merge::MergeFlow;

/// How long an orderly stop may take.
const GRACE: Duration = Duration::from_secs(10);
/// Connections to the database.
const MAX_CONNECTIONS: u32 = 20;
/// How often events are looked for whose epoch has come.
const FOLLOW: Duration = Duration::from_secs(2);
/// How often is tidied up.
const TIDY: Duration = Duration::from_secs(30);
/// What is served when the database is there; the empty name is the process.
const NAMES: [&str; 4] = [
    "",
    "hubshift.merge.v1.InboxService",
    "hubshift.merge.v1.MergeService",
    "hubshift.merge.v1.MetadataService",
];

/// A merge service that runs.
#[derive(Debug)]
pub struct Running {
    /// Where it is called.
    pub grpc_addr: SocketAddr,
    /// Where metrics are, if they are served.
    pub admin_addr: Option<SocketAddr>,
    /// Ends when it has stopped.
    pub task: JoinHandle<anyhow::Result<()>>,
}

/// Runs until cancelled.
///
/// # Errors
/// Those of [`start`], and a listener that broke.
pub async fn run(config: Config, cancel: CancellationToken) -> anyhow::Result<()> {
    start(config, cancel).await?.task.await?
}

/// Starts, and returns as soon as the listeners are open.
///
/// # Errors
/// Certificates or addresses that can't be used; [`hubshift_shell::BindError`] for an address
/// that can't be had. Never for a database that is down.
pub async fn start(config: Config, cancel: CancellationToken) -> anyhow::Result<Running> {
    let tls = config.tls.as_ref().map(|tls| tls.load()).transpose()?;
    let database = database(&config)?;
    let engine = engine(&config, &database);
    let app = Arc::new(app(&config, &database, &engine)?);
    let listener = bind(config.listen)?;
    let admin = config.admin_listen.map(bind).transpose()?;
    let grpc_addr = listener.local_addr()?;
    let admin_addr = admin.as_ref().map(|admin| admin.local_addr()).transpose()?;
    let tasks = Tasks::new(cancel.child_token());
    let (health, fit) = (Health::new(), Fit::default());
    let router = services(&app, &fit, health.clone()).into_router();
    tasks.listen("grpc", listener, tls, router);
    if let Some(admin) = admin {
        let router = admin::router(health.clone(), admin::install_metrics());
        tasks.listen("admin", admin, None, router);
    }
    let tell = move |serving| {
        for name in NAMES {
            health.set_serving(name, serving);
        }
    };
    let watch = fit::watch(database, fit.clone(), tell, tasks.token());
    tasks.spawn("database", watch);
    work(engine, &app, &fit, &tasks);
    Ok(Running {
        grpc_addr,
        admin_addr,
        task: tokio::spawn(tasks.finish(cancel, GRACE)),
    })
}

fn database(config: &Config) -> anyhow::Result<Database> {
    let pool = PoolConfig {
        urls: config.database_url.expose_secret().to_owned(),
        max_connections: MAX_CONNECTIONS,
        application: "hubshift-merge",
    };
    Database::lazy(&pool).context("database_url cannot be used")
}

fn engine(config: &Config, database: &Database) -> Engine {
    let replica = match config.replica.as_str() {
        "" => format!("merge-{}", Uuid::new_v4().simple()),
        name => name.to_owned(),
    };
    Engine::new(database.pool().clone(), EngineConfig::new(replica))
}

fn app(config: &Config, database: &Database, engine: &Engine) -> anyhow::Result<App> {
    let endpoint = config.registry();
    let registry = grpc::channel(&endpoint).context("registry_url or registry_tls")?;
    Ok(App {
        pool: database.pool().clone(),
        remote: Remote::new(registry, endpoint.timeout),
        policy: Policy::default(),
        nudge: engine.nudge(),
    })
}

/// What works in the background, for as long as the schema fits.
fn work(engine: Engine, app: &Arc<App>, fit: &Fit, tasks: &Tasks) {
    let engine = engine.with(MergeFlow::new(app.clone()));
    let run = move |stop| engine.clone().run(stop);
    tasks.spawn("flow", fit.clone().while_fits(tasks.token(), run));
    let following = app.clone();
    let follow = move |stop| reconcilers::follow_epochs(following.clone(), FOLLOW, stop);
    tasks.spawn("epochs", fit.clone().while_fits(tasks.token(), follow));
    let tidied = app.clone();
    let tidy = move |stop| reconcilers::tidy(tidied.clone(), TIDY, stop);
    tasks.spawn("housekeeping", fit.clone().while_fits(tasks.token(), tidy));
}

fn services(app: &Arc<App>, fit: &Fit, health: Health) -> GrpcServer {
    let fit = fit.clone();
    GrpcServer::new(health)
        .guarded(move || fit.ready())
        .add(MergeServiceServer::new(MergeRpc { app: app.clone() }))
        .add(MetadataServiceServer::new(MetadataRpc {
            pool: app.pool.clone(),
        }))
        .add(InboxServiceServer::new(InboxRpc {
            pool: app.pool.clone(),
        }))
        .reflection(true)
}
