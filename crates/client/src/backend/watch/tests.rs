//! Against concierges that follow a script.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use futures::{Stream, StreamExt as _, stream};
use hubshift_api::fault;
use hubshift_api::pb::concierge as pb;
use hubshift_api::pb::concierge::fleet_service_server::{FleetService, FleetServiceServer};
use hubshift_shell::{GrpcServer, Health};
use tokio::task::JoinHandle;
use tonic::{Request, Response};

use super::*;
use crate::backend::Endpoint;

type Item = Result<WatchFleetResponse, Status>;
type Items = Pin<Box<dyn Stream<Item = Item> + Send>>;

/// A concierge: each watch gets the next script, and then silence.
#[derive(Clone, Default)]
struct Fake {
    scripts: Arc<Mutex<VecDeque<Vec<Item>>>>,
    asked: Arc<Mutex<Vec<WatchFleetRequest>>>,
    /// How long it takes to answer.
    slowness: Duration,
}

/// A fake that runs.
struct Running {
    fake: Fake,
    concierge: Concierge,
    task: JoinHandle<std::io::Result<()>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Running {
    fn start(scripts: Vec<Vec<Item>>) -> Self {
        Self::slow(scripts, Duration::ZERO)
    }

    fn slow(scripts: Vec<Vec<Item>>, slowness: Duration) -> Self {
        let fake = Fake {
            scripts: Arc::new(Mutex::new(scripts.into())),
            asked: Arc::default(),
            slowness,
        };
        let service = FleetServiceServer::new(fake.clone());
        let router = GrpcServer::new(Health::new()).add(service).into_router();
        let listener = hubshift_shell::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let endpoint = Endpoint {
            url: format!("http://{}", listener.local_addr().unwrap()),
            tls: None,
            timeout: Duration::from_secs(5),
        };
        let never = tokio_util::sync::CancellationToken::new();
        let task = tokio::spawn(hubshift_shell::serve(listener, router, None, never));
        Self {
            fake,
            concierge: Concierge::new(&endpoint).unwrap(),
            task,
        }
    }

    /// The positions that watchers said they have.
    fn asked(&self) -> Vec<(u64, u64)> {
        let asked = self.fake.asked.lock().unwrap();
        asked.iter().map(|a| (a.epoch, a.revision)).collect()
    }
}

fn state(epoch: u64, revision: u64) -> Item {
    let fleet = Fleet {
        epoch,
        ..Fleet::default()
    };
    Ok(WatchFleetResponse {
        fleet: Some(fleet),
        revision,
        heartbeat: false,
    })
}

fn heartbeat(revision: u64) -> Item {
    Ok(WatchFleetResponse {
        fleet: None,
        revision,
        heartbeat: true,
    })
}

fn closing() -> Item {
    let soon = Duration::from_millis(1);
    Err(fault::retry(Code::Unavailable, "SHUTTING_DOWN", "", soon))
}

fn watch(concierges: &[&Running]) -> FleetWatch {
    let concierges = concierges.iter().map(|running| running.concierge.clone());
    let mut watch = FleetWatch::new(concierges.collect(), "fleets/acme", "orders");
    watch.silence = Duration::from_millis(300);
    watch
}

async fn next(watch: &mut FleetWatch) -> (u64, u64) {
    let waited = timeout(Duration::from_secs(20), watch.next()).await;
    waited.unwrap().unwrap().position()
}

#[tokio::test]
async fn a_watch_goes_on_at_another_concierge_from_what_it_has() {
    let one = Running::start(vec![vec![state(1024, 5), closing()]]);
    let other = Running::start(vec![vec![heartbeat(5), state(2049, 9)]]);
    let mut watch = watch(&[&one, &other]);
    assert_eq!(next(&mut watch).await, (1024, 5));
    assert_eq!(next(&mut watch).await, (2049, 9));
    assert_eq!(watch.position(), Some((2049, 9)));
    assert_eq!(
        (one.asked(), other.asked()),
        (vec![(0, 0)], vec![(1024, 5)])
    );
}

#[tokio::test]
async fn an_epoch_never_goes_back() {
    let one = Running::start(vec![vec![state(2049, 9), state(2049, 9), closing()]]);
    let behind = vec![state(1024, 30), state(2049, 8), state(3072, 2)];
    let other = Running::start(vec![behind]);
    let mut watch = watch(&[&one, &other]);
    assert_eq!(next(&mut watch).await, (2049, 9));
    assert_eq!(next(&mut watch).await, (3072, 2));
}

#[tokio::test]
async fn a_concierge_that_stays_behind_is_left() {
    let one = Running::start(vec![vec![state(2049, 9), closing()], vec![state(2049, 10)]]);
    let other = Running::start(vec![vec![state(1024, 30), heartbeat(30)]]);
    let mut watch = watch(&[&one, &other]);
    watch.silence = SILENCE;
    assert_eq!(next(&mut watch).await, (2049, 9));
    assert_eq!(next(&mut watch).await, (2049, 10));
    assert_eq!(one.asked(), [(0, 0), (2049, 9)]);
}

#[tokio::test]
async fn a_silent_concierge_is_left_and_a_stream_that_breaks_is_begun_again() {
    let one = Running::start(vec![vec![state(1024, 1)]]);
    let broken = || vec![Err(Status::internal("broken"))];
    let other = Running::start(vec![broken(), vec![state(1024, 2)]]);
    let mut watch = watch(&[&one, &other, &other]);
    assert_eq!(next(&mut watch).await, (1024, 1));
    assert_eq!(next(&mut watch).await, (1024, 2));
}

#[tokio::test]
async fn what_was_stored_is_not_told_again() {
    let one = Running::start(vec![vec![state(1024, 7), state(1024, 8)]]);
    let mut watch = watch(&[&one]).resuming((1024, 7));
    assert_eq!(next(&mut watch).await, (1024, 8));
    assert_eq!(one.asked(), [(1024, 7)]);
}

#[tokio::test]
async fn what_repeating_does_not_help_is_told() {
    let unknown = fault::status(Code::NotFound, "FLEET_NOT_FOUND", "");
    let one = Running::start(vec![vec![Err(unknown)]]);
    let refused = watch(&[&one]).next().await.unwrap_err();
    assert_eq!(fault::reason(&refused), "FLEET_NOT_FOUND");
    let nobody = watch(&[]).next().await.unwrap_err();
    assert_eq!(nobody.code(), Code::InvalidArgument);
}

/// As in a `select!` with other work that comes often: each wait is given up soon.
async fn next_beside_other_work(watch: &mut FleetWatch) -> (u64, u64) {
    let found = async {
        loop {
            let waited = timeout(Duration::from_millis(20), watch.next()).await;
            if let Ok(state) = waited {
                return state.unwrap().position();
            }
        }
    };
    timeout(Duration::from_secs(20), found).await.unwrap()
}

#[tokio::test]
async fn who_gives_up_often_hears_a_silence_too_and_asks_no_more_often() {
    let one = Running::start(vec![vec![state(1024, 1)]]);
    let broken = vec![Err(Status::internal("broken"))];
    let other = Running::start(vec![broken, vec![state(1024, 2)]]);
    let mut watch = watch(&[&one, &other]);
    assert_eq!(next_beside_other_work(&mut watch).await, (1024, 1));
    assert_eq!(next_beside_other_work(&mut watch).await, (1024, 2));
    assert_eq!((one.asked().len(), other.asked().len()), (2, 2));
}

#[tokio::test]
async fn a_stream_that_is_slow_to_begin_is_asked_for_once() {
    let slow = Running::slow(vec![vec![state(1024, 1)]], Duration::from_millis(200));
    let mut watch = watch(&[&slow]);
    assert_eq!(next_beside_other_work(&mut watch).await, (1024, 1));
    assert_eq!(slow.asked(), [(0, 0)]);
}

#[tokio::test]
async fn a_caller_that_repeats_what_does_not_help_waits_as_long_as_it_was_asked_to() {
    let asked = Duration::from_millis(300);
    let refused = || vec![Err(fault::retry(Code::NotFound, "NO", "", asked))];
    let one = Running::start(vec![refused(), refused()]);
    let mut watch = watch(&[&one]);
    watch.next().await.unwrap_err();
    let begun = Instant::now();
    watch.next().await.unwrap_err();
    assert!(begun.elapsed() >= asked - Duration::from_millis(50));
}

fn not_played<T>() -> Result<Response<T>, Status> {
    Err(Status::unimplemented("not by the fake"))
}

#[tonic::async_trait]
impl FleetService for Fake {
    async fn get_fleet(
        &self,
        _: Request<pb::GetFleetRequest>,
    ) -> Result<Response<pb::Fleet>, Status> {
        not_played()
    }

