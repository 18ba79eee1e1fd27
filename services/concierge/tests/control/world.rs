//! A concierge on a database of its own, and what a test does with it.

use std::time::Duration;

use hubshift_api::pb::concierge::failover_service_client::FailoverServiceClient;
use hubshift_api::pb::concierge::fleet_service_client::FleetServiceClient;
use hubshift_api::pb::concierge::{
    CancelFailoverRequest, CreateFleetRequest, Failover, FailoverKind, Fleet, GetFailoverRequest,
    GetFleetRequest, Hub, StartFailoverRequest,
};
use hubshift_api::pb::types::HubState;
use hubshift_concierge::{Config, Running, start};
use hubshift_testkit::eventually;
use hubshift_testkit::pg::Database;
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::transport::Channel;
use uuid::Uuid;

use crate::fakes::Below;

/// No test waits longer for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A world of one concierge.
pub(crate) struct World {
    pub(crate) database: Database,
    pub(crate) below: Below,
    pub(crate) concierge: Concierge,
    pub(crate) below_url: String,
}

/// A running concierge and its clients.
pub(crate) struct Concierge {
    pub(crate) fleets: FleetServiceClient<Channel>,
    pub(crate) failovers: FailoverServiceClient<Channel>,
    pub(crate) running: Running,
    cancel: CancellationToken,
    pub(crate) data: tempfile::TempDir,
}

impl Concierge {
    /// Stops it, as a signal would.
    pub(crate) async fn stop(self) {
        self.cancel.cancel();
        self.running.task.await.unwrap().unwrap();
    }
}

/// A configuration with fast limits; nothing listens at `below` when it is a closed port.
pub(crate) fn config(database_url: &str, below: &str, data: &std::path::Path) -> Config {
    toml::from_str(&format!(
        r#"
        public_listen = "127.0.0.1:0"
        operator_listen = "127.0.0.1:0"
        database_url = "{database_url}"
        data_dir = "{}"
        registry_url = "{below}"
        merge_url = "{below}"
        refresh = "50ms"
        reconcile = "50ms"
        clock_bound = "10ms"
        publish_deadline = "5s"
        freeze_timeout = "1m"
        observe_timeout = "300ms"
        max_staleness = "5m"
        max_watchers = 1000
        "#,
        data.display()
    ))
    .unwrap()
}

/// Starts a concierge with a folder of its own.
pub(crate) async fn concierge(database_url: &str, below: &str) -> Concierge {
    concierge_in(tempfile::tempdir().unwrap(), database_url, below).await
}

/// Starts a concierge in a folder, with the keys that are there.
pub(crate) async fn concierge_in(
    data: tempfile::TempDir,
    database_url: &str,
    below: &str,
) -> Concierge {
    let cancel = CancellationToken::new();
    let config = config(database_url, below, data.path());
    let running = start(config, cancel.clone()).await.unwrap();
    let url = format!("http://{}", running.operator_addr);
    let channel = Channel::from_shared(url).unwrap().connect_lazy();
    Concierge {
        fleets: FleetServiceClient::new(channel.clone()),
        failovers: FailoverServiceClient::new(channel),
        running,
        cancel,
        data,
    }
}

/// The fleet that every test moves.
pub(crate) fn new_fleet(fleet: &str) -> CreateFleetRequest {
    let hub = |slug: &str| Hub {
        name: format!("fleets/{fleet}/hubs/{slug}"),
        host: format!("{slug}.{fleet}.test"),
        admission_per_second: 1_000,
        call_deadline: Some(millis(100)),
        ..Hub::default()
    };
    CreateFleetRequest {
        fleet_id: fleet.to_owned(),
        request_id: Uuid::new_v4().to_string(),
        fleet: Some(Fleet {
            home_hub: "east".into(),
            hubs: vec![hub("east"), hub("west")],
            poll_after: Some(millis(200)),
            ..Fleet::default()
        }),
    }
}

pub(crate) fn millis(ms: i32) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::from(ms / 1_000),
        nanos: ms % 1_000 * 1_000_000,
    }
}

