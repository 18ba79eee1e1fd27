//! A private cluster: one home, one port, and a server that can be stopped and started again, as
//! a test does that plays "the database is down".
//!
//! The server never outlives this value, nor the process that holds it (see `guard`). The port is
//! chosen once: whoever was told the URL finds the server there after a restart.

use std::path::Path;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};

use crate::error::PgError;
use crate::find::{Installation, find_major};
use crate::guard::{Plan, Server, Sweeper};
use crate::home::Home;
use crate::initdb::{SUPERUSER, ensure_data};
use crate::install::ensure_installed;
use crate::launch::{Launch, free_port, log_path};
use crate::settings::Settings;

/// How many ports to try before somebody else's luck counts as an error.
const PORT_ATTEMPTS: usize = 10;

/// A private PostgreSQL cluster. Dropping it stops the server (it waits for that) and removes a
/// home that was made up; [`Cluster::stop`] does the same without blocking the thread.
#[derive(Debug)]
pub struct Cluster {
    installation: Installation,
    settings: Settings,
    home: Home,
    password: SecretString,
    port: u16,
    server: Option<Server>,
    sweeper: Option<Sweeper>,
}

impl Cluster {
    /// Makes or reopens a cluster and starts it; installs PostgreSQL when none is there.
    ///
    /// # Errors
    /// Every [`PgError`]; nothing is left running and no throw-away home is left then.
    pub async fn start(settings: Settings) -> Result<Self, PgError> {
        let home = Home::open(settings.data_dir.as_deref())?;
        let sweeper = home.ephemeral.then(|| Sweeper::spawn(&home)).transpose()?;
        let installation = installation_for(&home).await?;
        let password = home.password()?;
        ensure_data(&home, &installation, settings.durable).await?;
        let mut cluster = Self {
            installation,
            settings,
            home,
            password,
            port: 0,
            server: None,
            sweeper,
        };
        cluster.start_on_a_free_port().await?;
        tracing::debug!(port = cluster.port, home = %cluster.home.dir.display(), "postgres started");
        Ok(cluster)
    }

    async fn start_on_a_free_port(&mut self) -> Result<(), PgError> {
        let mut taken = Ok(());
        for _ in 0..PORT_ATTEMPTS {
            self.port = free_port()?;
            taken = match self.start_server().await {
                Err(error @ PgError::PortTaken { .. }) => Err(error),
                other => return other,
            };
        }
        taken
    }

    /// Where `user` connects to `database`; holds the password, so it is a secret itself.
    #[must_use]
    pub fn url(&self, user: &str, password: &str, database: &str) -> String {
        let [user, password, database] =
            [user, password, database].map(|part| utf8_percent_encode(part, NON_ALPHANUMERIC));
        format!(
            "postgres://{user}:{password}@127.0.0.1:{}/{database}",
            self.port
        )
    }

    /// Where the superuser connects to the database `postgres`; a secret.
    #[must_use]
    pub fn superuser_url(&self) -> String {
        self.url(SUPERUSER, self.password.expose_secret(), "postgres")
    }

    /// The port of 127.0.0.1 that the server listens on; the same for as long as this lives.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The cluster's home: its data, its password, and its log unless that is elsewhere.
    #[must_use]
    pub fn home(&self) -> &Path {
        &self.home.dir
    }

    /// Where the server's log is.
    #[must_use]
    pub fn log_file(&self) -> std::path::PathBuf {
        log_path(&self.home, &self.settings)
    }

    /// The server's process id; `None` while it is stopped.
    #[must_use]
    pub fn server_pid(&self) -> Option<u32> {
        self.server.as_ref().map(|server| server.pid)
    }

    /// Starts the server again after [`Cluster::stop_server`] or [`Cluster::kill_server`], on the
    /// same port; does nothing while it runs.
    ///
    /// # Errors
    /// [`PgError::PortTaken`], [`PgError::InUse`], [`PgError::StartFailed`], [`PgError::NotReady`].
    pub async fn start_server(&mut self) -> Result<(), PgError> {
        if self.server.as_mut().is_some_and(|server| !server.exited()) {
            return Ok(());
        }
        let (home, settings) = (&self.home, &self.settings);
        let launch = Launch {
            home,
            installation: &self.installation,
            settings,
            port: self.port,
        };
        self.server = Some(launch.run().await?);
        Ok(())
    }

    /// Stops the server in good order, clients thrown out; the data stays.
    ///
    /// # Errors
    /// [`PgError::NotStopped`].
    pub async fn stop_server(&mut self) -> Result<(), PgError> {
        self.end_server(Plan::FAST).await
    }

    /// Kills the server (SIGKILL), as a crash would; the data stays and nothing that was committed
    /// is lost.
    ///
    /// # Errors
    /// [`PgError::NotStopped`].
    pub async fn kill_server(&mut self) -> Result<(), PgError> {
        self.end_server(Plan::KILL).await
    }

    async fn end_server(&mut self, plan: Plan) -> Result<(), PgError> {
        let Some(server) = &mut self.server else {
            return Ok(());
        };
        server.tell(plan);
        if !server.gone(plan.patience()).await {
            return Err(PgError::NotStopped {
                seconds: plan.patience().as_secs(),
            });
        }
        self.server = None;
        Ok(())
    }

    /// Stops the server and removes a home that was made up.
    ///
    /// # Errors
    /// [`PgError::NotStopped`].
    pub async fn stop(mut self) -> Result<(), PgError> {
        self.end_server(self.last_plan()).await?;
        if let Some(sweeper) = self.sweeper.take() {
            sweeper.sweep().await;
        }
        Ok(())
    }

    fn last_plan(&self) -> Plan {
        if self.home.ephemeral {
            Plan::IMMEDIATE
        } else {
            Plan::FAST
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let plan = self.last_plan();
        if let Some(server) = &mut self.server {
            server.tell(plan);
            if !server.gone_blocking(plan.patience()) {
                tracing::warn!(pid = server.pid, "postgres did not stop in time");
            }
        }
        if let Some(sweeper) = self.sweeper.take() {
            sweeper.sweep_blocking();
        }
    }
}

/// The installation that fits the home: of the version that made its data, else the newest.
async fn installation_for(home: &Home) -> Result<Installation, PgError> {
    let newest = ensure_installed().await?;
    let Some(data) = home.major().filter(|major| *major != newest.major) else {
        return Ok(newest);
    };
    find_major(data).ok_or_else(|| PgError::VersionMismatch {
        dir: home.dir.clone(),
        data,
        server: newest.major,
    })
}
