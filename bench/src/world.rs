//! What a run stands on: folders, a certificate, a PostgreSQL on the load's core, and a concierge
//! that was asked once for everything that is measured. It all goes when this is dropped.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use hubshift_private_pg::{Cluster, Settings};
use hubshift_shell::tls::DevAuthority;
use hubshift_testkit::pg::{Database, Server};
use tempfile::TempDir;
use tokio::time::Instant;

use crate::answers::Answers;
use crate::capture;
use crate::contender::ours;
use crate::options::Options;

/// Where Linux keeps files in memory.
const MEMORY: &str = "/dev/shm";
/// Nothing that is waited for takes longer.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// A certificate for this machine.
#[derive(Debug, Clone)]
pub(crate) struct Tls {
    /// Who signed it.
    pub(crate) ca: PathBuf,
    /// The certificate.
    pub(crate) cert: PathBuf,
    /// Its key.
    pub(crate) key: PathBuf,
}

/// What there is before anything runs.
#[derive(Debug)]
pub(crate) struct Place {
    /// What the person chose.
    pub(crate) options: Options,
    /// The concierge's data, and logs.
    pub(crate) disk: TempDir,
    /// What other servers answer from, and their data.
    pub(crate) memory: TempDir,
    /// The concierge's binary.
    pub(crate) concierge: PathBuf,
    /// The certificate of whoever speaks TLS.
    pub(crate) tls: Tls,
}

impl Place {
    fn new(options: &Options) -> anyhow::Result<Self> {
        let disk = folder(&std::env::temp_dir())?;
        let memory = Path::new(MEMORY);
        let memory = match memory.is_dir() {
            true => folder(memory)?,
            false => folder(disk.path())?,
        };
        let tls = certificate(&disk.path().join("tls"))?;
        Ok(Self {
            options: options.clone(),
            concierge: ours::binary(options.concierge.as_deref())?,
            disk,
            memory,
            tls,
        })
    }

    /// Where the concierge keeps its table and keys.
    pub(crate) fn data(&self) -> PathBuf {
        self.disk.path().join("concierge-data")
    }
}

/// What a run stands on.
pub(crate) struct World {
    /// Folders, binary, certificate.
    pub(crate) place: Place,
    /// What the concierge was seen to answer.
    pub(crate) answers: Answers,
    /// Where the concierge's database is; a secret of this run.
    pub(crate) database_url: String,
    changes: AtomicU32,
    // In this order: the database goes before its server.
    database: Database,
    cluster: Cluster,
}

impl World {
    /// Makes everything, and asks the concierge.
    pub(crate) async fn prepare(options: &Options) -> anyhow::Result<Self> {
        let place = Place::new(options)?;
        let cluster = Cluster::start(Settings::throw_away()).await;
        let cluster = cluster.context("could not start a private PostgreSQL")?;
        let server = Server::new(&cluster.superuser_url())?;
        let database = Database::on(&server).await?;
        let database_url = database.concierge_url();
        let answers = Box::pin(capture::capture(&place, &database_url)).await?;
        answers.write(place.memory.path())?;
        Ok(Self {
            place,
            answers,
            database_url,
            changes: AtomicU32::new(0),
            database,
            cluster,
        })
    }

    /// A change that no stream has seen.
    pub(crate) fn next_change(&self) -> u32 {
        self.changes.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Ends what was started.
    pub(crate) async fn close(self) -> anyhow::Result<()> {
        drop(self.database);
        Ok(self.cluster.stop().await?)
    }
}

fn folder(parent: &Path) -> std::io::Result<TempDir> {
    tempfile::Builder::new()
        .prefix("hubshift-bench-")
        .tempdir_in(parent)
}

fn certificate(dir: &Path) -> anyhow::Result<Tls> {
    let authority = DevAuthority::create(dir)?;
    let names = ["127.0.0.1", "localhost"].map(str::to_owned);
    let (cert, key) = authority.issue("bench", &names)?;
    Ok(Tls {
        ca: authority.ca_path(),
        cert,
        key,
    })
}

/// Tries until it works, for a minute at most; then the last failure is what comes of it, and
/// `what` says what it means.
pub(crate) async fn until<T, F, Fut>(what: &'static str, mut attempt: F) -> anyhow::Result<T>
where
    F: FnMut() -> Fut,
    Fut: Future<Output = anyhow::Result<T>>,
{
    let deadline = Instant::now() + PATIENCE;
    loop {
        match attempt().await {
            Err(error) if Instant::now() >= deadline => return Err(error.context(what)),
            Err(_) => tokio::time::sleep(LOOK).await,
            done => return done,
        }
    }
}
