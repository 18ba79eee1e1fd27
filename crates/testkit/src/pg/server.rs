//! The server that a test process uses, and how each role gets in.

use anyhow::{Context, anyhow};
use hubshift_private_pg::{Cluster, Settings};
use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::sync::OnceCell;

use crate::pg::role::Role;
use crate::pg::schema::short_hex;
use crate::pg::template;

/// Names the superuser's URL of a server to use instead of a private one.
pub const SERVER_VARIABLE: &str = "HUBSHIFT_TEST_POSTGRES_URL";

/// The server of this process; started at the first call and left to the guard at the end, which
/// sees the process go.
static SHARED: OnceCell<(Server, Option<Cluster>)> = OnceCell::const_new();

/// The server that all tests of this process share.
///
/// # Errors
/// No PostgreSQL, or a `HUBSHIFT_TEST_POSTGRES_URL` that is no URL.
pub async fn shared() -> anyhow::Result<&'static Server> {
    let (server, _) = SHARED.get_or_try_init(open).await?;
    Ok(server)
}

async fn open() -> anyhow::Result<(Server, Option<Cluster>)> {
    if let Ok(url) = std::env::var(SERVER_VARIABLE) {
        return Ok((
            Server::new(&url).with_context(|| format!("in {SERVER_VARIABLE}"))?,
            None,
        ));
    }
    let cluster = Cluster::start(Settings::throw_away()).await?;
    Ok((Server::new(&cluster.superuser_url())?, Some(cluster)))
}

/// A server that tests may do with as they like.
#[derive(Clone)]
pub struct Server {
    scheme: String,
    superuser: String,
    address: String,
    role_password: String,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Server")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Server {
    /// The server that `postgres://superuser:password@host:port/...` leads to.
    ///
    /// # Errors
    /// The text is not such a URL.
    pub fn new(superuser_url: &str) -> anyhow::Result<Self> {
        // The URL holds a password: the error doesn't repeat it.
        let broken = || anyhow!("not a URL like postgres://user:password@host:port/database");
        let (scheme, rest) = superuser_url.split_once("://").ok_or_else(broken)?;
        let authority = rest.split(['/', '?']).next().ok_or_else(broken)?;
        let (superuser, address) = authority.rsplit_once('@').ok_or_else(broken)?;
        // Every process must come to the same password by itself.
        let role_password = short_hex(&Sha256::digest(format!("roles of {authority}")));
        let [scheme, superuser, address] = [scheme, superuser, address].map(str::to_owned);
        Ok(Self {
            scheme,
            superuser,
            address,
            role_password,
        })
    }

    /// Where `role` connects to `database`; a secret.
    #[must_use]
    pub fn url(&self, role: Role, database: &str) -> String {
        let who = match role.name() {
            None => self.superuser.clone(),
            Some(name) => format!("{name}:{}", self.role_password),
        };
        format!("{}://{who}@{}/{database}", self.scheme, self.address)
    }

    /// Makes a database as the migrations make it. `name` must be a plain identifier.
    ///
    /// # Errors
    /// A migration fails, or a database of that name exists.
    pub async fn create_database(&self, name: &str) -> anyhow::Result<()> {
        let template = template::ensure(self).await?;
        let mut admin = self.admin().await?;
        let sql = format!("create database {name} template {template} owner hubshift_migrator");
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&mut admin)
            .await?;
        admin.close().await?;
        Ok(())
    }

    /// Removes a database, whoever is connected to it.
    ///
    /// # Errors
    /// The server can't be reached.
    pub async fn drop_database(&self, name: &str) -> anyhow::Result<()> {
        let mut admin = self.admin().await?;
        let sql = format!("drop database if exists {name} with (force)");
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&mut admin)
            .await?;
        admin.close().await?;
        Ok(())
    }

    /// A superuser's connection to the server's own database.
    pub(crate) async fn admin(&self) -> anyhow::Result<PgConnection> {
        PgConnection::connect(&self.url(Role::Superuser, "postgres"))
            .await
            .context("could not connect to the test server")
    }

    /// The password of every role that `roles.sql` makes.
    pub(crate) fn role_password(&self) -> &str {
        &self.role_password
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_gets_in_at_the_same_address() {
        let server = Server::new("postgres://root:p%40ss@127.0.0.1:5433/postgres?a=b").unwrap();
        let superuser = server.url(Role::Superuser, "x");
        assert_eq!(superuser, "postgres://root:p%40ss@127.0.0.1:5433/x");
        let merge = server.url(Role::Merge, "x");
        assert!(merge.starts_with("postgres://hubshift_merge:"), "{merge}");
        assert!(merge.ends_with("@127.0.0.1:5433/x"), "{merge}");
    }

    #[test]
    fn a_broken_url_is_refused_without_repeating_it() {
        let error = Server::new("postgres:secret@host/db")
            .unwrap_err()
            .to_string();
        assert!(!error.contains("secret"), "{error}");
    }
}
