//! A merge service on a database of its own, and what a test does with it.

use std::time::Duration;

use hubshift_api::pb::merge as pb;
use hubshift_api::pb::merge::inbox_service_client::InboxServiceClient;
use hubshift_api::pb::merge::merge_service_client::MergeServiceClient;
use hubshift_api::pb::merge::metadata_service_client::MetadataServiceClient;
use hubshift_merge::{Config, Running, start};
use hubshift_testkit::eventually;
use hubshift_testkit::pg::{Database, Role};
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::transport::Channel;
use uuid::Uuid;

use crate::hubs::Hubs;

/// No test waits longer for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The epoch of east, before the failover.
pub(crate) const OLD_EPOCH: u64 = 1024;
/// The epoch of west, now.
pub(crate) const EPOCH: u64 = 2049;

/// A world of one merge service: fleet `acme`, active at west, east quarantined.
pub(crate) struct World {
    pub(crate) database: Database,
    pub(crate) hubs: Hubs,
    pub(crate) service: Service,
    registry_url: String,
}

/// A running merge service and its clients.
pub(crate) struct Service {
    pub(crate) merges: MergeServiceClient<Channel>,
    pub(crate) documents: MetadataServiceClient<Channel>,
    pub(crate) events: InboxServiceClient<Channel>,
    running: Running,
    cancel: CancellationToken,
}

impl Service {
    pub(crate) async fn start(database_url: &str, registry_url: &str) -> Self {
        let text = format!(
            r#"
            listen = "127.0.0.1:0"
            database_url = "{database_url}"
            registry_url = "{registry_url}"
            "#
        );
        let config: Config = toml::from_str(&text).unwrap();
        let cancel = CancellationToken::new();
        let running = start(config, cancel.clone()).await.unwrap();
        let url = format!("http://{}", running.grpc_addr);
        let channel = Channel::from_shared(url).unwrap().connect_lazy();
        Self {
            merges: MergeServiceClient::new(channel.clone()),
            documents: MetadataServiceClient::new(channel.clone()),
            events: InboxServiceClient::new(channel),
            running,
            cancel,
        }
    }

    /// Stops it, as a signal would.
    pub(crate) async fn stop(self) {
        self.cancel.cancel();
        self.running.task.await.unwrap().unwrap();
    }
}

pub(crate) fn request_id() -> String {
    Uuid::new_v4().to_string()
}

impl World {
    pub(crate) async fn new() -> Self {
        let database = Database::fresh().await.unwrap();
        let pool = database.connect(Role::Concierge).await.unwrap();
        sqlx::query(
            "insert into authority.fleet (fleet_id, epoch, active_hub_id)
             values ('acme', 1024, 'east')",
        )
        .execute(&pool)
        .await
        .unwrap();
        sqlx::query(
            "insert into authority.hub (fleet_id, hub_id, hub_index, state, call_deadline_ms)
             values ('acme', 'east', 0, 'active', 1000), ('acme', 'west', 1, 'ready', 1000)",
        )
        .execute(&pool)
        .await
        .unwrap();
        pool.close().await;
        let hubs = Hubs::default();
        let registry_url = format!("http://{}", hubs.serve().await);
        let service = Service::start(&database.merge_url(), &registry_url).await;
        let world = Self {
            database,
            hubs,
            service,
            registry_url,
        };
        world.fail_over().await;
        world
    }

    /// As [`World::new`], still at east.
    pub(crate) async fn at_home() -> Self {
        let world = Self::new().await;
        let moves = [
            "update authority.hub set state = 'ready' where hub_id = 'west'",
            "update authority.hub set state = 'active' where hub_id = 'east'",
            "update authority.fleet set epoch = 1024, active_hub_id = 'east'",
        ];
        world.as_concierge(&moves).await;
        world
    }

    /// West becomes active; east has missed it.
    pub(crate) async fn fail_over(&self) {
        let moves = [
            "update authority.hub set state = 'quarantined' where hub_id = 'east'",
            "update authority.hub set state = 'active' where hub_id = 'west'",
            "update authority.fleet set epoch = 2049, active_hub_id = 'west'",
        ];
        self.as_concierge(&moves).await;
    }

