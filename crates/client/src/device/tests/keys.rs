//! A device that pins the recovery key, through rotations and replays of key sets.

use std::time::Instant;

use hubshift_domain::route::KeySetError;

use super::*;

/// A concierge, and a device that trusts what the recovery key signed.
struct World {
    url: Url,
    known: Shared,
    dir: tempfile::TempDir,
}

fn recovery() -> PrivateKey {
    PrivateKey::from_seed(&[9; 32])
}

fn second() -> PrivateKey {
    PrivateKey::from_seed(&[2; 32])
}

fn route_by(key: &PrivateKey, epoch: u64) -> String {
    sign(&claims_of(epoch, 1000), key).unwrap()
}

/// The key set document with these keys, signed at a time.
fn keys_at(time: i64, keys: &[PrivateKey]) -> String {
    let time = OffsetDateTime::from_unix_timestamp(time).unwrap();
    let set = KeySet::new(keys.iter().map(PrivateKey::public)).issued_at(time);
    document(&set.sign(&recovery()).unwrap())
}

impl World {
    async fn new(route: &str, keys: String) -> Self {
        let (url, known) = concierge(route).await;
        known.lock().unwrap().keys = keys;
        let dir = tempfile::tempdir().unwrap();
        Self { url, known, dir }
    }

    fn serve(&self, route: String, keys: String) {
        let mut known = self.known.lock().unwrap();
        (known.route, known.keys) = (route, keys);
    }

    /// The device, started anew with what it saved.
    fn device(&self) -> DeviceClient {
        let mut config = config(vec![self.url.clone()]);
        config.trust = Trust::recovery(recovery().public());
        config.state_file = Some(self.dir.path().join("state.json"));
        open(config).unwrap()
    }

    fn key_requests(&self) -> u32 {
        self.known.lock().unwrap().key_requests
    }
}

#[tokio::test]
async fn a_new_key_is_met_by_asking_for_the_key_set() {
    let world = World::new(&route(1024), keys_at(1, &[key()])).await;
    world.device().poll().await.unwrap();
    world.serve(route_by(&second(), 2048), keys_at(2, &[key(), second()]));
    let mut device = world.device();
    assert_eq!(device.poll().await.unwrap().route.epoch, Epoch(2048));
    assert_eq!(world.key_requests(), 2);
    let again = world.device();
    assert_eq!(again.decision().unwrap().route.epoch, Epoch(2048));
}

#[tokio::test]
async fn a_key_that_nobody_vouches_for_costs_one_request_a_minute() {
    let world = World::new(&route(1024), keys_at(1, &[key()])).await;
    world.device().poll().await.unwrap();
    let stranger = PrivateKey::from_seed(&[3; 32]);
    world.serve(route_by(&stranger, 2048), keys_at(1, &[key()]));
    let mut device = world.device();
    for _ in 0..3 {
        let decision = device.poll().await.unwrap();
        assert_eq!(decision.route.epoch, Epoch(1024));
        assert!(!decision.is_answered);
    }
    assert_eq!(world.key_requests(), 2);
}

#[tokio::test]
async fn a_key_that_was_taken_out_is_not_put_back_by_an_old_key_set() {
    let world = World::new(&route(1024), keys_at(1, &[key()])).await;
    world.device().poll().await.unwrap();
    world.serve(route_by(&second(), 2048), keys_at(2, &[second()]));
    world.device().poll().await.unwrap();
    // The dropped key's thief has everything that was ever public.
    world.serve(route(3072), keys_at(1, &[key()]));
    let mut device = world.device();
    assert_eq!(device.poll().await.unwrap().route.epoch, Epoch(2048));
    let next = device.begin(Instant::now()).unwrap();
    assert!(device.take(next.send().await).is_none());
    assert!(matches!(
        device.trouble(),
        Some(PollError::Refused(Refused::NotVerified(_)))
    ));
    // Not even while it asks for the keys.
    let mut again = world.device();
    let ask = again.begin(Instant::now()).unwrap();
    let for_keys = again.take(ask.send().await).unwrap();
    assert!(again.take(for_keys.send().await).is_none());
    assert!(matches!(
        again.trouble(),
        Some(PollError::Trust(TrustError::Refused(KeySetError::Older)))
    ));
    assert_eq!(again.decision().unwrap().route.epoch, Epoch(2048));
}

#[tokio::test]
async fn keys_are_saved_only_beside_a_route_that_they_verify() {
    let world = World::new(&route(1024), keys_at(1, &[key()])).await;
    let mut device = world.device();
    device.poll().await.unwrap();
    device.keys_are_due();
    world.serve(route(1024), keys_at(2, &[second()]));
    device.poll().await.unwrap();
    assert_eq!(world.key_requests(), 2, "they were looked at");
    assert!(
        world.device().decision().is_some(),
        "a restart finds what it can use"
    );
    // The same epoch, signed anew.
    let mut renewed = claims_of(1024, 1000);
    renewed.issued_at += time::Duration::HOUR;
    world.serve(sign(&renewed, &second()).unwrap(), keys_at(2, &[second()]));
    device.poll().await.unwrap();
    world.serve(route(2048), keys_at(1, &[key()]));
    let mut again = world.device();
    assert_eq!(again.poll().await.unwrap().route.epoch, Epoch(1024));
}

#[tokio::test]
async fn pinned_keys_are_never_asked_for() {
    let (url, known) = concierge(&route_by(&second(), 1024)).await;
    let mut device = open(config(vec![url])).unwrap();
    device.poll().await.unwrap_err();
    assert_eq!(known.lock().unwrap().key_requests, 0);
}
