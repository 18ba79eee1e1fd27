//! Puts the parts together and runs them.
//!
//! Nothing here waits for the database: the listener is open at once and says NOT_SERVING until
//! the database is there with a schema that this binary knows; calls get UNAVAILABLE until then,
//! and what works in the background waits, and stops when a schema comes that it does not know.

mod readiness;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use hubshift_flow::{Engine, EngineConfig};
use hubshift_shell::tls::ServerTls;
use hubshift_shell::{GrpcServer, Health, Tasks, admin, bind};
use hubshift_store::{Database, Fit, PoolConfig, fit};
use secrecy::ExposeSecret as _;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::backup::Vault;
use crate::config::Config;
use crate::deps::Deps;
use crate::feed::{self, DeliveryKey, FeedConfig, event_hub};
use crate::hubs::Hubs;
use crate::reconcilers::{contact, every, housekeeping, sync, unknown};
use crate::rpc;
use crate::seal::{Kek, Keyring};
use crate::workflows::adoption::AdoptionTask;
use crate::workflows::adoption_plan::AdoptionPlanTask;
use crate::workflows::backup::BackupTask;
use crate::workflows::drain::DrainTask;
use crate::workflows::fence::FenceTask;
use crate::workflows::pass::{PassTask, SyncTask};
use crate::workflows::replay::ReplayTask;
use crate::workflows::restore::RestoreTask;
use crate::workflows::scan::ScanTask;
use crate::workflows::verify::VerifyTask;
use readiness::Readiness;

/// How long an orderly stop may take.
const GRACE: Duration = Duration::from_secs(10);
/// Connections to the database: sixteen writes at once, and room for the rest.
const MAX_CONNECTIONS: u32 = 32;
/// How often journaled writes without an outcome are looked at.
const SETTLE: Duration = Duration::from_millis(500);
/// How often is tidied up.
const TIDY: Duration = Duration::from_secs(30);