impl World {
    /// A concierge with the fleet `acme`, active at east, west ready.
    pub(crate) async fn new() -> Self {
        let mut world = Self::empty().await;
        let fleet = world
            .concierge
            .fleets
            .create_fleet(new_fleet("acme"))
            .await
            .unwrap();
        world.below.script().verify_epoch = fleet.into_inner().epoch;
        world.until_hub("west", HubState::Ready).await;
        world
    }

    /// A concierge without a fleet.
    pub(crate) async fn empty() -> Self {
        let database = Database::fresh().await.unwrap();
        let below = Below::default();
        let below_url = format!("http://{}", below.serve().await);
        let concierge = concierge(&database.concierge_url(), &below_url).await;
        Self {
            database,
            below,
            concierge,
            below_url,
        }
    }

    /// Stops the concierge and starts another one on the same database.
    pub(crate) async fn replace_concierge(&mut self) {
        let next = concierge(&self.database.concierge_url(), &self.below_url).await;
        std::mem::replace(&mut self.concierge, next).stop().await;
    }

    pub(crate) async fn fleet(&self) -> Fleet {
        let request = GetFleetRequest {
            name: "fleets/acme".into(),
        };
        self.concierge
            .fleets
            .clone()
            .get_fleet(request)
            .await
            .unwrap()
            .into_inner()
    }

    pub(crate) async fn hub_state(&self, slug: &str) -> HubState {
        let fleet = self.fleet().await;
        let named = |hub: &&Hub| hub.name.ends_with(&format!("/{slug}"));
        fleet.hubs.iter().find(named).unwrap().state()
    }

    pub(crate) async fn until_hub(&self, slug: &str, state: HubState) {
        let there = eventually(PATIENCE, || async { self.hub_state(slug).await == state }).await;
        assert!(
            there,
            "{slug} is {:?}, not {state:?}",
            self.hub_state(slug).await
        );
    }

    pub(crate) async fn start(&self, request: StartFailoverRequest) -> Result<Failover, Status> {
        let started = self
            .concierge
            .failovers
            .clone()
            .start_failover(request)
            .await;
        started.map(tonic::Response::into_inner)
    }

    pub(crate) async fn get(&self, name: &str) -> Failover {
        let request = GetFailoverRequest {
            name: name.to_owned(),
        };
        self.concierge
            .failovers
            .clone()
            .get_failover(request)
            .await
            .unwrap()
            .into_inner()
    }

    pub(crate) async fn cancel(&self, name: &str) -> Result<Failover, Status> {
        let request_id = Uuid::new_v4().to_string();
        let request = CancelFailoverRequest {
            name: name.to_owned(),
            request_id,
        };
        let cancelled = self
            .concierge
            .failovers
            .clone()
            .cancel_failover(request)
            .await;
        cancelled.map(tonic::Response::into_inner)
    }

    /// Waits until the failover is over.
    pub(crate) async fn done(&self, name: &str) -> Failover {
        let over = eventually(PATIENCE, || async { self.get(name).await.done }).await;
        let failover = self.get(name).await;
        assert!(over, "still at {}: {:#?}", failover.step, failover.history);
        failover
    }

    /// Waits until the failover stands at a step.
    pub(crate) async fn until_step(&self, name: &str, step: &str) {
        let there = eventually(PATIENCE, || async { self.get(name).await.step == step }).await;
        let failover = self.get(name).await;
        assert!(
            there,
            "at {}, not {step}: {:#?}",
            failover.step, failover.history
        );
    }
}

/// A start from east to west.
pub(crate) fn order(kind: FailoverKind) -> StartFailoverRequest {
    StartFailoverRequest {
        fleet: "fleets/acme".into(),
        kind: kind.into(),
        expected_active_hub: "east".into(),
        target_hub: "west".into(),
        request_id: Uuid::new_v4().to_string(),
        ..StartFailoverRequest::default()
    }
}

/// The steps that came through, in order.
pub(crate) fn succeeded(failover: &Failover) -> Vec<&str> {
    let events = failover.history.iter();
    events
        .filter(|event| event.phase == "succeeded")
        .map(|event| event.step.as_str())
        .collect()
}
