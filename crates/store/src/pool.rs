//! The pool: lazy, so that a service starts without its database, and never a demoted server, nor
//! for long one that vanished.

use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{Connection, Executor};

use crate::StoreError;

/// How long a host, or a connection that comes back to the pool, may take to answer.
const ANSWERS_WITHIN: Duration = Duration::from_secs(3);

/// How to reach the database.
#[derive(Debug, Clone)]
pub struct PoolConfig {
    /// `postgres://user:password@host:port/database`; several, separated by spaces, when the
    /// cluster has several hosts: the first that is writable serves.
    pub urls: String,
    /// Connections at most.
    pub max_connections: u32,
    /// How the sessions name themselves.
    pub application: &'static str,
}

/// A pool over the cluster's hosts.
#[derive(Debug, Clone)]
pub struct Database {
    pool: PgPool,
    candidates: Vec<PgConnectOptions>,
}

impl Database {
    /// Makes the pool without connecting. Errors only when a URL is malformed.
    pub fn lazy(config: &PoolConfig) -> Result<Self, StoreError> {
        let candidates = config
            .urls
            .split_whitespace()
            .map(|url| options(url, config.application))
            .collect::<Result<Vec<_>, _>>()?;
        let first = candidates
            .first()
            .cloned()
            .unwrap_or_else(PgConnectOptions::new);
        let pool = PgPoolOptions::new()
            .max_connections(config.max_connections)
            .acquire_timeout(Duration::from_secs(3))
            .idle_timeout(Duration::from_secs(60))
            .before_acquire(|connection, _| Box::pin(is_writable(connection)))
            .after_release(|connection, _| Box::pin(answers(connection)))
            .connect_lazy_with(first);
        Ok(Self { pool, candidates })
    }

    /// The pool itself.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Finds the host that is writable and points new connections at it; takes three seconds per
    /// host at most. Called by a service's watch when the database does not answer; with one host
    /// it only tries it.
    pub async fn repoint(&self) -> Result<(), StoreError> {
        let mut last = None;
        for options in &self.candidates {
            match try_host(options).await {
                Ok(()) => {
                    self.pool.set_connect_options(options.clone());
                    return Ok(());
                }
                Err(error) => last = Some(error),
            }
        }
        Err(last.map_or(
            StoreError::Unavailable(sqlx::Error::PoolClosed),
            StoreError::from,
        ))
    }
}

fn options(url: &str, application: &str) -> Result<PgConnectOptions, StoreError> {
    let options = PgConnectOptions::from_str(url).map_err(StoreError::Bug)?;
    Ok(options.application_name(application).options([
        ("statement_timeout", "30s"),
        ("lock_timeout", "5s"),
        ("idle_in_transaction_session_timeout", "30s"),
    ]))
}

/// Whether this host serves. Each host has its own time, so that one which swallows everything
/// keeps nobody from trying the next.
async fn try_host(options: &PgConnectOptions) -> Result<(), sqlx::Error> {
    tokio::time::timeout(ANSWERS_WITHIN, ask_host(options))
        .await
        .map_err(|_| sqlx::Error::PoolTimedOut)?
}

async fn ask_host(options: &PgConnectOptions) -> Result<(), sqlx::Error> {
    let mut connection = sqlx::PgConnection::connect_with(options).await?;
    let writable = is_writable(&mut connection).await?;
    connection.close().await?;
    if writable {
        Ok(())
    } else {
        Err(sqlx::Error::PoolTimedOut)
    }
}

/// Whether a connection that comes back still has somebody at its other end. A statement that was
/// given up, for its deadline or with its caller, may wait for a host that is gone: the pool itself
/// would wait with it for ever, and be one connection smaller.
async fn answers(connection: &mut sqlx::PgConnection) -> Result<bool, sqlx::Error> {
    match tokio::time::timeout(ANSWERS_WITHIN, connection.ping()).await {
        Ok(answer) => answer.map(|()| true),
        Err(_) => Err(sqlx::Error::PoolTimedOut),
    }
}

/// Whether the session is on a primary. A demoted server answers `on` and is left.
async fn is_writable(connection: &mut sqlx::PgConnection) -> Result<bool, sqlx::Error> {
    use sqlx::Row as _;
    let row = connection.fetch_one("show transaction_read_only").await?;
    let read_only: String = row.try_get(0)?;
    Ok(read_only == "off")
}
