//! The rows that the concierge owns, as tests need them: a new fleet at east with west ready, and
//! what a failover makes of it.

use sqlx::PgPool;

use super::{EAST_REIGNS, WEST_REIGNS, World};

pub(super) async fn reign(admin: &PgPool) {
    sqlx::query(
        "insert into concierge.fleet
             (fleet_id, home_hub_id, device_count, utilisation_percent, poll_after_ms)
         values ('acme', 'east', 1, 80, 1000)",
    )
    .execute(admin)
    .await
    .unwrap();
    sqlx::query(
        "insert into authority.fleet (fleet_id, epoch, active_hub_id) values ('acme', $1, 'east')",
    )
    .bind(EAST_REIGNS)
    .execute(admin)
    .await
    .unwrap();
    sqlx::query(
        "insert into authority.hub
             (fleet_id, hub_id, hub_index, state, last_active_epoch, call_deadline_ms)
         values ('acme', 'east', 0, 'active', $1, 6000), ('acme', 'west', 1, 'ready', 0, 6000)",
    )
    .bind(EAST_REIGNS)
    .execute(admin)
    .await
    .unwrap();
}

impl World {
    /// Commits the epoch of west, as a forced failover does: east is quarantined, the registry
    /// settles.
    pub(crate) async fn fail_over(&self) {
        self.set_state("east", "quarantined").await;
        self.set_state("west", "active").await;
        sqlx::query(
            "update authority.fleet
                set epoch = $1, active_hub_id = 'west', registry_mode = 'settling',
                    update_time = clock_timestamp()
              where fleet_id = 'acme'",
        )
        .bind(WEST_REIGNS)
        .execute(&self.admin)
        .await
        .unwrap();
        for (hub, epoch) in [("east", EAST_REIGNS), ("west", WEST_REIGNS)] {
            sqlx::query("update authority.hub set last_active_epoch = $2 where hub_id = $1")
                .bind(hub)
                .bind(epoch)
                .execute(&self.admin)
                .await
                .unwrap();
        }
    }

    /// Lets the registry take writes again, as a failover that has settled does.
    pub(crate) async fn open_registry(&self) {
        sqlx::query("update authority.fleet set registry_mode = 'open' where fleet_id = 'acme'")
            .execute(&self.admin)
            .await
            .unwrap();
    }
}
