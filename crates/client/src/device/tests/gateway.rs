//! Many devices behind one gateway.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::timeout;

use super::*;

const PATIENCE: Duration = Duration::from_secs(20);

fn device(number: u32) -> DeviceId {
    DeviceId::new(format!("d-{number}")).unwrap()
}

fn open(url: Url, echo_every: Option<Duration>, state_file: Option<&std::path::Path>) -> Gateway {
    let config = GatewayConfig {
        concierges: vec![url],
        fleet: FleetId::new("acme").unwrap(),
        gateway: DeviceId::new("gateway-1").unwrap(),
        trust: Trust::keys(KeySet::new([key().public()])),
        state_file: state_file.map(std::path::Path::to_owned),
        echo_every,
    };
    Gateway::open(config, http_client(None).unwrap()).unwrap()
}

async fn next(gateway: &mut Gateway) -> Due {
    timeout(PATIENCE, gateway.next()).await.unwrap()
}

#[tokio::test]
async fn a_thousand_devices_cost_one_poll_without_a_name() {
    let (url, known) = concierge(&sign(&claims_of(1024, 0), &key()).unwrap()).await;
    known.lock().unwrap().poll_after_ms = Some(60_000);
    let mut gateway = open(url, None, None);
    for number in 0..1000 {
        gateway.add(device(number));
    }
    let mut connected = BTreeSet::new();
    while connected.len() < 1000 {
        let due = next(&mut gateway).await;
        gateway.connected(&due.device, &due.endpoint);
        assert!(connected.insert(due.device), "told twice");
    }
    assert_eq!(known.lock().unwrap().queries, [""]);
}

#[tokio::test]
async fn each_device_connects_at_its_own_slot_of_each_epoch() {
    let route = claims_of(1024, 40);
    let (url, known) = concierge(&sign(&route, &key()).unwrap()).await;
    let mut gateway = open(url, None, None);
    for number in 0..20 {
        gateway.add(device(number));
    }
    for route in [route, claims_of(2048, 40)] {
        known.lock().unwrap().route = sign(&route, &key()).unwrap();
        let first = next(&mut gateway).await;
        let start = first.at - route.slot(first.device.as_str());
        let mut seen = vec![first];
        while seen.len() < 20 {
            seen.push(next(&mut gateway).await);
        }
        for due in &seen {
            assert_eq!(due.at - start, route.slot(due.device.as_str()));
        }
        let came: BTreeSet<_> = seen.into_iter().map(|due| due.device).collect();
        let all: BTreeSet<_> = (0..20).map(device).collect();
        assert_eq!(came, all);
    }
}

#[tokio::test]
async fn a_gateway_that_restarts_knows_its_route_without_a_concierge() {
    let dir = tempfile::tempdir().unwrap();
    let state = dir.path().join("gateway.json");
    let (url, _) = concierge(&sign(&claims_of(1024, 0), &key()).unwrap()).await;
    let mut gateway = open(url, None, Some(&state));
    gateway.add(device(1));
    next(&mut gateway).await;
    let mut again = open(nobody().await, None, Some(&state));
    again.add(device(2));
    let due = next(&mut again).await;
    assert_eq!((due.device, due.endpoint.hub.as_str()), (device(2), "east"));
}

#[tokio::test]
async fn what_fails_is_tried_again_and_who_left_is_not() {
    let (url, _) = concierge(&sign(&claims_of(1024, 0), &key()).unwrap()).await;
    let mut gateway = open(url, None, None);
    gateway.add(device(1));
    gateway.add(device(2));
    let (first, second) = (next(&mut gateway).await, next(&mut gateway).await);
    gateway.failed(&first.device, "refused");
    gateway.failed(&second.device, "refused");
    gateway.remove(&second.device);
    assert_eq!(next(&mut gateway).await.device, first.device);
    let quiet = timeout(Duration::from_millis(300), gateway.next()).await;
    assert!(quiet.is_err(), "{quiet:?}");
}

#[tokio::test]
async fn devices_are_mentioned_one_after_the_other_if_it_is_wanted() {
    let (url, known) = concierge(&sign(&claims_of(1024, 0), &key()).unwrap()).await;
    known.lock().unwrap().poll_after_ms = Some(60_000);
    let mut gateway = open(url, Some(Duration::from_millis(100)), None);
    for number in 0..5 {
        gateway.add(device(number));
    }
    let is_echoed = |number: u32| {
        let attached = format!("device=d-{number}&epoch=1024&hub=east");
        known.lock().unwrap().queries.contains(&attached)
    };
    let mut looks = 0;
    while !(0..5).all(is_echoed) {
        looks += 1;
        assert!(looks < 400, "{:?}", known.lock().unwrap().queries);
        if let Ok(due) = timeout(Duration::from_millis(50), gateway.next()).await {
            gateway.connected(&due.device, &due.endpoint);
        }
    }
    let known = known.lock().unwrap();
    let own = known.queries.iter().filter(|query| query.is_empty());
    assert_eq!(own.count(), 1);
    assert!(known.not_modified > 0);
}

#[tokio::test]
async fn a_device_of_a_canary_comes_back_at_its_signed_end() {
    let until = in_seconds(3);
    let (url, known) = concierge(&with_canary(claims_of(1024, 0), until)).await;
    let mut gateway = open(url, None, None);
    gateway.add(device(1));
    gateway.add(device(2));
    let mut first = BTreeSet::new();
    for _ in 0..2 {
        let due = next(&mut gateway).await;
        gateway.connected(&due.device, &due.endpoint);
        first.insert((due.device, due.endpoint.hub.to_string()));
    }
    let expected = [(device(1), "west"), (device(2), "east")];
    let expected = expected.map(|(device, hub)| (device, hub.to_owned()));
    assert_eq!(first, BTreeSet::from(expected));
    known.lock().unwrap().route.clear();
    let due = next(&mut gateway).await;
    assert_eq!((due.device, due.endpoint.hub.as_str()), (device(1), "east"));
    // Two clocks are read, one after the other.
    assert!(OffsetDateTime::now_utc() >= until - time::Duration::milliseconds(50));
}

/// A route with a list of devices is 8 KB long.
#[test]
fn devices_of_a_gateway_share_its_route() {
    let now = std::time::Instant::now();
    let mut route = claims_of(1024, 0);
    route.endpoints[0].region = "r".repeat(1_000);
    let token = sign(&route, &key()).unwrap();
    let trust = Trust::seen(&token, std::sync::Arc::new(route));
    let fleet = FleetId::new("acme").unwrap();
    let [one, other] = [1, 2].map(|number| {
        let mut core = Core::new(fleet.clone(), device(number), trust.clone(), now);
        let answer = Answer {
            route: token.clone(),
            poll_after_ms: 1_000,
            stale: false,
        };
        core.on_answer(&answer, now, 0).unwrap();
        core
    });
    let shared = |core: &Core| core.decision().unwrap().route;
    assert!(std::sync::Arc::ptr_eq(&shared(&one), &shared(&other)));
    let (one, other) = (one.held(now).unwrap().0, other.held(now).unwrap().0);
    assert_eq!(one.as_ptr(), other.as_ptr());
    assert_eq!(one, token);
}
