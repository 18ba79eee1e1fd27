//! A registry-sync in process over a database of its own, with two emulated hubs.
#![allow(dead_code, reason = "each test binary uses its own part")]

mod authority;
pub(crate) mod hubs;
pub(crate) mod log;
mod rows;

use std::path::Path;
use std::time::Duration;

use hubshift_api::pb::registry as pb;
use hubshift_api::pb::registry::adoption_service_client::AdoptionServiceClient;
use hubshift_api::pb::registry::attachment_service_client::AttachmentServiceClient;
use hubshift_api::pb::registry::backup_service_client::BackupServiceClient;
use hubshift_api::pb::registry::connection_service_client::ConnectionServiceClient;
use hubshift_api::pb::registry::device_service_client::DeviceServiceClient;
use hubshift_api::pb::registry::fence_service_client::FenceServiceClient;
use hubshift_api::pb::registry::replication_service_client::ReplicationServiceClient;
use hubshift_api::pb::registry::task::Result as Outcome;
use hubshift_api::pb::types::StepContext;
use hubshift_emulator::{Options, Running as Emulator};
use hubshift_registry_sync::{Config, Running, start};
use hubshift_shell::grpc::{Endpoint, GrpcChannel, channel};
use hubshift_testkit::eventually;
use hubshift_testkit::pg::{Database, Role};
use sqlx::PgPool;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use uuid::Uuid;

use hubs::Hub;

/// How long a test waits for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// The epoch in which east reigns at first; the next one is west's.
pub(crate) const EAST_REIGNS: i64 = 1024;
pub(crate) const WEST_REIGNS: i64 = 2049;

/// What a delivery of events must show.
pub(crate) const EVENTS_KEY: &str = "canary-of-events";

/// A fleet `acme`: `east` is active, `west` is its standby.
pub(crate) struct World {
    pub(crate) admin: PgPool,
    pub(crate) east: Hub,
    pub(crate) west: Hub,
    pub(crate) replication: ReplicationServiceClient<GrpcChannel>,
    pub(crate) connections: ConnectionServiceClient<GrpcChannel>,
    pub(crate) devices: DeviceServiceClient<GrpcChannel>,
    pub(crate) backups: BackupServiceClient<GrpcChannel>,
    pub(crate) adoptions: AdoptionServiceClient<GrpcChannel>,
    pub(crate) fences: FenceServiceClient<GrpcChannel>,
    pub(crate) attachments: AttachmentServiceClient<GrpcChannel>,
    pub(crate) files: TempDir,
    service: Running,
    cancel: CancellationToken,
    _database: Database,
}

impl World {
    /// Both hubs are empty and connected. Passes run only when a test asks for them.
    pub(crate) async fn start() -> Self {
        Self::start_with_config("").await
    }

    /// The same, with more at the end of the service's configuration.
    pub(crate) async fn start_with_config(more: &str) -> Self {
        Self::start_as(1.0, more, |east| east, |west| west).await
    }

    /// As [`World::start`], with hubs of other options, whose quotas are counted by a clock that is
    /// so much faster.
    pub(crate) async fn start_with(
        budget_speed: f64,
        east: impl FnOnce(Options) -> Options,
        west: impl FnOnce(Options) -> Options,
    ) -> Self {
        Self::start_as(budget_speed, "", east, west).await
    }

    async fn start_as(
        budget_speed: f64,
        more: &str,
        east: impl FnOnce(Options) -> Options,
        west: impl FnOnce(Options) -> Options,
    ) -> Self {
        let database = Database::fresh().await.unwrap();
        let admin = database.connect(Role::Superuser).await.unwrap();
        let files = tempfile::tempdir().unwrap();
        authority::reign(&admin).await;
        let cancel = CancellationToken::new();
        let config = config(&database.registry_url(), files.path(), budget_speed, more);
        let service = start(config, cancel.clone()).await.unwrap();
        let endpoint = Endpoint {
            url: format!("http://{}", service.grpc_addr),
            tls: None,
            timeout: PATIENCE,
        };
        let channel = channel(&endpoint).unwrap();
        // The sync's first look is over: the next one is an hour away.
        serves(&channel).await;
        let world = Self {
            admin,
            east: Hub::start_with("east", files.path(), east).await,
            west: Hub::start_with("west", files.path(), west).await,
            replication: ReplicationServiceClient::new(channel.clone()),
            connections: ConnectionServiceClient::new(channel.clone()),
            devices: DeviceServiceClient::new(channel.clone()),
            backups: BackupServiceClient::new(channel.clone()),
            adoptions: AdoptionServiceClient::new(channel.clone()),
            fences: FenceServiceClient::new(channel.clone()),
            attachments: AttachmentServiceClient::new(channel),
            files,
            service,
            cancel,
            _database: database,
        };
        world.connect("east", &world.east.running).await.unwrap();
        world.connect("west", &world.west.running).await.unwrap();
        world
    }

