//! A move that was set aside goes on when the one that took over came to nothing: else the fleet
//! would stay where its epoch moved it, with a registry that nobody opens.

use hubshift_store::{StoreError, in_tx};

use crate::app::App;
use crate::store::fleet::FleetRow;
use crate::store::{authority, epoch};
use crate::workflows::failover::KIND;

pub(super) async fn tick(app: &App, fleet: &FleetRow) -> Result<(), StoreError> {
    let fleet_id = fleet.fleet_id.as_str();
    // Without a lock first: there is hardly ever one, and the fence is not to be held for nothing.
    let mut connection = app.connection().await?;
    if !hubshift_flow::has_superseded(&mut connection, KIND, fleet_id).await? {
        return Ok(());
    }
    drop(connection);
    let resumed = in_tx(&app.pool, "resume_failover", |mut tx| async move {
        // The epoch as it is now, not as it was when the fleet was read: a successor may have
        // committed since. None can begin beside the one that is resumed.
        let held = authority::hold(&mut tx, fleet_id).await?;
        let active = hubshift_flow::find_active(&mut tx, KIND, fleet_id).await?;
        let began = match held.filter(|_| active.is_none()) {
            Some(held) => epoch::failover_of(&mut tx, fleet_id, held.epoch).await?,
            None => None,
        };
        let resumed = match began {
            Some(id) if hubshift_flow::resume(&mut tx, id).await? => Some(id),
            _ => None,
        };
        Ok::<_, StoreError>((tx, resumed))
    });
    if let Some(failover) = resumed.await? {
        tracing::info!(fleet = fleet_id, %failover, "a move that was set aside goes on");
        app.nudge.notify_one();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use hubshift_domain::epoch::Epoch;
    use hubshift_domain::failover::Step;
    use hubshift_flow::{Start, WorkflowState};
    use hubshift_shell::grpc::{Endpoint, channel};
    use hubshift_store::Fit;
    use hubshift_testkit::pg::{Database, Role};
    use serde_json::json;
    use time::OffsetDateTime;
    use tokio::sync::Notify;
    use uuid::Uuid;

    use super::*;
    use crate::app::Settings;
    use crate::app::remote::Remote;
    use crate::observers::Observers;
    use crate::store::epoch::Opening;
    use crate::store::fleet;
    use crate::table::{Table, fixture};

    const FLEET: &str = "acme";
    const FIRST: Uuid = Uuid::from_u128(1);
    const SUCCESSOR: Uuid = Uuid::from_u128(2);

    /// A fleet that one move brought to west; then it was set aside.
    struct World {
        app: App,
        _dir: tempfile::TempDir,
        _database: Database,
    }

    async fn app(database: &Database, dir: &std::path::Path) -> App {
        let nowhere = Endpoint {
            url: "http://127.0.0.1:1".into(),
            tls: None,
            timeout: Duration::from_secs(1),
        };
        let nowhere = channel(&nowhere).unwrap();
        let span = Duration::from_secs(1);
        App {
            pool: database.connect(Role::Concierge).await.unwrap(),
            remote: Remote::new(nowhere.clone(), nowhere, span),
            table: Table::boot(dir, &fixture::signer(), span),
            signer: Arc::new(fixture::signer()),
            settings: Settings {
                clock_bound: span,
                publish_deadline: span,
                freeze_timeout: span,
                observe_timeout: span,
                max_staleness: span,
                max_watchers: 1,
            },
            nudge: Arc::new(Notify::new()),
            fit: Fit::default(),
            observers: Observers::default(),
        }
    }

    impl World {
        async fn new() -> Self {
            let database = Database::fresh().await.unwrap();
            let dir = tempfile::tempdir().unwrap();
            let app = app(&database, dir.path()).await;
            for sql in [
                "insert into authority.fleet (fleet_id, epoch, active_hub_id)
                 values ('acme', 1024, 'east')",
                "insert into concierge.fleet
                    (fleet_id, home_hub_id, device_count, utilisation_percent, poll_after_ms)
                 values ('acme', 'east', 1, 80, 1000)",
            ] {
                sqlx::query(sql).execute(&app.pool).await.unwrap();
            }
            let world = Self {
                app,
                _dir: dir,
                _database: database,
            };
            world.reign(Epoch(2049), "west", FIRST).await;
            let mut connection = world.app.connection().await.unwrap();
            let first = Start {
                workflow_id: FIRST,
                kind: KIND,
                subject: Some(FLEET),
                fleet_id: FLEET,
                first: Step::Replay,
                state: &json!({}),
                traceparent: None,
            };
            assert!(hubshift_flow::start(&mut connection, first).await.unwrap());
            let aside =
                hubshift_flow::supersede(&mut connection, FIRST, &[Step::Replay], "another");
            assert!(aside.await.unwrap());
            drop(connection);
            world
        }

        /// What a failover's commit leaves, as far as this reconciler looks.
        async fn reign(&self, epoch: Epoch, hub_id: &str, failover: Uuid) {
            let mut connection = self.app.connection().await.unwrap();
            let opening = Opening {
                fleet_id: FLEET,
                epoch,
                hub_id,
                failover_id: Some(failover),
                cut: &json!({}),
                at: OffsetDateTime::now_utc(),
            };
            epoch::open(&mut connection, &opening).await.unwrap();
            sqlx::query("update authority.fleet set epoch = $1, active_hub_id = $2")
                .bind(epoch.as_i64())
                .bind(hub_id)
                .execute(&mut *connection)
                .await
                .unwrap();
        }

        async fn fleet(&self) -> FleetRow {
            let mut connection = self.app.connection().await.unwrap();
            fleet::get(&mut connection, FLEET).await.unwrap().unwrap()
        }

        async fn first(&self) -> WorkflowState {
            let mut connection = self.app.connection().await.unwrap();
            let status = hubshift_flow::get(&mut connection, FIRST).await.unwrap();
            status.unwrap().state
        }
    }

    #[tokio::test]
    async fn a_move_goes_on_when_the_one_that_took_over_came_to_nothing() {
        let world = World::new().await;
        assert_eq!(world.first().await, WorkflowState::Failed);
        tick(&world.app, &world.fleet().await).await.unwrap();
        assert_eq!(world.first().await, WorkflowState::Running);
    }

    #[tokio::test]
    async fn a_fleet_that_was_read_before_a_commit_resumes_nothing_after_it() {
        let world = World::new().await;
        let stale = world.fleet().await;
        world.reign(Epoch(3072), "east", SUCCESSOR).await;
        tick(&world.app, &stale).await.unwrap();
        assert_eq!(stale.epoch(), Epoch(2049));
        assert_eq!(world.first().await, WorkflowState::Failed);
    }
}
