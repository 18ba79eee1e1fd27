//! The operator's hand in the demo: starts moves and merges over the public APIs and waits for
//! them, through restarts of the services.

use std::future::Future;
use std::time::Duration;

use anyhow::{Context as _, bail};
use hubshift_api::pb::concierge::failover_service_client::FailoverServiceClient;
use hubshift_api::pb::concierge::fleet_service_client::FleetServiceClient;
use hubshift_api::pb::merge::merge_service_client::MergeServiceClient;
use hubshift_api::pb::registry::replication_service_client::ReplicationServiceClient;
use hubshift_api::pb::{concierge, merge, registry, types};
use hubshift_shell::grpc::GrpcChannel;
use tokio::time::{Instant, sleep};
use tonic::{Code, Response, Status};
use uuid::Uuid;

use crate::world::World;

/// How long the operator waits for one move, merge or sync.
const PATIENCE: Duration = Duration::from_secs(120);

/// Clients of the services, as an operator's tool has them.
#[derive(Clone)]
pub(crate) struct Operator {
    fleet: String,
    fleets: FleetServiceClient<GrpcChannel>,
    failovers: FailoverServiceClient<GrpcChannel>,
    replication: ReplicationServiceClient<GrpcChannel>,
    merges: MergeServiceClient<GrpcChannel>,
}

/// Repeats a call while the service is unavailable: a restart takes a moment. The request, with
/// its `request_id`, stays the same.
pub(crate) async fn retried<T, F>(call: impl Fn() -> F) -> Result<T, Status>
where
    F: Future<Output = Result<Response<T>, Status>>,
{
    let started = Instant::now();
    loop {
        match call().await {
            Ok(response) => return Ok(response.into_inner()),
            Err(status) if is_passing(&status) && started.elapsed() < Duration::from_secs(30) => {
                sleep(Duration::from_millis(100)).await;
            }
            Err(status) => return Err(status),
        }
    }
}

/// Whether the call may be repeated as it is. A process that was killed cuts its streams off,
/// which shows as any of these.
fn is_passing(status: &Status) -> bool {
    matches!(
        status.code(),
        Code::Unavailable | Code::Cancelled | Code::DeadlineExceeded
    ) || (status.code() == Code::Unknown && hubshift_api::fault::reason(status).is_empty())
        || (status.code() == Code::Internal && hubshift_api::fault::reason(status).is_empty())
}

impl Operator {
    /// Connects to the world's services.
    pub(crate) fn of(world: &World) -> anyhow::Result<Self> {
        Ok(Self {
            fleet: format!("fleets/{}", crate::world::FLEET),
            fleets: FleetServiceClient::new(world.concierge()?),
            failovers: FailoverServiceClient::new(world.concierge()?),
            replication: ReplicationServiceClient::new(world.registry()?),
            merges: MergeServiceClient::new(world.merge()?),
        })
    }

    /// The fleet as it is.
    pub(crate) async fn fleet(&self) -> anyhow::Result<concierge::Fleet> {
        let request = concierge::GetFleetRequest {
            name: self.fleet.clone(),
        };
        let call = || {
            let (mut client, request) = (self.fleets.clone(), request.clone());
            async move { client.get_fleet(request).await }
        };
        Ok(retried(call).await?)
    }

