//! Deadlines of our own: a host that vanishes closes no connection, and no statement timeout of a
//! server that is gone ends a wait for it.

use std::future::Future;
use std::io;
use std::time::Duration;

use crate::StoreError;

/// Waits for `work` no longer than `limit`. What is given up may have happened: `Unknown`.
pub async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| {
        let late = format!("no answer within {limit:?}");
        let late = io::Error::new(io::ErrorKind::TimedOut, late);
        Err(StoreError::Unknown(sqlx::Error::Io(late)))
    })
}
