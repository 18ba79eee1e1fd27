//! Whether the database is there: what health says, and which host of a cluster serves.

use std::time::Duration;

use hubshift_shell::Health;
use hubshift_store::Database;
use hubshift_store::migrate::{SchemaState, schema_state};
use tokio_util::sync::CancellationToken;

/// How often the database is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// What is served when the database is there; the empty name is the process.
const NAMES: [&str; 4] = [
    "",
    "hubshift.merge.v1.InboxService",
    "hubshift.merge.v1.MergeService",
    "hubshift.merge.v1.MetadataService",
];

/// Looks until cancelled.
pub(super) async fn database(database: Database, health: Health, cancel: CancellationToken) {
    let mut was_serving = None;
    while !cancel.is_cancelled() {
        let is_serving = is_usable(&database, was_serving != Some(false)).await;
        if was_serving != Some(is_serving) {
            for name in NAMES {
                health.set_serving(name, is_serving);
            }
            was_serving = Some(is_serving);
        }
        if !is_serving && let Err(error) = database.repoint().await {
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "no database host serves"
            );
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = cancel.cancelled() => {}
        }
    }
    for name in NAMES {
        health.set_serving(name, false);
    }
}

async fn is_usable(database: &Database, is_news: bool) -> bool {
    match schema_state(database.pool()).await {
        Ok(SchemaState::Usable) => true,
        Ok(SchemaState::Behind { found, needed }) => {
            if is_news {
                tracing::warn!(
                    found,
                    needed,
                    "the schema is older; run `concierge migrate`"
                );
            }
            false
        }
        Ok(SchemaState::TooNew { found, known }) => {
            if is_news {
                tracing::warn!(found, known, "the schema is newer; run a newer merge");
            }
            false
        }
        Err(error) => {
            if is_news {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "the database does not answer");
            }
            false
        }
    }
}
