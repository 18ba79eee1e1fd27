//! What the stages share: where the checkout is, and one PostgreSQL for all of them.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use hubshift_private_pg::{Cluster, Settings, find};
use hubshift_testkit::pg::Server;

/// What the stages share.
pub(crate) struct Context {
    /// The top of the checkout.
    pub(crate) root: PathBuf,
    cluster: Option<Cluster>,
}

impl Context {
    pub(crate) fn new() -> anyhow::Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("..")
            .canonicalize()?;
        Ok(Self {
            root,
            cluster: None,
        })
    }

    /// Below `target/`, for what can be made again.
    pub(crate) fn scratch(&self, name: &str) -> PathBuf {
        self.root.join("target").join(name)
    }

    /// The superuser's URL of a private PostgreSQL, started at the first call (and installed, when
    /// this machine has none).
    pub(crate) async fn postgres_url(&mut self) -> anyhow::Result<String> {
        if self.cluster.is_none() {
            if find().is_none() {
                println!("PostgreSQL is not installed: installing it");
            }
            let cluster = Cluster::start(Settings::throw_away()).await;
            self.cluster = Some(cluster.context("could not start a private PostgreSQL")?);
        }
        self.cluster
            .as_ref()
            .map(Cluster::superuser_url)
            .context("there is no PostgreSQL")
    }

    /// The same, ready to make databases.
    pub(crate) async fn server(&mut self) -> anyhow::Result<Server> {
        Server::new(&self.postgres_url().await?)
    }

    /// Ends what was started. What ends without this ends the PostgreSQL as well.
    pub(crate) async fn close(self) -> anyhow::Result<()> {
        if let Some(cluster) = self.cluster {
            cluster.stop().await?;
        }
        Ok(())
    }
}
