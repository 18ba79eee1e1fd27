//! Adopting a standby: what a plan says, and that only what was told becomes of what only the
//! standby has.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests fail as tests do"
)]

mod changed;
#[path = "../common/mod.rs"]
mod common;
mod refused;
mod steps;

use common::EAST_REIGNS;
use common::hubs::{device, module, sas};
use hubshift_api::fault::reason;
use hubshift_api::pb::registry as pb;
use hubshift_api::pb::registry::{AdoptionState, ExtraAction, ExtraOutcome};

use steps::{EXTRAS, applied, apply, differing, extras, fetch, order, outcome_of, plan, told};

/// What a quarantined device is disabled for.
const QUARANTINED: &str = "quarantined by hubshift adoption";

#[tokio::test]
async fn a_plan_says_what_differs_and_what_is_lost_and_writes_nothing() {
    let world = differing().await;
    let writes = (world.east.writes(), world.west.writes());
    let plan = plan(&world).await;
    assert_eq!(plan.state(), AdoptionState::Planned);
    assert_eq!(plan.epoch, EAST_REIGNS as u64);
    let counts = (plan.equal_count, plan.missing_count, plan.different_count);
    assert_eq!(counts, (3, 1, 1), "{plan:?}");
    assert_eq!((plan.gone_count, plan.extra_count), (0, 4));
    let (source, target) = (plan.source.clone().unwrap(), plan.target.clone().unwrap());
    assert_eq!((source.hub.as_str(), source.record_count), ("east", 5));
    assert_eq!((target.hub.as_str(), target.record_count), ("west", 8));
    let made = plan.create_time.as_ref().unwrap().seconds;
    let day = plan.expire_time.as_ref().unwrap().seconds - made;
    assert!((86_399..=86_401).contains(&day), "{day}");
    let lost = |reason: &str| {
        let loss = plan.losses.iter().find(|loss| loss.reason == reason);
        loss.map(|loss| loss.count)
    };
    assert_eq!(lost("CA_CERTIFICATES"), Some(1));
    assert_eq!(lost("CLOUD_TO_DEVICE_MESSAGES"), Some(0), "not known");
    assert_eq!(lost("EDGE_SCOPES"), None, "there is none");
    assert!(plan.estimate.contains("by calls"), "{}", plan.estimate);
    assert!(plan.fence.contains("loss window stays open"));
    let found = extras(&world, &plan).await;
    let keys: Vec<&str> = found.iter().map(|extra| extra.device.as_str()).collect();
    assert_eq!(keys, EXTRAS);
    assert_eq!(found[3].goes_with, "x-2");
    assert!(
        found
            .iter()
            .all(|extra| extra.outcome() == ExtraOutcome::Unspecified)
    );
    assert_eq!((world.east.writes(), world.west.writes()), writes);
    // Without an order nothing happens to them, whatever else is done.
    world.pass(true).await;
    for key in EXTRAS {
        assert!(world.west.get(key).await.is_some(), "{key}");
    }
    assert_eq!(
        fetch(&world, &plan.name).await.state(),
        AdoptionState::Planned
    );
    world.stop().await;
}

#[tokio::test]
async fn what_somebody_left_at_a_standby_does_not_make_it_unequal() {
    let world = differing().await;
    let plan = plan(&world).await;
    world.pass(true).await;
    assert!(
        !world.verify().await.equal,
        "nobody decided about the extras"
    );
    applied(&world, order(&plan, ExtraAction::Keep)).await;
    let verified = world.verify().await;
    assert!(verified.equal, "{verified:?}");
    // Another life of one of them is not what was decided about.
    world.west.delete("x-1").await;
    world.west.create(&device("x-1", sas())).await;
    assert!(!world.verify().await.equal);
    world.stop().await;
}

