//! The body polled by hand, and as messages; over real sockets in [`sockets`].

mod sockets;

use std::task::{Poll, Wake, Waker};

use futures::StreamExt as _;
use futures::future::join_all;
use hubshift_api::fault;
use hubshift_api::pb::concierge::WatchFleetResponse;
use tokio::time::Instant;
use tonic::Code;
use tonic_types::StatusExt as _;

use super::body::Part;
use super::seats::Seat;
use super::*;
use crate::table::fixture;

/// No test waits longer for anything.
const PATIENCE: Duration = Duration::from_secs(20);
const USUAL: Pace = Pace {
    heartbeat: HEARTBEAT,
    slow: SLOW,
};

/// A table with the fleet `acme` at epoch 1024, and its watchers.
struct World {
    table: Table,
    watchers: Watchers,
    closing: CancellationToken,
    _dir: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        Self::paced(USUAL).await
    }

    async fn paced(pace: Pace) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let table = Table::boot(dir.path(), &fixture::signer(), Duration::from_secs(5));
        let closing = CancellationToken::new();
        let world = Self {
            watchers: Watchers::paced(table.clone(), 10_000, closing.clone(), pace),
            table,
            closing,
            _dir: dir,
        };
        world.serve(1024, 1).await;
        world
    }

    async fn serve(&self, epoch: u64, version: u64) {
        let entry = fixture::entry("acme", epoch, version);
        self.table.serve(vec![entry]).await;
    }

    fn body(&self) -> WatchBody {
        self.watchers.open(&asking(0, 0)).unwrap()
    }

    fn watch(&self, epoch: u64, revision: u64) -> FleetStream {
        let opened = self.watchers.open(&asking(epoch, revision));
        opened.unwrap().into()
    }

    fn watching(&self) -> usize {
        self.watchers.shared.watching.load(Ordering::Relaxed)
    }

    /// Encoded states that are in memory.
    fn states(&self) -> usize {
        self.watchers.shared.frames.alive()
    }
}

fn asking(epoch: u64, revision: u64) -> WatchFleetRequest {
    WatchFleetRequest {
        name: "fleets/acme".into(),
        back_end: String::new(),
        revision,
        epoch,
    }
}

async fn next(stream: &mut FleetStream) -> WatchFleetResponse {
    let waited = tokio::time::timeout(PATIENCE, stream.next()).await;
    waited.unwrap().unwrap().unwrap()
}

/// The next state.
async fn changed(stream: &mut FleetStream) -> WatchFleetResponse {
    loop {
        let message = next(stream).await;
        if !message.heartbeat {
            return message;
        }
    }
}

async fn is_silent(stream: &mut FleetStream) -> bool {
    let waited = tokio::time::timeout(Duration::from_millis(20), stream.next()).await;
    waited.is_err()
}

/// Counts how often it is woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn message(body: &mut WatchBody) -> bytes::Bytes {
    match body.poll_part(Waker::noop()) {
        Poll::Ready(Some(Part::Message(frame))) => frame,
        _ => panic!("no message"),
    }
}

fn refusal(world: &World, request: &WatchFleetRequest) -> Status {
    world.watchers.open(request).err().unwrap()
}

#[tokio::test]
async fn the_state_comes_first_and_then_every_change() {
    let world = World::new().await;
    let mut stream = world.watch(0, 0);
    let first = next(&mut stream).await;
    assert_eq!(first.fleet.as_ref().unwrap().active_hub, "east");
    assert!(!first.heartbeat);
    world.serve(2049, 2).await;
    let second = changed(&mut stream).await;
    assert_eq!(second.fleet.unwrap().active_hub, "west");
    assert!(second.revision > first.revision);
}

#[tokio::test]
async fn a_slow_reader_gets_the_newest_state_alone() {
    let world = World::new().await;
    let mut stream = world.watch(0, 0);
    next(&mut stream).await;
    for version in 2..50 {
        world.serve(1024, version).await;
    }
    let mut taken = 1;
    while changed(&mut stream).await.fleet.unwrap().routing_version < 49 {
        taken += 1;
    }
    assert!(taken <= 2, "{taken} states were kept");
    assert!(is_silent(&mut stream).await);
    assert_eq!(world.states(), 1);
}

