//! Request replay: the same request id with the same body gets the stored answer.
//!
//! Durable: `idem.request`. The row is written in the transaction of the effect, so an effect
//! without its row, or a row without its effect, can't exist. Of two concurrent equal requests the
//! second waits on the row's key and then replays.

use prost::Message;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::StoreError;

/// One request, as replay knows it.
#[derive(Debug, Clone)]
pub struct Request {
    /// Who asks.
    pub caller: String,
    /// Which method, `StartFailover`.
    pub method: &'static str,
    /// The caller's id for it.
    pub request_id: Uuid,
    body_sha256: Vec<u8>,
}

/// Why a request can't be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The id was used with another body.
    #[error("request_id {0} was used with another body; use a new one")]
    Reused(Uuid),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<ReplayError> for tonic::Status {
    fn from(error: ReplayError) -> Self {
        match error {
            ReplayError::Reused(_) => hubshift_api::fault::status(
                tonic::Code::AlreadyExists,
                "REQUEST_ID_REUSED",
                error.to_string(),
            ),
            ReplayError::Store(store) => store.into(),
        }
    }
}

impl Request {
    /// Describes a request by its message.
    pub fn new(caller: &str, method: &'static str, request_id: Uuid, body: &impl Message) -> Self {
        let body_sha256 = Sha256::digest(body.encode_to_vec()).to_vec();
        Self {
            caller: caller.to_owned(),
            method,
            request_id,
            body_sha256,
        }
    }

    /// The hash of the message.
    pub fn body_sha256(&self) -> &[u8] {
        &self.body_sha256
    }

    /// The stored answer, if the request was done before.
    pub async fn replay<R: Message + Default>(
        &self,
        connection: &mut PgConnection,
    ) -> Result<Option<R>, ReplayError> {
        let row = sqlx::query!(
            "select body_sha256, response from idem.request
              where owner = current_user and caller = $1 and method = $2 and request_id = $3",
            self.caller,
            self.method,
            self.request_id
        )
        .fetch_optional(connection)
        .await
        .map_err(StoreError::from)?;
        match row {
            None => Ok(None),
            Some(row) if row.body_sha256 != self.body_sha256 => {
                Err(ReplayError::Reused(self.request_id))
            }
            Some(row) => Ok(R::decode(row.response.as_slice()).ok()),
        }
    }

    /// Stores the answer, in the transaction of the effect. `false` when an equal request was
    /// faster: roll back and replay.
    pub async fn record<R: Message>(
        &self,
        connection: &mut PgConnection,
        response: &R,
    ) -> Result<bool, StoreError> {
        let done = sqlx::query!(
            "insert into idem.request (caller, method, request_id, body_sha256, response)
             values ($1, $2, $3, $4, $5) on conflict do nothing",
            self.caller,
            self.method,
            self.request_id,
            self.body_sha256,
            response.encode_to_vec()
        )
        .execute(connection)
        .await?;
        Ok(done.rows_affected() == 1)
    }
}

/// Forgets answers older than 24 hours, at most `limit` of them.
pub async fn purge(connection: &mut PgConnection, limit: i64) -> Result<u64, StoreError> {
    let done = sqlx::query!(
        "delete from idem.request where (owner, caller, method, request_id) in (
            select owner, caller, method, request_id from idem.request
             where owner = current_user and create_time < now() - interval '24 hours' limit $1)",
        limit
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}
