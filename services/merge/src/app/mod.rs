//! Use cases: what operators, back ends and workflows do. Checks, transactions, answers.

mod conflicts;
pub(crate) mod documents;
mod error;
pub(crate) mod inbox;
mod merges;
mod once;
mod resolve;
mod restore;
mod start;
mod view;

use std::sync::Arc;

use hubshift_domain::merge::Policy;
use hubshift_store::{StoreError, Tx};
use sqlx::PgPool;
use tokio::sync::Notify;

pub(crate) use conflicts::Wanted;
pub(crate) use error::MergeError;
pub(crate) use merges::Approval;
pub(crate) use resolve::Decision;
pub(crate) use start::Order;

use crate::plan::Subject;
use crate::remote::Remote;
use crate::store::merge::MergeRow;

/// What every part of the service works with, wired once at start.
#[derive(Debug)]
pub(crate) struct App {
    /// The database.
    pub(crate) pool: PgPool,
    /// registry-sync.
    pub(crate) remote: Remote,
    /// How conflicts are decided.
    pub(crate) policy: Policy,
    /// Wakes the engine of this replica.
    pub(crate) nudge: Arc<Notify>,
}

impl App {
    /// A new transaction.
    async fn begin(&self) -> Result<Tx, StoreError> {
        Ok(self.pool.begin().await?)
    }

    /// What a stored merge is planned by.
    fn subject<'a>(&'a self, merge: &'a MergeRow) -> Subject<'a> {
        Subject {
            merge_id: merge.merge_id,
            fleet: &merge.fleet_id,
            primary: &merge.primary_hub_id,
            secondary: &merge.secondary_hub_id,
            is_rewound: merge.rewound,
            policy: &self.policy,
        }
    }
}
