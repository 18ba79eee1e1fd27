//! What concierges serve and what devices told them, as their heartbeats say.

use hubshift_domain::epoch::Epoch;
use hubshift_store::StoreError;
use sqlx::PgConnection;

use super::{signed, unsigned};

/// Who is alive and serves a route already.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Publication {
    /// Replicas with a heartbeat within five seconds.
    pub(crate) live: u64,
    /// Those of them that serve the routing version, or a newer one.
    pub(crate) serving: u64,
}

/// Where devices say they are, over all replicas that are alive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct AdoptionRow {
    pub(crate) polling: u64,
    pub(crate) attached: u64,
}

/// The highest epoch that any replica ever served for the fleet.
pub(crate) async fn highest_epoch(
    connection: &mut PgConnection,
    fleet_id: &str,
) -> Result<Epoch, StoreError> {
    let epoch = sqlx::query_scalar!(
        r#"select coalesce(max(epoch), 0) as "epoch!" from concierge.epoch_witness
            where fleet_id = $1"#,
        fleet_id
    )
    .fetch_one(connection)
    .await?;
    Ok(Epoch::from_i64(epoch))
}

/// How far a routing version has spread.
pub(crate) async fn publication(
    connection: &mut PgConnection,
    fleet_id: &str,
    routing_version: u64,
) -> Result<Publication, StoreError> {
    let row = sqlx::query!(
        r#"select count(*) as "live!",
                  count(*) filter (where routing_version >= $2) as "serving!"
             from concierge.epoch_witness
            where fleet_id = $1 and seen_time > clock_timestamp() - interval '5 seconds'"#,
        fleet_id,
        signed(routing_version)
    )
    .fetch_one(connection)
    .await?;
    Ok(Publication {
        live: unsigned(row.live),
        serving: unsigned(row.serving),
    })
}

/// Sums what replicas heard from devices; attachments count from `epoch` on.
pub(crate) async fn adoption(
    connection: &mut PgConnection,
    fleet_id: &str,
    epoch: Epoch,
) -> Result<AdoptionRow, StoreError> {
    let row = sqlx::query!(
        r#"select coalesce(sum(polling_count), 0)::bigint as "polling!",
                  coalesce(sum(attached_count) filter (where epoch >= $2), 0)::bigint
                      as "attached!"
             from concierge.epoch_witness
            where fleet_id = $1 and seen_time > clock_timestamp() - interval '5 seconds'"#,
        fleet_id,
        epoch.as_i64()
    )
    .fetch_one(connection)
    .await?;
    Ok(AdoptionRow {
        polling: unsigned(row.polling),
        attached: unsigned(row.attached),
    })
}
