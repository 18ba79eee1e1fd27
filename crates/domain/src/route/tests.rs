//! Signed routes and key sets: what is refused, and who wins.

use proptest::prelude::*;
use time::{Duration, OffsetDateTime};

use super::*;
use crate::epoch::Epoch;
use crate::hub_state::HubState;
use crate::id::{FleetId, HubId};

fn now() -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(1_800_000_000).unwrap()
}

fn key() -> PrivateKey {
    PrivateKey::from_seed(&[1; 32])
}

fn keys() -> KeySet {
    KeySet::new([key().public()])
}

struct World {
    fleet: FleetId,
    east: HubId,
    west: HubId,
    south: HubId,
}

impl World {
    fn new() -> Self {
        let hub = |id: &str| HubId::new(id).unwrap();
        let fleet = FleetId::new("acme").unwrap();
        Self {
            fleet,
            east: hub("east"),
            west: hub("west"),
            south: hub("south"),
        }
    }

    fn inputs(&self, on_unreachable: OnUnreachable) -> RouteInputs<'_> {
        let hub = |hub, index, state| RouteHub {
            hub,
            index,
            state,
            host: "hub.example.net",
            region: "somewhere",
            admission_per_second: 100,
        };
        RouteInputs {
            fleet: &self.fleet,
            epoch: Epoch(1024),
            routing_version: 1,
            active_hub: &self.east,
            hubs: vec![
                hub(&self.west, 2, HubState::Ready),
                hub(&self.south, 1, HubState::Syncing),
                hub(&self.east, 0, HubState::Active),
            ],
            device_count: 100_000,
            utilisation_percent: 80,
            on_unreachable,
            epoch_opened: now(),
            waves: &[],
            canary: None,
        }
    }
}

fn route(epoch: u64, routing_version: u64) -> RouteClaims {
    let world = World::new();
    let mut inputs = world.inputs(OnUnreachable::Ask);
    (inputs.epoch, inputs.routing_version) = (Epoch(epoch), routing_version);
    claims(&inputs, now()).unwrap()
}

fn hubs(claims: &RouteClaims) -> Vec<&str> {
    claims
        .endpoints
        .iter()
        .map(|endpoint| endpoint.hub.as_str())
        .collect()
}

#[test]
fn a_route_survives_signing() {
    let claims = route(1024, 1);
    let token = sign(&claims, &key()).unwrap();
    assert_eq!(keys().verify(&token), Ok(claims));
}

