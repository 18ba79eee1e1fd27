//! Starting a hub, as a command or inside another process.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use hubshift_azure::is_host;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use crate::access::Access;
use crate::admin;
use crate::app::App;
use crate::dump;
use crate::jobs::JobSettings;
use crate::journal::{DataFile, Kept};
use crate::management::{Management, ResourceId};
use crate::options::Options;
use crate::outage::{Fault, OutageSwitch};
use crate::private_file;
use crate::registry::{Marks, QuerySettings, Registry};
use crate::running::Running;
use crate::seed;
use crate::server::{Server, Site};
use crate::start_error::StartError;
use crate::throttle::{Settings, Throttle};
use crate::tls;

/// Starts hubs.
pub struct Emulator;

/// The listeners of a hub, all bound before any of them answers.
struct Listeners {
    hub: TcpListener,
    admin: Option<TcpListener>,
    management: Option<TcpListener>,
}

/// Runs a hub until cancelled, or dumps its registry and ends. Prints
/// `listening https://HOST:PORT` (and before it `admin http://ADDR` and
/// `management https://ADDR`) on standard output when it is ready.
pub async fn run(options: Options, cancel: CancellationToken) -> anyhow::Result<()> {
    if options.dump.is_some() || options.dump_configurations.is_some() {
        return Ok(dumped(&options)?);
    }
    let is_of_nobody = options.tls_dir.is_none() && options.tls_cert.is_none();
    let hub = Emulator::start(options).await?;
    if is_of_nobody {
        warn!("clients cannot trust this hub: its certificates are in memory only; give --tls-dir");
    }
    announce(&hub)?;
    cancel.cancelled().await;
    hub.stop().await;
    Ok(())
}

/// Writes the registry of the data file as export files. They have keys in them.
fn dumped(options: &Options) -> Result<(), StartError> {
    // The parser asks for a data file. A registry that is made up for the dump is no answer.
    if let Some(data) = options.data.as_deref().filter(|data| !data.exists()) {
        let missing = io::ErrorKind::NotFound.into();
        return Err(cannot(data, "there is no data file to dump", missing));
    }
    let (devices, configurations) = (&options.dump, &options.dump_configurations);
    for path in [devices, configurations].into_iter().flatten() {
        let data = options.data.as_deref();
        if data.is_some_and(|data| is_same(data, path)) {
            return Err(StartError::DumpOntoData(path.to_owned()));
        }
    }
    let registry = registry(options)?;
    if let Some(path) = devices {
        write(path, |mut out| dump::devices(&registry, &mut out))?;
    }
    if let Some(path) = configurations {
        write(path, |mut out| dump::configurations(&registry, &mut out))?;
    }
    Ok(())
}

fn write(
    path: &Path,
    dump: impl FnOnce(&mut dyn io::Write) -> io::Result<()>,
) -> Result<(), StartError> {
    private_file::replace(path, dump)
        .map_err(|source| cannot(path, "the dump cannot be written", source))
}

fn cannot(path: &Path, what: &'static str, source: io::Error) -> StartError {
    StartError::File {
        path: path.to_owned(),
        what,
        source,
    }
}

/// Whether both name the same file, which is there.
fn is_same(one: &Path, other: &Path) -> bool {
    let (one, other) = (one.canonicalize(), other.canonicalize());
    one.ok()
        .zip(other.ok())
        .is_some_and(|(one, other)| one == other)
}

fn announce(hub: &Running) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if let Some(admin) = hub.admin_addr {
        writeln!(out, "admin http://{admin}")?;
    }
    if let Some(management) = hub.management_addr {
        writeln!(out, "management https://{management}")?;
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
        let only = resource_id(&options)?;
        let listeners = Listeners::bind(&options).await?;
        let addr = address(&listeners.hub, options.listen)?;
        let hosts = vec![host.clone(), format!("{host}:{}", addr.port())];
        let access = Access::new(&options, hosts)?;
        let tls = tls::material(&options)?;
        let cancel = CancellationToken::new();
        let app = Arc::new(App::new(
            access,
            registry(&options)?,
            OutageSwitch::new(Fault::from(options.outage)),
            Throttle::new(Settings::from(&options.throttle)),
            cancel.clone(),
        ));
        app.jobs.set(JobSettings::from(&options.job));
        let host = if addr.port() == 443 {
            host
        } else {
            format!("{host}:{}", addr.port())
        };
        let mut running = Running {
            addr,
            admin_addr: None,
            management_addr: None,
            host,
            ca_pem: tls.ca_pem,
            app,
            cancel,
            tasks: TaskTracker::new(),
        };
        running.serve(listeners, &TlsAcceptor::from(tls.config), only, &options)?;
        info!(host = %running.host, "listening");
        Ok(running)
    }
}

