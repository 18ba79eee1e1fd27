//! The files that make a database: read when a test runs, not compiled in, so that a new migration
//! is seen without a rebuild.

use std::path::{Path, PathBuf};

use anyhow::Context;
use sha2::{Digest, Sha256};
use sqlx::migrate::Migrator;

/// The files that make a database.
pub(crate) struct Schema {
    /// What makes the cluster's roles.
    pub(crate) roles: String,
    /// What makes a database's tables.
    pub(crate) migrations: Migrator,
}

impl Schema {
    /// Reads them from the checkout.
    pub(crate) async fn read() -> anyhow::Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let path = root.join("deploy/postgres/roles.sql");
        let roles = std::fs::read_to_string(&path)
            .with_context(|| format!("could not read {}", path.display()))?;
        let migrations: PathBuf = root.join("migrations");
        let migrations = Migrator::new(migrations)
            .await
            .context("could not read migrations")?;
        Ok(Self { roles, migrations })
    }

    /// Tells one state of the files from another; `salt` is whatever else a template depends on.
    pub(crate) fn digest(&self, salt: &str) -> String {
        let mut digest = Sha256::new();
        for text in [salt, &self.roles] {
            digest.update(Sha256::digest(text));
        }
        for migration in self.migrations.iter() {
            digest.update(migration.version.to_be_bytes());
            digest.update(&migration.checksum);
        }
        short_hex(&digest.finalize())
    }
}

/// The first 16 bytes in hexadecimal: enough to tell apart, short enough for a name.
pub(crate) fn short_hex(digest: &[u8]) -> String {
    digest
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