/// A registry-sync that runs.
#[derive(Debug)]
pub struct Running {
    /// Where it is called.
    pub grpc_addr: SocketAddr,
    /// Where metrics are, if they are served.
    pub admin_addr: Option<SocketAddr>,
    /// Where hubs' events are taken, if they are.
    pub events_addr: Option<SocketAddr>,
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
/// Keys, certificates or stores that can't be used; [`hubshift_shell::BindError`] for an address
/// that can't be had. Never for a database that is down.
pub async fn start(config: Config, cancel: CancellationToken) -> anyhow::Result<Running> {
    let tls = config.tls.as_ref().map(|tls| tls.load()).transpose()?;
    check_event_hubs(&config)?;
    let database = database(&config)?;
    let engine = engine(&config, &database);
    let deps = Arc::new(deps(config, &database, engine.nudge())?);
    let listener = bind(deps.config.listen)?;
    let admin = deps.config.admin_listen.map(bind).transpose()?;
    let grpc_addr = listener.local_addr()?;
    let events = deps.config.events.as_ref().map(events).transpose()?;
    let events_addr = events.as_ref().map(|events| events.listener.local_addr());
    let events_addr = events_addr.transpose()?;
    let admin_addr = admin.as_ref().map(|admin| admin.local_addr()).transpose()?;
    let tasks = Tasks::new(cancel.child_token());
    let (health, fit) = (Health::new(), Fit::default());
    let router = services(&deps, &fit, health.clone()).into_router();
    tasks.listen("grpc", listener, tls, router);
    if let Some(admin) = admin {
        let router = admin::router(health.clone(), admin::install_metrics());
        tasks.listen("admin", admin, None, router);
    }
    if let Some(events) = events {
        let router = feed::router(deps.clone(), events.key);
        tasks.listen("events", events.listener, events.tls, router);
    }
    let ready = Readiness::new(health);
    let told = ready.clone();
    let tell = move |is_usable| told.database(is_usable);
    let watch = fit::watch(database, fit.clone(), tell, tasks.token());
    tasks.spawn("database", watch);
    let engine = workflows(engine, &deps);
    let run = move |stop| engine.clone().run(stop);
    tasks.spawn("flow", fit.clone().while_fits(tasks.token(), run));
    reconcile(&deps, &fit, &ready, &tasks);
    read_event_hubs(&deps, &fit, &tasks);
    Ok(Running {
        grpc_addr,
        admin_addr,
        events_addr,
        task: tokio::spawn(tasks.finish(cancel, GRACE)),
    })
}

/// The listener for events, ready to be served.
struct Events {
    listener: TcpListener,
    tls: Option<Arc<rustls::ServerConfig>>,
    key: DeliveryKey,
}

fn events(config: &FeedConfig) -> anyhow::Result<Events> {
    config.check()?;
    let key = config.key.read().context("events.key cannot be read")?;
    Ok(Events {
        listener: bind(config.listen)?,
        tls: config.tls.as_ref().map(ServerTls::load).transpose()?,
        key: DeliveryKey::new(&key),
    })
}

/// Refuses event hubs that could never be read.
fn check_event_hubs(config: &Config) -> anyhow::Result<()> {
    for entry in &config.event_hubs {
        let what = || format!("event_hubs: that of {}/{}", entry.fleet, entry.hub);
        event_hub::check(entry).with_context(what)?;
    }
    Ok(())
}

fn database(config: &Config) -> anyhow::Result<Database> {
    let pool = PoolConfig {
        urls: config.database_url.expose_secret().to_owned(),
        max_connections: MAX_CONNECTIONS,
        application: "hubshift-registry-sync",
    };
    Database::lazy(&pool).context("database_url cannot be used")
}

fn engine(config: &Config, database: &Database) -> Engine {
    let replica = match config.replica.as_str() {
        "" => format!("registry-sync-{}", Uuid::new_v4().simple()),
        name => name.to_owned(),
    };
    Engine::new(database.pool().clone(), EngineConfig::new(replica))
}

fn deps(config: Config, database: &Database, flow: Arc<Notify>) -> anyhow::Result<Deps> {
    let kek = Kek::load(&config.kek, config.create_keys).context("kek cannot be used")?;
    Ok(Deps {
        pool: database.pool().clone(),
        keyring: Keyring::new(kek),
        hubs: Hubs::new(database.pool().clone(), config.hub_budget_speed),
        vault: Vault::open(&config).context("backups cannot be kept")?,
        sync: Arc::default(),
        flow,
        config,
    })
}

fn services(deps: &Arc<Deps>, fit: &Fit, health: Health) -> GrpcServer {
    let fit = fit.clone();
    GrpcServer::new(health)
        .guarded(move || fit.ready())
        .add(rpc::connection::server(deps.clone()))
        .add(rpc::device::server(deps.clone()))
        .add(rpc::replication::server(deps.clone()))
        .add(rpc::backup::server(deps.clone()))
        .add(rpc::adoption::server(deps.clone()))
        .add(rpc::fence::server(deps.clone()))
        .add(rpc::attachment::server(deps.clone()))
        .reflection(true)
}

fn workflows(engine: Engine, deps: &Arc<Deps>) -> Engine {
    engine
        .with(PassTask(deps.clone()))
        .with(SyncTask(deps.clone()))
        .with(ScanTask(deps.clone()))
        .with(VerifyTask(deps.clone()))
        .with(DrainTask(deps.clone()))
        .with(ReplayTask(deps.clone()))
        .with(BackupTask(deps.clone()))
        .with(RestoreTask(deps.clone()))
        .with(AdoptionPlanTask(deps.clone()))
        .with(AdoptionTask(deps.clone()))
        .with(FenceTask(deps.clone()))
}

/// The reconcilers, for as long as the schema fits.
fn reconcile(deps: &Arc<Deps>, fit: &Fit, ready: &Readiness, tasks: &Tasks) {
    let (each, ready) = (deps.clone(), ready.clone());
    let sync = move |stop| {
        let ready = ready.clone();
        sync::run(each.clone(), stop, move || ready.synced())
    };
    tasks.spawn("sync", fit.clone().while_fits(tasks.token(), sync));
    let each = deps.clone();
    let settle = move || {
        let deps = each.clone();
        async move { unknown::tick(&deps).await }
    };
    let settle = move |stop| every("unknown", SETTLE, stop, settle.clone());
    tasks.spawn("unknown", fit.clone().while_fits(tasks.token(), settle));
    let (each, interval) = (deps.clone(), contact::interval(&deps.config));
    let call = move || {
        let deps = each.clone();
        async move { contact::tick(&deps).await }
    };
    let call = move |stop| every("contact", interval, stop, call.clone());
    tasks.spawn("contact", fit.clone().while_fits(tasks.token(), call));
    let each = deps.clone();
    let tidy = move || {
        let deps = each.clone();
        async move { housekeeping::tick(&deps).await }
    };
    let tidy = move |stop| every("housekeeping", TIDY, stop, tidy.clone());
    tasks.spawn("housekeeping", fit.clone().while_fits(tasks.token(), tidy));
}

/// A reader for each event hub, for as long as the schema fits.
fn read_event_hubs(deps: &Arc<Deps>, fit: &Fit, tasks: &Tasks) {
    for entry in &deps.config.event_hubs {
        let (deps, entry) = (deps.clone(), Arc::new(entry.clone()));
        let read = move |stop| event_hub::run(deps.clone(), entry.clone(), stop);
        tasks.spawn("event_hub", fit.clone().while_fits(tasks.token(), read));
    }
}