impl Listeners {
    async fn bind(options: &Options) -> Result<Self, StartError> {
        Ok(Self {
            hub: bind(options.listen).await?,
            admin: bind_if(options.admin).await?,
            management: bind_if(options.entra.management).await?,
        })
    }
}

impl Running {
    /// Answers on all listeners from now on.
    fn serve(
        &mut self,
        listeners: Listeners,
        tls: &TlsAcceptor,
        only: Option<ResourceId>,
        options: &Options,
    ) -> Result<(), StartError> {
        if let (Some(listener), Some(wanted)) = (listeners.admin, options.admin) {
            self.admin_addr = Some(address(&listener, wanted)?);
            let (app, cancel) = (Arc::clone(&self.app), self.cancel.clone());
            self.tasks.spawn(serve_admin(listener, app, cancel));
        }
        if let (Some(listener), Some(wanted)) = (listeners.management, options.entra.management) {
            self.management_addr = Some(address(&listener, wanted)?);
            let management = Management::new(Arc::clone(&self.app), only, self.host.clone());
            self.serve_site(Arc::new(management), tls, listener);
        }
        self.serve_site(Arc::clone(&self.app), tls, listeners.hub);
        Ok(())
    }

    fn serve_site<S: Site>(&self, site: Arc<S>, tls: &TlsAcceptor, listener: TcpListener) {
        let server = Server {
            site,
            tls: tls.clone(),
            cancel: self.cancel.clone(),
            tasks: self.tasks.clone(),
        };
        self.tasks.spawn(server.run(listener));
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
    let is_public = |addr: &SocketAddr| !addr.ip().is_loopback();
    if let Some(admin) = options.admin.filter(is_public) {
        return Err(StartError::AdminNotLoopback(admin));
    }
    match options.entra.management.filter(is_public) {
        Some(management) => Err(StartError::ManagementNotLoopback(management)),
        None => Ok(()),
    }
}

fn resource_id(options: &Options) -> Result<Option<ResourceId>, StartError> {
    let id = options.entra.resource_id.as_deref();
    id.map(|id| id.parse().map_err(|_| StartError::ResourceId))
        .transpose()
}

async fn bind(addr: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(addr)
        .await
        .map_err(|source| StartError::Bind { addr, source })
}

async fn bind_if(addr: Option<SocketAddr>) -> Result<Option<TcpListener>, StartError> {
    match addr {
        Some(addr) => bind(addr).await.map(Some),
        None => Ok(None),
    }
}

fn address(listener: &TcpListener, addr: SocketAddr) -> Result<SocketAddr, StartError> {
    listener
        .local_addr()
        .map_err(|source| StartError::Bind { addr, source })
}

/// What is in the data file, and what seeds fill it with.
fn registry(options: &Options) -> Result<Registry, StartError> {
    let (file, mut kept) = match &options.data {
        Some(path) => DataFile::open(path).map(|(file, kept)| (Some(file), kept))?,
        None => (None, Kept::default()),
    };
    let marks = Marks::new().map_err(|_| StartError::NoRandomness)?;
    let marks = fill(&mut kept, marks, options)?;
    let journal = file.map(|file| file.start(&kept)).transpose()?;
    let mut registry = Registry::new(kept.records, journal, marks)
        .with_configurations(kept.configurations)
        .with_options(options.registry.clone());
    registry.set_queries(QuerySettings::from(&options.query));
    Ok(registry)
}

/// A seed fills only what is empty.
fn fill(kept: &mut Kept, mut marks: Marks, options: &Options) -> Result<Marks, StartError> {
    match &options.seed {
        Some(seed) if kept.records.is_empty() => {
            (kept.records, marks) = seed::load(seed, marks, &options.registry)?;
        }
        Some(_) => info!(
            devices = kept.records.len(),
            "not seeded: there are devices already"
        ),
        None => {}
    }
    match &options.seed_configurations {
        Some(seed) if kept.configurations.is_empty() => {
            let most = Settings::from(&options.throttle).configurations();
            (kept.configurations, marks) = seed::configurations::load(seed, marks, most)?;
        }
        Some(_) => info!("no configurations seeded: there are some already"),
        None => {}
    }
    Ok(marks)
}

async fn serve_admin(listener: TcpListener, app: Arc<App>, cancel: CancellationToken) {
    let serve = axum::serve(listener, admin::router(app));
    if let Err(error) = serve.with_graceful_shutdown(cancel.cancelled_owned()).await {
        warn!(%error, "the control interface ended");
    }
}
