//! Starting and stopping a hub, as a command or inside another process.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hubshift_azure::{ConnectionString, Secret, is_host};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use crate::access::Access;
use crate::admin;
use crate::app::App;
use crate::journal::{DataFile, Records};
use crate::options::Options;
use crate::outage::{Outage, OutageMode, OutageScope, OutageSwitch};
use crate::registry::{Marks, Registry};
use crate::seed;
use crate::server::Server;
use crate::start_error::StartError;
use crate::tls;

/// How long calls that are under way may take when the hub stops.
const GRACE: Duration = Duration::from_secs(2);

/// Starts hubs.
pub struct Emulator;

/// A hub that runs. Dropping it stops it without waiting.
pub struct Running {
    /// Where it listens.
    pub addr: SocketAddr,
    /// Where its control interface listens, if it has one.
    pub admin_addr: Option<SocketAddr>,
    /// The host as connection strings have it: with the port where that is not 443.
    pub host: String,
    /// What clients are to trust.
    pub ca_pem: String,
    app: Arc<App>,
    cancel: CancellationToken,
    tasks: TaskTracker,
}

/// Runs a hub until cancelled. Prints `listening https://HOST:PORT` (and `admin http://ADDR`)
/// on standard output when it is ready.
pub async fn run(options: Options, cancel: CancellationToken) -> anyhow::Result<()> {
    let hub = Emulator::start(options).await?;
    announce(&hub)?;
    cancel.cancelled().await;
    hub.stop().await;
    Ok(())
}

fn announce(hub: &Running) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    if let Some(admin) = hub.admin_addr {
        writeln!(out, "admin http://{admin}")?;
    }
    let host = hub
        .host
        .strip_suffix(&format!(":{}", hub.addr.port()))
        .unwrap_or(&hub.host);
    writeln!(out, "listening https://{host}:{}", hub.addr.port())?;
    out.flush()
}

impl Emulator {
    /// Starts a hub. When this returns, it answers.
    pub async fn start(options: Options) -> Result<Running, StartError> {
        let host = options.host();
        check(&options, &host)?;
        let listener = bind(options.listen).await?;
        let addr = address(&listener, options.listen)?;
        let admin_listener = match options.admin {
            Some(admin) => Some(bind(admin).await?),
            None => None,
        };
        let hosts = vec![host.clone(), format!("{host}:{}", addr.port())];
        let access = Access::new(&options.policies, options.policy_file.as_deref(), hosts)?;
        let tls = tls::material(&options)?;
        let outage = Outage {
            mode: options.outage,
            scope: OutageScope::All,
        };
        let cancel = CancellationToken::new();
        let switch = OutageSwitch::new(outage);
        let app = Arc::new(App::new(
            access,
            registry(&options)?,
            switch,
            cancel.clone(),
        ));

        let tasks = TaskTracker::new();
        let admin_addr = match (admin_listener, options.admin) {
            (Some(listener), Some(wanted)) => {
                let addr = address(&listener, wanted)?;
                tasks.spawn(serve_admin(listener, Arc::clone(&app), cancel.clone()));
                Some(addr)
            }
            _ => None,
        };
        let server = Server {
            app: Arc::clone(&app),
            tls: TlsAcceptor::from(tls.config),
            cancel: cancel.clone(),
            tasks: tasks.clone(),
        };
        tasks.spawn(server.run(listener));
        let host = if addr.port() == 443 {
            host
        } else {
            format!("{host}:{}", addr.port())
        };
        info!(%host, "listening");
        Ok(Running {
            addr,
            admin_addr,
            host,
            ca_pem: tls.ca_pem,
            app,
            cancel,
            tasks,
        })
    }
}

impl Running {
    /// A connection string with the first policy.
    pub fn connection_string(&self) -> ConnectionString {
        // There is one: a hub without policies does not start.
        let (policy, key) = self.app.access.first().map_or_else(
            || (String::new(), Secret::new("")),
            |(name, key)| (name.to_owned(), key.clone()),
        );
        ConnectionString {
            host: self.host.clone(),
            policy,
            key,
        }
    }

    /// Orders an outage of everything, or ends it.
    pub fn set_outage(&self, mode: OutageMode) {
        self.set_outage_of(mode, OutageScope::All);
    }

    /// Orders an outage.
    pub fn set_outage_of(&self, mode: OutageMode, scope: OutageScope) {
        self.app.outage.set(Outage { mode, scope });
    }

    /// How many requests of an operation (`get_device`, `put_device`, `query`, ...) arrived.
    pub fn requests(&self, operation: &str) -> u64 {
        let requests = self.app.requests();
        requests
            .iter()
            .filter(|((_, name), _)| *name == operation)
            .map(|(_, count)| count)
            .sum()
    }

    /// Stops: takes no more connections and lets calls that are under way end, for two seconds.
    pub async fn stop(self) {
        self.cancel.cancel();
        self.tasks.close();
        if tokio::time::timeout(GRACE, self.tasks.wait())
            .await
            .is_err()
        {
            warn!("stopped with calls under way");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

fn check(options: &Options, host: &str) -> Result<(), StartError> {
    let has_port = host
        .rsplit_once(':')
        .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    let is_bracketed = host.starts_with('[') && host.ends_with(']');
    if !is_host(host) || (has_port && !is_bracketed) {
        return Err(StartError::Hostname);
    }
    match options.admin {
        Some(admin) if !admin.ip().is_loopback() => Err(StartError::AdminNotLoopback(admin)),
        _ => Ok(()),
    }
}

async fn bind(addr: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(addr)
        .await
        .map_err(|source| StartError::Bind { addr, source })
}

fn address(listener: &TcpListener, addr: SocketAddr) -> Result<SocketAddr, StartError> {
    listener
        .local_addr()
        .map_err(|source| StartError::Bind { addr, source })
}

/// The devices of the data file; a seed fills an empty registry only.
fn registry(options: &Options) -> Result<Registry, StartError> {
    let (file, mut records) = match &options.data {
        Some(path) => DataFile::open(path).map(|(file, records)| (Some(file), records))?,
        None => (None, Records::new()),
    };
    let mut marks = Marks::new().map_err(|_| StartError::NoRandomness)?;
    match &options.seed {
        Some(seed) if records.is_empty() => records = seed::load(seed, &mut marks)?,
        Some(_) => info!(
            devices = records.len(),
            "not seeded: there are devices already"
        ),
        None => {}
    }
    let journal = file.map(|file| file.start(&records)).transpose()?;
    let mut registry = Registry::new(records, journal, marks);
    registry.echo().set(options.query.lag, options.query.ghosts);
    Ok(registry)
}

async fn serve_admin(listener: TcpListener, app: Arc<App>, cancel: CancellationToken) {
    let serve = axum::serve(listener, admin::router(app));
    if let Err(error) = serve.with_graceful_shutdown(cancel.cancelled_owned()).await {
        warn!(%error, "the control interface ended");
    }
}
