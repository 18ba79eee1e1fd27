//! A device that runs by itself.

use std::time::Duration;

use tokio::time::timeout;

use super::*;

const PATIENCE: Duration = Duration::from_secs(10);

async fn next(steps: &mut Steps) -> Step {
    timeout(PATIENCE, steps.next()).await.unwrap()
}

/// The hub to connect to, after any number of pauses.
async fn connect(steps: &mut Steps) -> RouteEndpoint {
    loop {
        if let Step::Connect { endpoint, .. } = next(steps).await {
            return endpoint;
        }
    }
}

/// A window of half a second.
fn soon(epoch: u64) -> RouteClaims {
    claims_of(epoch, 40)
}

/// An epoch whose slot leaves time to see it ahead.
fn late_epoch() -> u64 {
    let is_late = |epoch: &u64| soon(*epoch).slot("d-1") > Duration::from_millis(300);
    (2..).map(|k| k * 1024).find(is_late).unwrap()
}

#[tokio::test]
async fn a_new_epoch_is_waited_for_and_then_connected_to() {
    let (url, known) = concierge(&sign(&claims_of(1024, 0), &key()).unwrap()).await;
    let mut steps = open(config(vec![url])).unwrap().run();
    let first = connect(&mut steps).await;
    assert_eq!(first.host, "east.example.net");
    // No longer attached to the hub that reigns, and a slot that lies ahead.
    let epoch = late_epoch();
    known.lock().unwrap().route = sign(&soon(epoch), &key()).unwrap();
    let Step::Stay { until, .. } = next(&mut steps).await else {
        panic!("nothing to wait for");
    };
    let Step::Connect { endpoint, at } = next(&mut steps).await else {
        panic!("told to stay twice");
    };
    assert_eq!(at, until);
    assert!(std::time::Instant::now() >= at);
    steps.connected(&endpoint);
    let quiet = timeout(Duration::from_millis(600), steps.next()).await;
    assert!(quiet.is_err(), "it is where it belongs: {quiet:?}");
    let known = known.lock().unwrap();
    let echo = format!("device=d-1&epoch={epoch}&hub=east");
    assert_eq!(known.queries.last(), Some(&echo));
    assert!(known.not_modified > 0);
}

#[tokio::test]
async fn a_wait_that_is_interrupted_sends_nothing_twice() {
    let (url, known) = concierge(&sign(&claims_of(1024, 0), &key()).unwrap()).await;
    let gate = Arc::new(Semaphore::new(0));
    {
        let mut known = known.lock().unwrap();
        (known.gate, known.poll_after_ms) = (Some(gate.clone()), Some(60_000));
    }
    let mut steps = open(config(vec![url])).unwrap().run();
    for _ in 0..20 {
        let interrupted = timeout(Duration::from_millis(5), steps.next()).await;
        assert!(interrupted.is_err());
    }
    gate.add_permits(1);
    assert_eq!(connect(&mut steps).await.hub.as_str(), "east");
    assert_eq!(known.lock().unwrap().queries.len(), 1);
}

#[tokio::test]
async fn a_connection_that_fails_is_tried_again_and_told() {
    let (url, known) = concierge(&sign(&claims_of(1024, 0), &key()).unwrap()).await;
    let mut steps = open(config(vec![url])).unwrap().run();
    connect(&mut steps).await;
    steps.failed("the hub refuses");
    let endpoint = connect(&mut steps).await;
    steps.connected(&endpoint);
    steps.disconnected();
    connect(&mut steps).await;
    let told = "error=the hub refuses";
    let is_told = || {
        let known = known.lock().unwrap();
        known.queries.iter().any(|query| query.ends_with(told))
    };
    // A failure right after a poll may be over before the next one.
    steps.failed("the hub refuses");
    for _ in 0..100 {
        let _ = timeout(Duration::from_millis(100), steps.next()).await;
        if is_told() {
            return;
        }
    }
    panic!("{:?}", known.lock().unwrap().queries);
}

#[tokio::test]
async fn the_next_concierge_takes_over_without_a_word() {
    let (first, dying) = concierge(&sign(&claims_of(1024, 0), &key()).unwrap()).await;
    let (second, good) = concierge(&sign(&claims_of(2048, 0), &key()).unwrap()).await;
    let mut steps = open(config(vec![first, second])).unwrap().run();
    connect(&mut steps).await;
    dying.lock().unwrap().route.clear();
    let is_newer = |steps: &Steps| steps.client().decision().unwrap().route.epoch == Epoch(2048);
    for _ in 0..100 {
        let _ = timeout(Duration::from_millis(100), steps.next()).await;
        if is_newer(&steps) {
            break;
        }
    }
    assert!(is_newer(&steps));
    assert!(steps.client().trouble().is_none());
    assert!(!good.lock().unwrap().queries.is_empty());
}

#[tokio::test]
async fn a_canary_is_left_at_its_signed_end_though_nobody_answers() {
    let until = in_seconds(3);
    let (url, known) = concierge(&with_canary(claims_of(1024, 0), until)).await;
    let mut steps = open(config(vec![url])).unwrap().run();
    let west = connect(&mut steps).await;
    assert_eq!(west.hub.as_str(), "west");
    steps.connected(&west);
    known.lock().unwrap().route.clear();
    let east = connect(&mut steps).await;
    assert_eq!(east.hub.as_str(), "east");
    // Two clocks are read, one after the other.
    assert!(OffsetDateTime::now_utc() >= until - time::Duration::milliseconds(50));
}

/// A watchdog restarts a device that can't reach its hub: the canary that it gave up stays so.
#[tokio::test]
async fn what_was_given_up_and_where_it_arrived_is_known_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state.json");
    let token = with_canary(claims_of(1024, 0), in_seconds(50));
    let (url, _) = concierge(&token).await;
    let start = || {
        let mut config = config(vec![url.clone()]);
        config.state_file = Some(path.clone());
        open(config).unwrap()
    };
    let mut device = start();
    let decision = device.poll().await.unwrap();
    assert_eq!(decision.endpoint.hub.as_str(), "west");
    assert!(start().decision().unwrap().until.is_some(), "a restart");
    for _ in 0..3 {
        device.on_connect_failed("refused");
    }
    assert_eq!(device.decision().unwrap().endpoint.hub.as_str(), "east");
    let again = start().decision().unwrap();
    assert_eq!((again.endpoint.hub.as_str(), again.until), ("east", None));

    // A slot that lies ahead is over once the device is there.
    let (url, _) = concierge(&sign(&claims_of(late_epoch(), 100_000), &key()).unwrap()).await;
    let start = || {
        let mut config = config(vec![url.clone()]);
        config.state_file = Some(dir.path().join("other.json"));
        open(config).unwrap()
    };
    let mut device = start();
    let decision = device.poll().await.unwrap();
    let now = std::time::Instant::now();
    assert!(start().decision().unwrap().connect_at > now);
    device.on_connected(&decision.endpoint);
    let again = start().decision().unwrap();
    assert!(again.connect_at <= std::time::Instant::now());
}