    async fn list_fleets(
        &self,
        _: Request<pb::ListFleetsRequest>,
    ) -> Result<Response<pb::ListFleetsResponse>, Status> {
        not_played()
    }

    async fn create_fleet(
        &self,
        _: Request<pb::CreateFleetRequest>,
    ) -> Result<Response<pb::Fleet>, Status> {
        not_played()
    }

    async fn update_fleet(
        &self,
        _: Request<pb::UpdateFleetRequest>,
    ) -> Result<Response<pb::Fleet>, Status> {
        not_played()
    }

    async fn start_canary(
        &self,
        _: Request<pb::StartCanaryRequest>,
    ) -> Result<Response<pb::Fleet>, Status> {
        not_played()
    }

    async fn stop_canary(
        &self,
        _: Request<pb::StopCanaryRequest>,
    ) -> Result<Response<pb::Fleet>, Status> {
        not_played()
    }

    type WatchFleetStream = Items;

    async fn watch_fleet(
        &self,
        request: Request<WatchFleetRequest>,
    ) -> Result<Response<Items>, Status> {
        self.asked.lock().unwrap().push(request.into_inner());
        let script = self.scripts.lock().unwrap().pop_front();
        let script = script.ok_or_else(|| Status::unavailable("the script is over"))?;
        tokio::time::sleep(self.slowness).await;
        Ok(Response::new(
            stream::iter(script).chain(stream::pending()).boxed(),
        ))
    }

    async fn acknowledge_epoch(
        &self,
        _: Request<pb::AcknowledgeEpochRequest>,
    ) -> Result<Response<pb::AcknowledgeEpochResponse>, Status> {
        not_played()
    }
}