    pub(crate) async fn as_concierge(&self, statements: &[&'static str]) {
        self.run_as(Role::Concierge, statements).await;
    }

    /// Runs statements on the world's database.
    pub(crate) async fn run_as(&self, role: Role, statements: &[&'static str]) {
        let pool = self.database.connect(role).await.unwrap();
        for statement in statements {
            sqlx::query(*statement).execute(&pool).await.unwrap();
        }
        pool.close().await;
    }

    /// Stops the service and starts another one on the same database.
    pub(crate) async fn replace_service(&mut self) {
        let next = Service::start(&self.database.merge_url(), &self.registry_url).await;
        std::mem::replace(&mut self.service, next).stop().await;
    }

    pub(crate) async fn start_plan(&self) -> Result<pb::Merge, Status> {
        self.start_plan_with(Vec::new()).await
    }

    pub(crate) async fn start_plan_with(
        &self,
        metadata_sources: Vec<String>,
    ) -> Result<pb::Merge, Status> {
        let request = pb::PlanMergeRequest {
            fleet: "fleets/acme".into(),
            recovered_hub: "east".into(),
            request_id: request_id(),
            metadata_sources,
        };
        let merge = self.service.merges.clone().plan_merge(request).await?;
        Ok(merge.into_inner())
    }

    /// Plans and waits for the plan.
    pub(crate) async fn plan(&self) -> pb::Merge {
        let merge = self.start_plan().await.unwrap();
        self.until(&merge.name, pb::MergeState::Planned).await
    }

    pub(crate) async fn get(&self, name: &str) -> pb::Merge {
        let request = pb::GetMergeRequest {
            name: name.to_owned(),
        };
        self.service
            .merges
            .clone()
            .get_merge(request)
            .await
            .unwrap()
            .into_inner()
    }

    /// Waits until a merge is in a state.
    pub(crate) async fn until(&self, name: &str, state: pb::MergeState) -> pb::Merge {
        let there = eventually(PATIENCE, || async { self.get(name).await.state() == state }).await;
        let merge = self.get(name).await;
        assert!(
            there,
            "{:?} instead of {state:?}: {merge:#?}",
            merge.state()
        );
        merge
    }

    pub(crate) async fn apply(&self, merge: &pb::Merge) -> Result<pb::Merge, Status> {
        let request = pb::ApplyMergeRequest {
            name: merge.name.clone(),
            plan_id: merge.plan_id.clone(),
            override_breakers: false,
            request_id: request_id(),
        };
        Ok(self
            .service
            .merges
            .clone()
            .apply_merge(request)
            .await?
            .into_inner())
    }

    /// Applies a plan and waits for its end.
    pub(crate) async fn close(&self, merge: &pb::Merge) -> pb::Merge {
        self.apply(merge).await.unwrap();
        self.until(&merge.name, pb::MergeState::Closed).await
    }

    pub(crate) async fn conflicts(&self, merge: &pb::Merge) -> Vec<pb::Conflict> {
        let request = pb::ListConflictsRequest {
            parent: "fleets/acme".into(),
            merge: merge.name.clone(),
            ..Default::default()
        };
        let found = self
            .service
            .merges
            .clone()
            .list_conflicts(request)
            .await
            .unwrap();
        found.into_inner().conflicts
    }

    pub(crate) async fn resolve(
        &self,
        conflict: &pb::Conflict,
        choice: pb::Choice,
    ) -> Result<pb::Conflict, Status> {
        let request = pb::ResolveConflictRequest {
            name: conflict.name.clone(),
            choice: choice.into(),
            resolver: "ada".into(),
            request_id: request_id(),
        };
        Ok(self
            .service
            .merges
            .clone()
            .resolve_conflict(request)
            .await?
            .into_inner())
    }

    pub(crate) async fn status(&self) -> pb::MergeStatus {
        let request = pb::GetMergeStatusRequest {
            fleet: "fleets/acme".into(),
            hub: "east".into(),
        };
        self.service
            .merges
            .clone()
            .get_merge_status(request)
            .await
            .unwrap()
            .into_inner()
    }
}