#[tokio::test]
async fn what_is_kept_is_not_touched_and_the_plan_is_history() {
    let world = differing().await;
    let plan = plan(&world).await;
    let writes = world.west.writes();
    let keep = order(&plan, ExtraAction::Keep);
    let done = applied(&world, keep.clone()).await;
    assert_eq!((done.kept_count, done.extra_count), (4, 4), "{done:?}");
    assert_eq!(world.west.writes(), writes);
    let after = fetch(&world, &plan.name).await;
    assert_eq!(after.state(), AdoptionState::Applied);
    assert_eq!(after.extras(), ExtraAction::Keep);
    assert!(after.apply_time.is_some());
    let again = applied(&world, keep).await;
    assert_eq!(again, done, "the same request is the same task");
    let refused = apply(&world, order(&plan, ExtraAction::Delete)).await;
    assert_eq!(reason(&refused.unwrap_err()), "ADOPTION_APPLIED");
    world.stop().await;
}

#[tokio::test]
async fn a_quarantined_device_cannot_connect_and_loses_nothing() {
    let world = differing().await;
    let mut stolen = device("x-3", sas());
    stolen.identity.enabled = false;
    stolen.identity.status_reason = Some("stolen".into());
    world.west.create(&stolen).await;
    let plan = plan(&world).await;
    let before = world.west.get("x-1").await.unwrap();
    let writes = world.west.writes();
    let done = applied(&world, order(&plan, ExtraAction::Quarantine)).await;
    let counts = (done.quarantined_count, done.kept_count, done.stale_count);
    assert_eq!(counts, (4, 1, 0), "{done:?}");
    assert_eq!(world.west.writes() - writes, 2, "x-1 and x-2 alone");
    let after = world.west.get("x-1").await.unwrap();
    assert!(!after.identity.enabled);
    assert_eq!(after.identity.status_reason.as_deref(), Some(QUARANTINED));
    assert_eq!(after.identity.credentials, before.identity.credentials);
    assert_eq!((after.tags, after.desired), (before.tags, before.desired));
    let stolen = world.west.get("x-3").await.unwrap();
    assert_eq!(stolen.identity.status_reason.as_deref(), Some("stolen"));
    let (outcome, detail) = outcome_of(&world, &plan, "/configurations/x-all").await;
    assert_eq!(outcome, ExtraOutcome::Kept);
    assert!(detail.contains("only a device"), "{detail}");
    // It stays what it is: an extra, that passes leave alone.
    world.pass(true).await;
    assert!(!world.west.get("x-2").await.unwrap().identity.enabled);
    assert_eq!(self::plan(&world).await.extra_count, 5);
    world.stop().await;
}

#[tokio::test]
async fn a_deleted_extra_leaves_its_id_to_whoever_makes_it_at_the_active_hub() {
    let world = differing().await;
    let plan = plan(&world).await;
    let done = applied(&world, order(&plan, ExtraAction::Delete)).await;
    assert_eq!((done.deleted_count, done.stale_count), (4, 0), "{done:?}");
    for key in EXTRAS {
        assert!(world.west.get(key).await.is_none(), "{key}");
        assert!(world.tombstones(key).await.is_empty(), "{key}");
    }
    world.east.create(&device("x-2", sas())).await;
    world.east.create(&module("x-2/other")).await;
    let pass = world.pass(false).await;
    assert_eq!(pass.pending_count, 0, "{pass:?}");
    for key in ["x-2", "x-2/other"] {
        let (east, west) = (world.east.get(key).await, world.west.get(key).await);
        assert_eq!(east.unwrap().identity, west.unwrap().identity, "{key}");
    }
    let scan = world.scan("west").await;
    assert!(!scan.rewound, "{}", scan.rewound_evidence);
    let verified = world.verify().await;
    assert!(verified.equal, "{verified:?}");
    world.stop().await;
}

#[tokio::test]
async fn each_extra_gets_what_was_told_about_it() {
    let world = differing().await;
    let plan = plan(&world).await;
    let done = pb::ApplyAdoptionRequest {
        overrides: vec![
            told("x-1", ExtraAction::Quarantine),
            told("x-2", ExtraAction::Delete),
        ],
        ..order(&plan, ExtraAction::Keep)
    };
    let done = applied(&world, done).await;
    let counts = (done.kept_count, done.quarantined_count, done.deleted_count);
    assert_eq!(counts, (1, 1, 2), "{done:?}");
    assert!(!world.west.get("x-1").await.unwrap().identity.enabled);
    assert!(world.west.get("x-2").await.is_none());
    assert!(world.west.get("/configurations/x-all").await.is_some());
    world.stop().await;
}
