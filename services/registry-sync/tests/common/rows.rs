//! What the database says, and what is written into it past the service.

use std::time::Duration;

use super::{EAST_REIGNS, World};

impl World {
    /// A deletion of a device's first life at east of which nobody knows whether it happened, as a
    /// lost answer leaves it behind. It is looked at once `deadline` is over. Its number.
    pub(crate) async fn leave_deletion_open(&self, device: &str, deadline: Duration) -> i64 {
        let sequence = sqlx::query_scalar(
            "insert into registry.journal
                 (fleet_id, epoch, hub_id, operation, device_id, incarnation, caller, request_id,
                  body_sha256, state, outcome_time, deadline)
             values ('acme', $1, 'east', 'delete', $2, 1, 'somebody', gen_random_uuid(), '',
                     'unknown', clock_timestamp(),
                     clock_timestamp() + make_interval(secs => $3))
             returning sequence",
        )
        .bind(EAST_REIGNS)
        .bind(device)
        .bind(deadline.as_secs_f64())
        .fetch_one(&self.admin)
        .await
        .unwrap();
        sqlx::query(
            "insert into registry.tombstone
                 (fleet_id, device_id, incarnation, reason, epoch, sequence, origin)
             values ('acme', $1, 1, 'deleted', $2, $3, 'east')",
        )
        .bind(device)
        .bind(EAST_REIGNS)
        .bind(sequence)
        .execute(&self.admin)
        .await
        .unwrap();
        sequence
    }

    /// Reasons, origins and followers of a device's tombstones.
    pub(crate) async fn tombstones(&self, device: &str) -> Vec<(String, String, Vec<String>)> {
        sqlx::query_as(
            "select reason, origin, acked_by from registry.tombstone
              where device_id = $1 order by incarnation",
        )
        .bind(device)
        .fetch_all(&self.admin)
        .await
        .unwrap()
    }

    /// The life of a device that was last seen at a hub.
    pub(crate) async fn incarnation(&self, hub: &str, device: &str) -> i32 {
        sqlx::query_scalar(
            "select incarnation from registry.observed where hub_id = $1 and device_id = $2",
        )
        .bind(hub)
        .bind(device)
        .fetch_one(&self.admin)
        .await
        .unwrap()
    }

    /// How many merge bases a hub has.
    pub(crate) async fn base_count(&self, hub: &str) -> i64 {
        sqlx::query_scalar("select count(*) from registry.base where hub_id = $1")
            .bind(hub)
            .fetch_one(&self.admin)
            .await
            .unwrap()
    }
}