#[test]
fn no_byte_of_a_signed_route_can_be_changed() {
    let token = sign(&route(1024, 1), &key()).unwrap();
    for at in 0..token.len() {
        let other = if &token[at..=at] == "A" { "B" } else { "A" };
        let mut forged = token.clone();
        forged.replace_range(at..=at, other);
        assert!(keys().verify(&forged).is_err(), "byte {at} as {other}");
        assert!(keys().verify(&token[..at]).is_err(), "cut at {at}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,200}") {
        prop_assert!(keys().verify(&text).is_err());
        prop_assert!(KeySet::from_json(text.as_bytes()).is_err());
    }
}

#[test]
fn another_key_or_another_purpose_is_refused() {
    let stranger = PrivateKey::from_seed(&[2; 32]);
    let token = sign(&route(1024, 1), &stranger).unwrap();
    let kid = stranger.id().to_owned();
    assert_eq!(keys().verify(&token), Err(RouteError::UnknownKey { kid }));
    let key_set = keys().sign(&key()).unwrap();
    assert_eq!(keys().verify(&key_set), Err(RouteError::Malformed));
    assert!(KeySet::from_signed(&token, &stranger.public(), None).is_err());
}

#[test]
fn a_claim_of_an_unknown_version_is_refused() {
    let mut claims = route(1024, 1);
    claims.v = 2;
    let token = sign(&claims, &key()).unwrap();
    assert_eq!(keys().verify(&token), Err(RouteError::Version(2)));
}

#[test]
fn a_route_without_a_hub_is_refused() {
    let mut claims = route(1024, 1);
    claims.endpoints.clear();
    let token = sign(&claims, &key()).unwrap();
    assert_eq!(keys().verify(&token), Err(RouteError::Claims));
}

#[test]
fn the_epoch_decides_then_the_routing_version() {
    let held = route(2049, 7);
    assert_eq!(accept(None, &held), Accept::Newer);
    for (epoch, version, expected) in [
        (2049, 7, Accept::Same),
        (2049, 8, Accept::Newer),
        (2049, 6, Accept::Older),
        (1024, 99, Accept::Older),
        (3072, 1, Accept::Newer),
    ] {
        assert_eq!(
            accept(Some(&held), &route(epoch, version)),
            expected,
            "{epoch} {version}"
        );
    }
}

#[test]
fn standbys_are_listed_only_when_devices_may_walk() {
    let world = World::new();
    let ask = claims(&world.inputs(OnUnreachable::Ask), now()).unwrap();
    assert_eq!(hubs(&ask), ["east"]);
    let rule = "standby_after(900s)".parse().unwrap();
    let walk = claims(&world.inputs(rule), now()).unwrap();
    assert_eq!(hubs(&walk), ["east", "west"]);
    assert_eq!(walk.admission.window_ms, 1_250_000);
}

#[test]
fn only_an_active_hub_is_routed_to() {
    for state in HubState::ALL
        .iter()
        .copied()
        .filter(|state| *state != HubState::Active)
    {
        let world = World::new();
        let mut inputs = world.inputs(OnUnreachable::Ask);
        inputs.hubs[2].state = state;
        let refused = claims(&inputs, now()).unwrap_err();
        assert_eq!(refused.state, Some(state));
    }
}

#[test]
fn a_route_is_due_at_half_of_its_life() {
    let route = route(1024, 1);
    assert!(!route.is_due(now() + ROUTE_LIFE / 2 - Duration::SECOND));
    assert!(route.is_due(now() + ROUTE_LIFE / 2));
}

#[test]
fn a_renewed_route_tells_the_same_and_a_changed_one_does_not() {
    let first = route(1024, 1);
    let mut renewed = first.clone();
    renewed.issued_at += Duration::HOUR;
    assert!(first.tells_the_same(&renewed));
    renewed.endpoints[0].host = "other.example.net".into();
    assert!(!first.tells_the_same(&renewed));
}

#[test]
fn a_signed_key_set_needs_the_recovery_key_and_never_goes_back() {
    let recovery = PrivateKey::from_seed(&[9; 32]);
    let old = keys().issued_at(now());
    let new =
        KeySet::new([PrivateKey::from_seed(&[3; 32]).public()]).issued_at(now() + Duration::DAY);
    let (old_token, new_token) = (old.sign(&recovery).unwrap(), new.sign(&recovery).unwrap());
    let pinned = recovery.public();
    assert_eq!(
        KeySet::from_signed(&new_token, &pinned, Some(&old)),
        Ok(new.clone())
    );
    assert_eq!(
        KeySet::from_signed(&old_token, &pinned, Some(&new)),
        Err(KeySetError::Older)
    );
    let forged = new.sign(&key()).unwrap();
    assert!(KeySet::from_signed(&forged, &pinned, None).is_err());
}

#[test]
fn a_key_set_survives_json_and_passes_over_other_keys() {
    let mut json = keys().issued_at(now()).to_json().unwrap();
    json["keys"]
        .as_array_mut()
        .unwrap()
        .push(serde_json::json!({"kty": "RSA", "n": "AQAB"}));
    let read = KeySet::from_json(json.to_string().as_bytes()).unwrap();
    assert_eq!(read, keys().issued_at(now()));
    assert!(read.contains(key().id()));
}

/// The example of docs/route.md was made by another implementation.
#[test]
fn the_documented_example_verifies() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/route.md");
    let doc = std::fs::read_to_string(path).unwrap();
    let token = doc.lines().find(|line| line.starts_with("eyJ")).unwrap();
    let x = doc
        .lines()
        .find(|line| line.len() == 43 && !line.contains(' '))
        .unwrap();
    let keys = KeySet::new([PublicKey::from_base64(x).unwrap()]);
    let claims = keys.verify(token).unwrap();
    assert_eq!(claims.order(), (Epoch(2049), 7));
    let slot = claims.slot("device-1").as_millis();
    assert!(
        doc.contains(&format!("the route above: {slot} ms.")),
        "{slot}"
    );
}

/// So were those of waves and of a canary.
#[test]
fn the_documented_decisions_are_those_of_this_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/route.md");
    let doc = std::fs::read_to_string(path).unwrap();
    let block = |heading: &str| {
        let text = doc.split(heading).nth(1).unwrap();
        let block = text.split("```json").nth(1).unwrap();
        let block = block.split("```").next().unwrap();
        serde_json::from_str::<serde_json::Value>(block).unwrap()
    };
    let mut payload = serde_json::to_value(route(2049, 7)).unwrap();
    payload["admission"]["waves"] = block("### Waves");
    payload["canary"] = block("## A canary");
    let claims: RouteClaims = serde_json::from_value(payload).unwrap();
    assert_eq!(claims.admission.window_ms, 1_250_000);
    for device in ["pump-7", "device-7", "device-1"] {
        let slot = claims.slot(device).as_millis();
        assert!(doc.contains(&format!("| `{device}` | ")) && doc.contains(&format!("| {slot} |")));
    }
    assert!(claims.canary_of("device-1").is_none());
    let slot = claims.canary_of("device-50").unwrap();
    let slot = slot.slot("device-50", claims.epoch).as_millis();
    assert!(doc.contains(&format!("slot {slot} ms")), "{slot}");
    let hash = DeviceHash::of("device-1");
    assert!(doc.contains(&format!("`{hash}`")), "{hash}");
}