#[tokio::test]
async fn a_change_of_another_fleet_wakes_nobody() {
    let world = World::new().await;
    let both = |version| {
        let (acme, other) = (
            fixture::entry("acme", 1024, 1),
            fixture::entry("other", 1024, version),
        );
        world.table.serve(vec![acme, other])
    };
    both(1).await;
    let mut ours = world.body();
    message(&mut ours);
    let woken = Arc::new(Woken::default());
    assert!(ours.poll_part(&Waker::from(woken.clone())).is_pending());
    let request = WatchFleetRequest {
        name: "fleets/other".into(),
        ..asking(0, 0)
    };
    let mut others = FleetStream::from(world.watchers.open(&request).unwrap());
    next(&mut others).await;
    for version in 2..10 {
        both(version).await;
        let told = changed(&mut others).await.fleet.unwrap();
        assert_eq!(told.routing_version, version);
    }
    assert_eq!(woken.0.load(Ordering::Relaxed), 0);
    world.serve(1024, 2).await;
    let told = || async { woken.0.load(Ordering::Relaxed) == 1 };
    assert!(hubshift_testkit::eventually(PATIENCE, told).await);
}

#[tokio::test]
async fn all_watchers_of_a_fleet_are_sent_the_same_bytes() {
    let world = World::new().await;
    let mut bodies: Vec<WatchBody> = (0..50).map(|_| world.body()).collect();
    let frames: Vec<_> = bodies.iter_mut().map(message).collect();
    assert!(frames.iter().all(|f| f.as_ptr() == frames[0].as_ptr()));
    assert_eq!((world.watching(), world.states()), (50, 1));
    drop((bodies, frames));
    assert_eq!((world.watching(), world.states()), (0, 0));
    assert_eq!(world.watchers.shared.frames.fleets(), 0);
}

#[test]
fn a_watcher_costs_about_a_hundred_bytes() {
    assert!(size_of::<WatchBody>() <= 40);
    assert!(size_of::<Option<Seat>>() <= 48);
}

#[tokio::test]
async fn a_watch_goes_on_without_a_snapshot_where_nothing_changed() {
    let world = World::new().await;
    let there = next(&mut world.watch(0, 0)).await.revision;
    let first = next(&mut world.watch(1024, there)).await;
    assert!(first.heartbeat && first.fleet.is_none());
    assert_eq!(first.revision, there);
    // Another revision, none, another epoch, no epoch.
    for (epoch, revision) in [
        (1024, there - 1),
        (1024, there + 1),
        (1024, 0),
        (2049, there),
        (0, there),
    ] {
        let first = next(&mut world.watch(epoch, revision)).await;
        assert!(first.fleet.is_some(), "{epoch} {revision}");
    }
    let mut resumed = world.watch(1024, there);
    next(&mut resumed).await;
    world.serve(1024, 2).await;
    assert_eq!(changed(&mut resumed).await.revision, there + 1);
}

#[tokio::test]
async fn a_watch_goes_on_at_another_replica() {
    let (one, other) = (World::new().await, World::new().await);
    let there = next(&mut one.watch(0, 0)).await.revision;
    assert!(next(&mut other.watch(1024, there)).await.heartbeat);
    other.serve(2049, 2).await;
    let moved = next(&mut other.watch(1024, there)).await;
    assert_eq!(moved.fleet.unwrap().epoch, 2049);
}

#[tokio::test]
async fn while_an_epoch_is_forgotten_numbers_are_not_believed() {
    let world = World::new().await;
    world.serve(2049, 2).await;
    let there = next(&mut world.watch(0, 0)).await.revision;
    world.serve(1024, 3).await;
    let first = next(&mut world.watch(2049, there)).await;
    assert_eq!(first.fleet.unwrap().alerts, ["EPOCH_FORGOTTEN"]);
}

#[tokio::test]
async fn a_stream_on_which_nothing_changes_says_that_it_lives() {
    let world = World::new().await;
    let mut stream = world.watch(0, 0);
    let first = next(&mut stream).await;
    tokio::time::pause();
    let since = Instant::now();
    for _ in 0..4 {
        let beat = stream.next().await.unwrap().unwrap();
        assert!(beat.heartbeat && beat.fleet.is_none());
        assert_eq!(beat.revision, first.revision);
    }
    let (span, slack) = (since.elapsed(), Duration::from_secs(1));
    assert!(span > HEARTBEAT * 3 - slack && span < HEARTBEAT * 4 + slack);
}

