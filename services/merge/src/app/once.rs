//! A mutation happens once, however often it is asked for.

use std::future::Future;

use hubshift_store::StoreError;
use hubshift_store::idem::{ReplayError, Request};
use prost::Message;
use sqlx::PgPool;

use super::MergeError;

/// Answers a request from its stored answer, or does it. When doing it fails, an equal request may
/// have been faster, or the commit may have happened after all: the stored answer is looked for
/// once more.
pub(super) async fn once<R, F>(pool: &PgPool, request: &Request, work: F) -> Result<R, MergeError>
where
    R: Message + Default,
    F: Future<Output = Result<R, MergeError>> + Send,
{
    if let Some(answer) = replay(pool, request).await? {
        return Ok(answer);
    }
    match work.await {
        Ok(answer) => Ok(answer),
        Err(error) => match replay(pool, request).await {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) | Err(_) => Err(error),
        },
    }
}

async fn replay<R: Message + Default>(
    pool: &PgPool,
    request: &Request,
) -> Result<Option<R>, ReplayError> {
    let mut connection = pool.acquire().await.map_err(StoreError::from)?;
    request.replay(&mut connection).await
}
