//! registry-sync as the tests want it: two hubs in memory, scanned, compared and written under the
//! conditions of the real one, with faults on demand.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};

use futures::Stream;
use hubshift_api::fault;
use hubshift_api::pb::registry as r;
use hubshift_api::pb::registry::apply_result::Outcome;
use hubshift_api::pb::registry::replication_service_server::{
    ReplicationService, ReplicationServiceServer,
};
use hubshift_api::pb::types::{Failure, StepContext, TaskState};
use hubshift_api::records::{SealedSide, from_side_state, side_state};
use hubshift_domain::identity::Fingerprint;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Code, Request, Response, Status};
use uuid::Uuid;

use crate::records::{bytes, print, shown};

/// What is known of one device.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) base: SealedSide,
    pub(crate) primary: SealedSide,
    pub(crate) secondary: SealedSide,
}

/// registry-sync. Clones share its state.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hubs(Arc<Mutex<Script>>);

/// What it knows, what it shall do, and what it heard.
#[derive(Debug, Default)]
pub(crate) struct Script {
    pub(crate) devices: BTreeMap<String, Known>,
    /// Whether the recovered hub came back from an older state.
    pub(crate) rewound: bool,
    /// Scans are not done before the test says so.
    pub(crate) scans_held: bool,
    /// Scans give up with this reason.
    pub(crate) scan_failure: Option<&'static str>,
    /// Devices that a hub refuses.
    pub(crate) refused: BTreeSet<String>,
    /// Written at the active hub by somebody else before the first batch.
    pub(crate) surprise: Option<(String, SealedSide)>,
    /// Written as merged at the recovered hub, and then found as this at the active one, once.
    pub(crate) overtaken: Option<(String, SealedSide)>,
    /// Batches that are answered before the service seems down; `None` for all.
    pub(crate) batches_left: Option<u32>,
    /// At most so many items of a batch are done; the others' outcome is not known.
    pub(crate) batch_size: Option<usize>,
    /// Writes that were made: device and hub.
    pub(crate) writes: Vec<(String, &'static str)>,
    /// Contexts of batches.
    pub(crate) contexts: Vec<StepContext>,
    tasks: BTreeMap<String, String>,
}

impl Hubs {
    pub(crate) fn script(&self) -> MutexGuard<'_, Script> {
        self.0.lock().unwrap()
    }

    /// Puts a device at the three places.
    pub(crate) fn put(&self, device: &str, base: SealedSide, p: SealedSide, s: SealedSide) {
        let known = Known {
            base,
            primary: p,
            secondary: s,
        };
        self.script().devices.insert(device.to_owned(), known);
    }

    /// Serves on a free port until the process ends.
    pub(crate) async fn serve(&self) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tonic::transport::Server::builder()
            .add_service(ReplicationServiceServer::new(self.clone()))
            .serve_with_incoming(TcpListenerStream::new(listener));
        tokio::spawn(server);
        address
    }
}

impl Script {
    fn side(&self, device: &str, hub: &str) -> &SealedSide {
        let known = &self.devices[device];
        if hub == "east" {
            &known.primary
        } else {
            &known.secondary
        }
    }

    /// Whether it is a module of a device that the hub has disabled.
    fn is_out_of_reach(&self, key: &str, hub: &str) -> bool {
        let Some((device, _)) = key.split_once('/') else {
            return false;
        };
        self.devices.contains_key(device)
            && self
                .side(device, hub)
                .side
                .live()
                .is_some_and(|live| !live.is_effectively_enabled())
    }

    fn digest(&self, hub: &str) -> String {
        let prints = self
            .devices
            .keys()
            .filter(|device| !self.is_out_of_reach(device, hub))
            .map(|device| print(device, self.side(device, hub)));
        let all = prints
            .flatten()
            .fold(Fingerprint::default(), Fingerprint::xor);
        all.to_string()
    }