    /// Where a hub's events are delivered.
    pub(crate) fn events_url(&self, hub: &str) -> String {
        let addr = self.service.events_addr.unwrap();
        format!("http://{addr}/v1/fleets/acme/hubs/{hub}/events")
    }

    /// Says where a hub is, and tells the service how to reach it.
    pub(crate) async fn connect(
        &self,
        name: &str,
        hub: &Emulator,
    ) -> Result<pb::Connection, Status> {
        sqlx::query(
            "insert into concierge.hub
                 (fleet_id, hub_id, hub_index, region, host, admission_per_second)
             select fleet_id, hub_id, hub_index, '', $2, 1 from authority.hub
              where fleet_id = 'acme' and hub_id = $1
             on conflict on constraint concierge_hub_pk do update set host = excluded.host",
        )
        .bind(name)
        .bind(&hub.host)
        .execute(&self.admin)
        .await
        .unwrap();
        let connection = pb::Connection {
            name: format!("fleets/acme/hubs/{name}/connection"),
            ..self.secrets(name, hub)
        };
        self.update_connection(connection).await
    }

    /// A connection without a name, whose files have this one.
    pub(crate) fn secrets(&self, name: &str, hub: &Emulator) -> pb::Connection {
        let secret = self.files.path().join(format!("{name}.secret"));
        let ca = self.files.path().join(format!("{name}.pem"));
        std::fs::write(&secret, hub.connection_string().expose()).unwrap();
        std::fs::write(&ca, &hub.ca_pem).unwrap();
        pb::Connection {
            secret_ref: format!("file:{}", secret.display()),
            ca_ref: format!("file:{}", ca.display()),
            ..pb::Connection::default()
        }
    }

    pub(crate) async fn update_connection(
        &self,
        connection: pb::Connection,
    ) -> Result<pb::Connection, Status> {
        let request = pb::UpdateConnectionRequest {
            connection: Some(connection),
            request_id: Uuid::new_v4().to_string(),
            skip_test: false,
        };
        let answer = self.connections.clone().update_connection(request).await?;
        Ok(answer.into_inner())
    }