fn canary<'a>(hub: &'a HubId, cohort: &'a Cohort) -> CanaryInputs<'a> {
    CanaryInputs {
        id: "c-1",
        hub,
        epoch: Epoch(1024),
        cohort,
        started_at: now(),
        until: now() + Duration::minutes(15),
    }
}

#[test]
fn a_canary_stands_beside_the_list_while_its_hub_is_ready_its_epoch_reigns_and_its_time_lasts() {
    let (world, cohort) = (World::new(), Cohort::Percent(5));
    let mut inputs = world.inputs(OnUnreachable::Ask);
    inputs.canary = Some(canary(&world.west, &cohort));
    let told = claims(&inputs, now()).unwrap();
    assert_eq!(hubs(&told), ["east"], "the list is the authority's alone");
    let claim = told.canary().unwrap();
    assert_eq!(claim.endpoint.hub, world.west);
    assert_eq!((claim.window_ms, claim.life().as_secs()), (62_500, 900));
    let token = sign(&told, &key()).unwrap();
    assert_eq!(keys().verify(&token), Ok(told.clone()));

    let over = claims(&inputs, now() + Duration::minutes(15)).unwrap();
    assert!(over.canary.is_none() && !told.tells_the_same(&over));
    for state in HubState::ALL {
        let mut other = inputs.clone();
        other.hubs[0].state = *state;
        let has = claims(&other, now()).unwrap().canary.is_some();
        assert_eq!(has, *state == HubState::Ready, "{state}");
    }
    let mut moved = inputs.clone();
    moved.epoch = Epoch(2048);
    assert!(claims(&moved, now()).unwrap().canary.is_none());
}

#[test]
fn the_slower_hub_sets_the_window_of_a_canary() {
    let (world, cohort) = (World::new(), Cohort::Percent(5));
    let mut inputs = world.inputs(OnUnreachable::Ask);
    inputs.canary = Some(canary(&world.west, &cohort));
    for slow in [0, 2] {
        let mut inputs = inputs.clone();
        inputs.hubs[slow].admission_per_second = 10;
        let told = claims(&inputs, now()).unwrap();
        assert_eq!(told.canary().unwrap().window_ms, 625_000);
    }
}

#[test]
fn a_route_says_when_its_waves_go() {
    let world = World::new();
    let plan = [WavePlan {
        name: "pumps".parse().unwrap(),
        members: Members::Prefixes(vec!["pump-".into()]),
        device_count: 1_000,
    }];
    let mut inputs = world.inputs(OnUnreachable::Ask);
    let without = claims(&inputs, now()).unwrap();
    inputs.waves = &plan;
    let told = claims(&inputs, now()).unwrap();
    assert_eq!(told.admission.window_ms, 1_250_000);
    assert!(told.slot("pump-1").as_millis() < 12_500);
    assert!((12_500..1_250_000).contains(&told.slot("lamp-1").as_millis()));
    assert!(!told.tells_the_same(&without));
    let token = sign(&told, &key()).unwrap();
    assert_eq!(keys().verify(&token), Ok(told));
}

/// A device that is older than its concierge still takes the route.
#[test]
fn a_route_with_claims_of_a_newer_version_is_accepted() {
    let mut payload = serde_json::to_value(route(1024, 1)).unwrap();
    payload["admission"]["waves"] = serde_json::json!({"by": "region"});
    payload["canary"] = serde_json::json!({"id": "c-1", "everybody": true});
    payload["weather"] = "fine".into();
    let bytes = serde_json::to_vec(&payload).unwrap();
    let token = jws::encode(jws::ROUTE_TYPE, &bytes, &key()).unwrap();
    let read = keys().verify(&token).unwrap();
    assert_eq!(read.slot("d-1"), route(1024, 1).slot("d-1"));
    assert!(read.canary_of("d-1").is_none());
    assert!(read.tells_the_same(&route(1024, 1)));
}