    fn scan(&self, hub: &str) -> r::ScanResult {
        let held = || {
            let all = self.devices.keys();
            all.filter(|device| self.side(device, hub).side.live().is_some())
        };
        r::ScanResult {
            snapshot: Uuid::new_v4().to_string(),
            scanned_count: held().count() as u64,
            device_count: held().filter(|key| !key.contains('/')).count() as u64,
            rewound: self.rewound && hub == "east",
            rewound_evidence: if self.rewound {
                "2 twins went back".into()
            } else {
                String::new()
            },
            digest: self.digest(hub),
        }
    }

    fn look(&self, name: &str) -> Option<r::Task> {
        let hub = self.tasks.get(name)?;
        let mut task = r::Task {
            name: name.to_owned(),
            kind: "scan".into(),
            state: TaskState::Running.into(),
            ..r::Task::default()
        };
        if self.scans_held {
            return Some(task);
        }
        task.done = true;
        match self.scan_failure {
            Some(reason) => {
                task.state = TaskState::Failed.into();
                let message = "it does not answer".to_owned();
                task.failure = Some(Failure {
                    reason: reason.into(),
                    message,
                });
            }
            None => {
                task.state = TaskState::Succeeded.into();
                task.result = Some(r::task::Result::Scan(self.scan(hub)));
            }
        }
        Some(task)
    }

    fn differing(&self) -> Vec<r::StreamDivergenceResponse> {
        let devices = self.devices.iter().filter(|(_, known)| {
            let all = [&known.base, &known.primary, &known.secondary];
            let equal = all.iter().all(|side| side.side.same(&known.base.side));
            !equal || known.base.side.is_held()
        });
        let message = |(device, known): (&String, &Known)| r::StreamDivergenceResponse {
            device: device.clone(),
            base: Some(side_state(&shown(device, &known.base))),
            primary: Some(side_state(&shown(device, &known.primary))),
            secondary: Some(side_state(&shown(device, &known.secondary))),
            out_of_reach: ["east", "west"]
                .into_iter()
                .any(|hub| self.is_out_of_reach(device, hub)),
        };
        devices.map(message).collect()
    }

    fn apply(&mut self, item: &r::ApplyItem) -> (Outcome, String) {
        let device = item.device.as_str();
        if self.refused.contains(device) {
            return (Outcome::Rejected, "the hub said no".into());
        }
        if ["east", "west"]
            .into_iter()
            .any(|hub| self.is_out_of_reach(device, hub))
        {
            return (Outcome::Stale, "its device is disabled".into());
        }
        let merged = from_side_state(item.merged.as_ref().unwrap()).unwrap();
        let overtaken = self.overtaken.take_if(|(name, _)| name.as_str() == device);
        if let Some((_, side)) = overtaken {
            let known = self.devices.get_mut(device).unwrap();
            (known.primary, known.secondary) = (merged, side);
            return (Outcome::Stale, "it changed meanwhile at west".into());
        }
        let post = bytes(print(device, &merged));
        let befores = [
            ("east", &item.primary_before),
            ("west", &item.secondary_before),
        ];
        let mut due = Vec::new();
        for (hub, before) in befores {
            let now = bytes(print(device, self.side(device, hub)));
            match now {
                now if now == post => {}
                now if now == before[..] => due.push(hub),
                _ => return (Outcome::Stale, format!("it moved at {hub}")),
            }
        }
        for hub in &due {
            self.writes.push((device.to_owned(), hub));
        }
        let known = Known {
            base: merged.clone(),
            primary: merged.clone(),
            secondary: merged,
        };
        self.devices.insert(device.to_owned(), known);
        (
            if due.is_empty() {
                Outcome::Already
            } else {
                Outcome::Applied
            },
            String::new(),
        )
    }