    /// A pass from east to west, to its end.
    pub(crate) async fn pass(&self, full: bool) -> pb::PassResult {
        match self.run_pass(full).await.result {
            Some(Outcome::Pass(result)) => result,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn run_pass(&self, full: bool) -> pb::Task {
        self.run_pass_to("west", full).await
    }

    /// A pass from the active hub to a standby.
    pub(crate) async fn run_pass_to(&self, target: &str, full: bool) -> pb::Task {
        let request = pb::StartPassRequest {
            full,
            ..start_pass(target)
        };
        self.run_pass_as(request).await
    }

    pub(crate) async fn run_pass_as(&self, request: pb::StartPassRequest) -> pb::Task {
        let task = self.replication.clone().start_pass(request).await.unwrap();
        self.finished(task.into_inner()).await
    }

    /// What a pass to a standby would do.
    pub(crate) async fn plan(&self, target: &str) -> Result<pb::PassPlan, Status> {
        let request = pb::PlanPassRequest {
            fleet: "fleets/acme".into(),
            target_hub: target.into(),
        };
        let answer = self.replication.clone().plan_pass(request).await?;
        Ok(answer.into_inner())
    }

    /// A comparison of east and west by fresh reads.
    pub(crate) async fn verify(&self) -> pb::VerifyResult {
        let request = pb::StartVerifyRequest {
            fleet: "fleets/acme".into(),
            source_hub: "east".into(),
            target_hub: "west".into(),
            request_id: Uuid::new_v4().to_string(),
            full: true,
            ..pb::StartVerifyRequest::default()
        };
        let task = self
            .replication
            .clone()
            .start_verify(request)
            .await
            .unwrap();
        match self.finished(task.into_inner()).await.result {
            Some(Outcome::Verify(result)) => result,
            other => panic!("{other:?}"),
        }
    }

    /// A scan of one hub that looks for signs of an older state.
    pub(crate) async fn scan(&self, hub: &str) -> pb::ScanResult {
        let request = pb::StartScanRequest {
            fleet: "fleets/acme".into(),
            hub: hub.into(),
            request_id: Uuid::new_v4().to_string(),
            detect_rewind: true,
        };
        let task = self.replication.clone().start_scan(request).await.unwrap();
        match self.finished(task.into_inner()).await.result {
            Some(Outcome::Scan(result)) => result,
            other => panic!("{other:?}"),
        }
    }

    /// A task when it is over.
    pub(crate) async fn finished(&self, task: pb::Task) -> pb::Task {
        let last = std::sync::Mutex::new(task.clone());
        let (name, seen) = (&task.name, &last);
        let is_done = || async move {
            let request = pb::GetTaskRequest { name: name.clone() };
            let now = self
                .replication
                .clone()
                .get_task(request)
                .await
                .unwrap()
                .into_inner();
            let done = now.done;
            *seen.lock().unwrap() = now;
            done
        };
        let done = eventually(PATIENCE, is_done).await;
        let last = last.lock().unwrap().clone();
        assert!(done, "not over: {last:?}");
        last
    }

    /// How the fleet's hubs stand.
    pub(crate) async fn status(&self) -> pb::ReplicationStatus {
        let request = pb::GetReplicationStatusRequest {
            fleet: "fleets/acme".into(),
        };
        self.replication
            .clone()
            .get_replication_status(request)
            .await
            .unwrap()
            .into_inner()
    }

    /// How one hub stands.
    pub(crate) async fn status_of(&self, hub: &str) -> pb::HubStatus {
        let status = self.status().await;
        status
            .hubs
            .into_iter()
            .find(|status| status.hub == hub)
            .unwrap()
    }

    /// Says what a hub is to the fleet.
    pub(crate) async fn set_state(&self, hub: &str, state: &str) {
        sqlx::query("update authority.hub set state = $2 where fleet_id = 'acme' and hub_id = $1")
            .bind(hub)
            .bind(state)
            .execute(&self.admin)
            .await
            .unwrap();
    }

    /// A third hub, `north`, that has yet to follow the active one.
    pub(crate) async fn new_standby(&self) -> Hub {
        sqlx::query(
            "insert into authority.hub (fleet_id, hub_id, hub_index, state, call_deadline_ms)
             values ('acme', 'north', 2, 'syncing', 6000)",
        )
        .execute(&self.admin)
        .await
        .unwrap();
        let north = Hub::start("north", self.files.path()).await;
        self.connect("north", &north.running).await.unwrap();
        north
    }

    /// Stops in order, and everything with it.
    pub(crate) async fn stop(self) {
        self.cancel.cancel();
        self.service.task.await.unwrap().unwrap();
    }
}

/// A pass from the active hub to a standby, to be asked for.
pub(crate) fn start_pass(target: &str) -> pb::StartPassRequest {
    pb::StartPassRequest {
        fleet: "fleets/acme".into(),
        target_hub: target.into(),
        request_id: Uuid::new_v4().to_string(),
        ..pb::StartPassRequest::default()
    }
}

/// The step of a failover, as its executor says it.
pub(crate) fn step(lease_gen: i64, epoch: i64) -> StepContext {
    StepContext {
        operation: "fleets/acme/failovers/f-1".into(),
        step: "drain".into(),
        lease_gen,
        epoch: u64::try_from(epoch).unwrap(),
    }
}

async fn serves(channel: &GrpcChannel) {
    let ask = || async {
        let request = HealthCheckRequest::default();
        let answer = HealthClient::new(channel.clone()).check(request).await;
        answer.is_ok_and(|answer| answer.get_ref().status() == ServingStatus::Serving)
    };
    assert!(eventually(PATIENCE, ask).await, "it does not come up");
}

/// Keys and backup stores, `east` and `west`, are below `files`.
fn config(database_url: &str, files: &Path, budget_speed: f64, more: &str) -> Config {
    let text = format!(
        "listen = '127.0.0.1:0'
         database_url = '{database_url}'
         kek = 'file:{0}/kek'
         backup_key = 'file:{0}/kek.age'
         backup_stores = [
             {{ name = 'east', url = 'file://{0}/store-east' }},
             {{ name = 'west', url = 'file://{0}/store-west' }},
         ]
         create_keys = true
         sync_interval = '1h'
         connect_timeout = '5s'
         hub_budget_speed = {budget_speed:?}
         events = {{ listen = '127.0.0.1:0', key = 'file:{0}/events.key' }}
         {more}",
        files.display()
    );
    std::fs::write(files.join("events.key"), EVENTS_KEY).unwrap();
    toml::from_str(&text).unwrap()
}