    /// Waits until a hub is in a state.
    pub(crate) async fn wait_for_hub(
        &self,
        hub: &str,
        state: types::HubState,
    ) -> anyhow::Result<()> {
        let started = Instant::now();
        loop {
            let fleet = self.fleet().await?;
            let name = format!("{}/hubs/{hub}", self.fleet);
            let now = fleet
                .hubs
                .iter()
                .find(|known| known.name == name)
                .map(|known| known.state());
            if now == Some(state) {
                return Ok(());
            }
            if started.elapsed() > PATIENCE {
                bail!("hub {hub} is {now:?}, and not {state:?} after {PATIENCE:?}");
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// A pass to a standby, and its result.
    pub(crate) async fn sync(&self, target: &str) -> anyhow::Result<registry::PassResult> {
        let request = registry::StartPassRequest {
            fleet: self.fleet.clone(),
            target_hub: target.into(),
            full: false,
            request_id: Uuid::now_v7().to_string(),
            context: None,
            accept_source: false,
        };
        let call = || {
            let (mut client, request) = (self.replication.clone(), request.clone());
            async move { client.start_pass(request).await }
        };
        let task = self.wait_for_task(retried(call).await?).await?;
        match task.result {
            Some(registry::task::Result::Pass(pass)) => Ok(pass),
            _ => bail!("the pass to {target} failed: {}", failure(task.failure)),
        }
    }

    /// A comparison of two hubs by fresh reads.
    pub(crate) async fn verify(
        &self,
        source: &str,
        target: &str,
    ) -> anyhow::Result<registry::VerifyResult> {
        let request = registry::StartVerifyRequest {
            fleet: self.fleet.clone(),
            source_hub: source.into(),
            target_hub: target.into(),
            request_id: Uuid::now_v7().to_string(),
            ..Default::default()
        };
        let call = || {
            let (mut client, request) = (self.replication.clone(), request.clone());
            async move { client.start_verify(request).await }
        };
        let task = self.wait_for_task(retried(call).await?).await?;
        match task.result {
            Some(registry::task::Result::Verify(verify)) => Ok(verify),
            _ => bail!("the verification failed: {}", failure(task.failure)),
        }
    }

    async fn wait_for_task(&self, mut task: registry::Task) -> anyhow::Result<registry::Task> {
        let started = Instant::now();
        while !task.done {
            if started.elapsed() > PATIENCE {
                bail!(
                    "task {} is still at {} after {PATIENCE:?}",
                    task.name,
                    task.step
                );
            }
            sleep(Duration::from_millis(100)).await;
            let request = registry::GetTaskRequest {
                name: task.name.clone(),
            };
            let call = || {
                let (mut client, request) = (self.replication.clone(), request.clone());
                async move { client.get_task(request).await }
            };
            task = retried(call).await?;
        }
        Ok(task)
    }

    /// The plan of a move; changes nothing.
    pub(crate) async fn plan(
        &self,
        kind: concierge::FailoverKind,
        from: &str,
        to: &str,
    ) -> anyhow::Result<concierge::FailoverPlan> {
        let request = self.request(kind, from, to, true, String::new());
        let call = || {
            let (mut client, request) = (self.failovers.clone(), request.clone());
            async move { client.start_failover(request).await }
        };
        retried(call)
            .await?
            .plan
            .context("the concierge sent no plan")
    }

    /// Starts a move.
    pub(crate) async fn start(
        &self,
        kind: concierge::FailoverKind,
        from: &str,
        to: &str,
        acknowledge: String,
    ) -> anyhow::Result<concierge::Failover> {
        let request = self.request(kind, from, to, false, acknowledge);
        let call = || {
            let (mut client, request) = (self.failovers.clone(), request.clone());
            async move { client.start_failover(request).await }
        };
        Ok(retried(call).await?)
    }

    fn request(
        &self,
        kind: concierge::FailoverKind,
        from: &str,
        to: &str,
        validate_only: bool,
        acknowledge_loss_bound: String,
    ) -> concierge::StartFailoverRequest {
        concierge::StartFailoverRequest {
            fleet: self.fleet.clone(),
            kind: kind.into(),
            expected_active_hub: from.into(),
            target_hub: to.into(),
            request_id: Uuid::now_v7().to_string(),
            validate_only,
            acknowledge_loss_bound,
            override_checks: false,
            supersede: String::new(),
        }
    }

    /// A move as it is.
    pub(crate) async fn failover(&self, name: &str) -> anyhow::Result<concierge::Failover> {
        let request = concierge::GetFailoverRequest {
            name: name.to_owned(),
        };
        let call = || {
            let (mut client, request) = (self.failovers.clone(), request.clone());
            async move { client.get_failover(request).await }
        };
        Ok(retried(call).await?)
    }

    /// Waits for the end of a move, telling each new step.
    pub(crate) async fn finish(
        &self,
        name: &str,
        mut tell: impl FnMut(&concierge::Failover),
    ) -> anyhow::Result<concierge::Failover> {
        let started = Instant::now();
        let mut step = String::new();
        loop {
            let failover = self.failover(name).await?;
            if failover.step != step {
                step.clone_from(&failover.step);
                tell(&failover);
            }
            if failover.done {
                if failover.state() != types::TaskState::Succeeded {
                    bail!("{name} ended badly: {}", failure(failover.failure));
                }
                return Ok(failover);
            }
            if started.elapsed() > PATIENCE {
                bail!("{name} is still at {step} after {PATIENCE:?}");
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Plans a merge and waits until it can be reviewed.
    pub(crate) async fn plan_merge(
        &self,
        recovered: &str,
        sources: Vec<String>,
    ) -> anyhow::Result<merge::Merge> {
        let request = merge::PlanMergeRequest {
            fleet: self.fleet.clone(),
            recovered_hub: recovered.into(),
            request_id: Uuid::now_v7().to_string(),
            metadata_sources: sources,
        };
        let call = || {
            let (mut client, request) = (self.merges.clone(), request.clone());
            async move { client.plan_merge(request).await }
        };
        let merge = retried(call).await?;
        self.wait_for_merge(&merge.name, merge::MergeState::Planned)
            .await
    }

    /// A merge as it is.
    pub(crate) async fn merge(&self, name: &str) -> anyhow::Result<merge::Merge> {
        let request = merge::GetMergeRequest {
            name: name.to_owned(),
        };
        let call = || {
            let (mut client, request) = (self.merges.clone(), request.clone());
            async move { client.get_merge(request).await }
        };
        Ok(retried(call).await?)
    }

    /// Every merge of the fleet.
    pub(crate) async fn merges(&self) -> anyhow::Result<Vec<merge::Merge>> {
        let request = merge::ListMergesRequest {
            parent: self.fleet.clone(),
            page_size: 1000,
            page_token: String::new(),
        };
        let call = || {
            let (mut client, request) = (self.merges.clone(), request.clone());
            async move { client.list_merges(request).await }
        };
        Ok(retried(call).await?.merges)
    }

    /// Waits until a merge is in a state.
    pub(crate) async fn wait_for_merge(
        &self,
        name: &str,
        state: merge::MergeState,
    ) -> anyhow::Result<merge::Merge> {
        let started = Instant::now();
        loop {
            let merge = self.merge(name).await?;
            if merge.state() == state {
                return Ok(merge);
            }
            if merge.state() == merge::MergeState::Failed || started.elapsed() > PATIENCE {
                let why = failure(merge.failure.clone());
                bail!("{name} is {:?} instead of {state:?}: {why}", merge.state());
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Every conflict of the fleet.
    pub(crate) async fn conflicts(&self) -> anyhow::Result<Vec<merge::Conflict>> {
        let mut request = merge::ListConflictsRequest {
            parent: self.fleet.clone(),
            page_size: 1000,
            ..Default::default()
        };
        let mut conflicts = Vec::new();
        loop {
            let call = || {
                let (mut client, request) = (self.merges.clone(), request.clone());
                async move { client.list_conflicts(request).await }
            };
            let page = retried(call).await?;
            conflicts.extend(page.conflicts);
            if page.next_page_token.is_empty() {
                return Ok(conflicts);
            }
            request.page_token = page.next_page_token;
        }
    }

    /// Decides a conflict.
    pub(crate) async fn resolve(&self, name: &str, choice: merge::Choice) -> anyhow::Result<()> {
        let request = merge::ResolveConflictRequest {
            name: name.to_owned(),
            choice: choice.into(),
            resolver: "the demo's operator".into(),
            request_id: Uuid::now_v7().to_string(),
        };
        let call = || {
            let (mut client, request) = (self.merges.clone(), request.clone());
            async move { client.resolve_conflict(request).await }
        };
        retried(call).await?;
        Ok(())
    }

    /// Starts the apply of the plan that was reviewed.
    pub(crate) async fn apply(&self, merge: &merge::Merge) -> anyhow::Result<()> {
        let request = merge::ApplyMergeRequest {
            name: merge.name.clone(),
            plan_id: merge.plan_id.clone(),
            // The demo's fleet is small: a handful of its devices trips a breaker by percent.
            override_breakers: true,
            request_id: Uuid::now_v7().to_string(),
        };
        let call = || {
            let (mut client, request) = (self.merges.clone(), request.clone());
            async move { client.apply_merge(request).await }
        };
        retried(call).await?;
        Ok(())
    }
}

fn failure(failure: Option<types::Failure>) -> String {
    failure.map_or_else(
        || "no reason given".into(),
        |f| format!("{} ({})", f.message, f.reason),
    )
}
