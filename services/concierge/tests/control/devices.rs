//! Devices with the client of `crates/client`, against real concierges over HTTP.

use std::time::Duration;

use hubshift_api::pb::concierge::FailoverKind;
use hubshift_client::device::{
    DeviceClient, DeviceConfig, Gateway, GatewayConfig, Step, Trust, fetch_keys, http_client,
};
use hubshift_domain::id::{DeviceId, FleetId};
use hubshift_testkit::{Proxy, eventually};
use reqwest::Url;
use tokio::time::timeout;

use crate::world::{Concierge, PATIENCE, World, concierge_in, order};

/// An equal replica: the same database, through a proxy, and the same signing key.
async fn second(world: &World, proxy: &Proxy) -> Concierge {
    let (data, key) = (tempfile::tempdir().unwrap(), "signing.pem");
    let from = world.concierge.data.path().join(key);
    std::fs::copy(from, data.path().join(key)).unwrap();
    concierge_in(data, proxy.url(), &world.below_url).await
}

fn url(concierge: &Concierge) -> Url {
    let url = format!("http://{}", concierge.running.public_addr);
    url.parse().unwrap()
}

async fn config(concierges: &[Url]) -> DeviceConfig {
    let http = http_client(None).unwrap();
    let keys = fetch_keys(&http, &concierges[0]).await.unwrap();
    DeviceConfig {
        concierges: concierges.to_vec(),
        fleet: FleetId::new("acme").unwrap(),
        device: DeviceId::new("d-1").unwrap(),
        trust: Trust::keys(keys),
        state_file: None,
    }
}

/// Waits until a concierge answers for the fleet.
async fn until_serving(concierge: &Url) {
    let asks = || async {
        let answer = reqwest::get(format!("{concierge}v1/fleets/acme/endpoint")).await;
        answer.is_ok_and(|answer| answer.status().is_success())
    };
    assert!(eventually(PATIENCE, asks).await, "{concierge} is silent");
}

#[tokio::test]
async fn a_device_follows_a_move_past_a_dead_concierge_and_a_dead_database() {
    let world = World::new().await;
    let proxy = Proxy::before(&world.database.concierge_url())
        .await
        .unwrap();
    let second = second(&world, &proxy).await;
    let urls = [url(&world.concierge), url(&second)];
    for url in &urls {
        until_serving(url).await;
    }
    let config = config(&urls).await;
    let mut device = DeviceClient::open(config, http_client(None).unwrap()).unwrap();
    let first = device.poll().await.unwrap();
    assert_eq!(first.endpoint.hub.as_str(), "east");
    device.on_connected(&first.endpoint);
    let again = device.poll().await.unwrap();
    assert!(again.is_answered && again.route == first.route);

    let name = world
        .start(order(FailoverKind::Planned))
        .await
        .unwrap()
        .name;
    world.done(&name).await;
    let moved = device.poll().await.unwrap();
    assert_eq!(moved.endpoint.host, "west.acme.test");
    assert!(moved.route.epoch > first.route.epoch);

    // The one that it asked is gone; the other one has heard of the move as well.
    world.concierge.stop().await;
    let answered = device.poll().await.unwrap();
    assert!(answered.is_answered);
    assert_eq!(answered.route.epoch, moved.route.epoch);

    proxy.vanish();
    for _ in 0..3 {
        let answered = device.poll().await.unwrap();
        assert!(answered.is_answered);
        assert_eq!(answered.route.epoch, moved.route.epoch);
    }
}

#[tokio::test]
async fn a_device_and_a_gateway_that_run_by_themselves_are_sent_to_west() {
    let world = World::new().await;
    let urls = [url(&world.concierge)];
    until_serving(&urls[0]).await;
    let config = config(&urls).await;
    let gateway = GatewayConfig {
        concierges: config.concierges.clone(),
        fleet: config.fleet.clone(),
        gateway: DeviceId::new("gateway-1").unwrap(),
        trust: config.trust.clone(),
        state_file: None,
        echo_every: Some(Duration::from_millis(200)),
    };
    let http = http_client(None).unwrap();
    let mut steps = DeviceClient::open(config, http.clone()).unwrap().run();
    let mut gateway = Gateway::open(gateway, http).unwrap();
    gateway.add(DeviceId::new("d-2").unwrap());
    let order = order(FailoverKind::Planned);
    for hub in ["east", "west"] {
        if hub == "west" {
            let name = world.start(order.clone()).await.unwrap().name;
            world.done(&name).await;
        }
        let endpoint = loop {
            match timeout(PATIENCE, steps.next()).await.unwrap() {
                Step::Connect { endpoint, .. } => break endpoint,
                Step::Stay { .. } => {}
            }
        };
        assert_eq!(endpoint.hub.as_str(), hub);
        steps.connected(&endpoint);
        let due = timeout(PATIENCE, gateway.next()).await.unwrap();
        assert_eq!(due.endpoint.hub.as_str(), hub);
        gateway.connected(&due.device, &due.endpoint);
    }
}