    fn batch(&mut self, items: &[r::ApplyItem]) -> Vec<r::ApplyResult> {
        let size = self.batch_size.unwrap_or(usize::MAX);
        let items = items.iter().enumerate();
        let results = items.map(|(number, item)| {
            let (outcome, detail) = match number < size {
                true => self.apply(item),
                false => (Outcome::Unknown, "not now".to_owned()),
            };
            let is_there = matches!(outcome, Outcome::Applied | Outcome::Already);
            let shown = is_there.then(|| print(&item.device, self.side(&item.device, "east")));
            r::ApplyResult {
                device: item.device.clone(),
                outcome: outcome.into(),
                detail,
                print: bytes(shown.flatten()).into(),
            }
        });
        results.collect()
    }
}

fn not_played() -> Status {
    fault::status(Code::Unimplemented, "NOT_PLAYED", "no test needs it")
}

type Boxed<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl ReplicationService for Hubs {
    async fn get_replication_status(
        &self,
        _: Request<r::GetReplicationStatusRequest>,
    ) -> Result<Response<r::ReplicationStatus>, Status> {
        Err(not_played())
    }

    async fn start_pass(
        &self,
        _: Request<r::StartPassRequest>,
    ) -> Result<Response<r::Task>, Status> {
        Err(not_played())
    }

    async fn plan_pass(
        &self,
        _: Request<r::PlanPassRequest>,
    ) -> Result<Response<r::PassPlan>, Status> {
        Err(not_played())
    }

    async fn start_scan(
        &self,
        request: Request<r::StartScanRequest>,
    ) -> Result<Response<r::Task>, Status> {
        let message = request.into_inner();
        let name = format!("{}/tasks/{}", message.fleet, message.request_id);
        let mut script = self.script();
        script.tasks.insert(name.clone(), message.hub);
        let task = script.look(&name).ok_or_else(not_played)?;
        Ok(Response::new(task))
    }

    async fn start_verify(
        &self,
        _: Request<r::StartVerifyRequest>,
    ) -> Result<Response<r::Task>, Status> {
        Err(not_played())
    }

    async fn start_drain(
        &self,
        _: Request<r::StartDrainRequest>,
    ) -> Result<Response<r::Task>, Status> {
        Err(not_played())
    }

    async fn start_replay(
        &self,
        _: Request<r::StartReplayRequest>,
    ) -> Result<Response<r::Task>, Status> {
        Err(not_played())
    }

    async fn get_task(
        &self,
        request: Request<r::GetTaskRequest>,
    ) -> Result<Response<r::Task>, Status> {
        let gone = || fault::status(Code::NotFound, "TASK_NOT_FOUND", "no such task");
        let task = self.script().look(&request.get_ref().name);
        task.map(Response::new).ok_or_else(gone)
    }

    async fn list_tasks(
        &self,
        _: Request<r::ListTasksRequest>,
    ) -> Result<Response<r::ListTasksResponse>, Status> {
        Err(not_played())
    }

    type StreamDivergenceStream = Boxed<r::StreamDivergenceResponse>;

    async fn stream_divergence(
        &self,
        _: Request<r::StreamDivergenceRequest>,
    ) -> Result<Response<Self::StreamDivergenceStream>, Status> {
        let found: Vec<_> = self.script().differing().into_iter().map(Ok).collect();
        Ok(Response::new(Box::pin(futures::stream::iter(found))))
    }

    async fn apply_batch(
        &self,
        request: Request<r::ApplyBatchRequest>,
    ) -> Result<Response<r::ApplyBatchResponse>, Status> {
        let message = request.into_inner();
        let mut script = self.script();
        if let Some(left) = &mut script.batches_left {
            if *left == 0 {
                return Err(Status::unavailable("down"));
            }
            *left -= 1;
        }
        if let Some((device, side)) = script.surprise.take() {
            script.devices.get_mut(&device).unwrap().secondary = side;
        }
        script.contexts.extend(message.context);
        let results = script.batch(&message.items);
        Ok(Response::new(r::ApplyBatchResponse { results }))
    }
}