#[tokio::test]
async fn heartbeats_are_spread_over_the_time_between_them() {
    let world = World::new().await;
    let mut streams: Vec<_> = (0..128).map(|_| world.watch(0, 0)).collect();
    join_all(streams.iter_mut().map(next)).await;
    tokio::time::pause();
    let beats = streams.iter_mut().map(|stream| async move {
        assert!(stream.next().await.unwrap().unwrap().heartbeat);
        Instant::now()
    });
    let mut moments = join_all(beats).await;
    moments.sort();
    let most = moments.chunk_by(|a, b| a == b).map(<[_]>::len).max();
    assert_eq!(most, Some(2), "128 streams in 64 moments");
}

#[tokio::test]
async fn a_stream_that_is_not_read_ends_and_one_that_is_goes_on() {
    let world = World::new().await;
    let (mut unread, mut read) = (world.body(), world.watch(0, 0));
    message(&mut unread);
    next(&mut read).await;
    let reader = tokio::spawn(async move {
        while let Some(item) = read.next().await {
            item.unwrap();
        }
    });
    tokio::time::pause();
    tokio::time::sleep(SLOW - Duration::from_secs(1)).await;
    assert!(matches!(
        unread.poll_part(Waker::noop()),
        Poll::Ready(Some(Part::Message(_)))
    ));
    tokio::time::sleep(SLOW + HEARTBEAT * 2).await;
    let Poll::Ready(Some(Part::End(status))) = unread.poll_part(Waker::noop()) else {
        panic!("it goes on");
    };
    assert_eq!(fault::reason(&status), "WATCHER_TOO_SLOW");
    assert!(matches!(unread.poll_part(Waker::noop()), Poll::Ready(None)));
    assert!(!reader.is_finished());
}

#[tokio::test]
async fn streams_end_when_the_concierge_closes_and_come_back_spread() {
    let world = World::new().await;
    let mut streams: Vec<_> = (0..50).map(|_| world.watch(0, 0)).collect();
    join_all(streams.iter_mut().map(next)).await;
    world.closing.cancel();
    let mut delays = Vec::new();
    for stream in &mut streams {
        let ended = tokio::time::timeout(PATIENCE, stream.next()).await;
        let last = ended.unwrap().unwrap().unwrap_err();
        assert_eq!(fault::reason(&last), "SHUTTING_DOWN");
        let info = last.get_details_retry_info().unwrap();
        delays.push(info.retry_delay.unwrap());
        assert!(stream.next().await.is_none());
    }
    let (least, most) = (delays.iter().min().unwrap(), delays.iter().max().unwrap());
    assert!(*least >= Duration::from_millis(100) && *most < Duration::from_secs(5));
    assert!(*most - *least > Duration::from_secs(1));
    let late = refusal(&world, &asking(0, 0));
    assert_eq!(fault::reason(&late), "SHUTTING_DOWN");
}

#[tokio::test]
async fn what_cannot_be_watched_is_refused_at_once() {
    let world = World::new().await;
    let other = WatchFleetRequest {
        name: "fleets/other".into(),
        ..asking(0, 0)
    };
    assert_eq!(fault::reason(&refusal(&world, &other)), "FLEET_NOT_FOUND");
    let nonsense = WatchFleetRequest::default();
    assert_eq!(refusal(&world, &nonsense).code(), Code::InvalidArgument);
    let dir = tempfile::tempdir().unwrap();
    let empty = Table::boot(dir.path(), &fixture::signer(), Duration::from_secs(5));
    let watchers = Watchers::new(empty, 1, CancellationToken::new());
    let refused = watchers.open(&asking(0, 0)).err().unwrap();
    assert_eq!(fault::reason(&refused), "NOT_READY");
}

#[tokio::test]
async fn there_are_never_more_watchers_than_allowed() {
    let world = World::new().await;
    let watchers = Watchers::new(world.table.clone(), 2, CancellationToken::new());
    let open = || watchers.open(&asking(0, 0));
    let held = (open().unwrap(), open().unwrap());
    let refused = open().err().unwrap();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert_eq!(fault::reason(&refused), "TOO_MANY_WATCHERS");
    assert!(refused.get_details_retry_info().is_some());
    drop(held.0);
    open().unwrap();
}
