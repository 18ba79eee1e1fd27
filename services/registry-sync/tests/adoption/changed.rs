//! What happened since the plan, at the hubs and to who applies it.

use hubshift_api::fault::reason;
use hubshift_api::pb::registry as pb;
use hubshift_api::pb::registry::{AdoptionState, ExtraAction, ExtraOutcome};
use hubshift_emulator::OutageMode;
use hubshift_testkit::eventually;
use serde_json::json;
use tonic::Code;
use uuid::Uuid;

use crate::common::PATIENCE;
use crate::common::hubs::{device, module, object, sas};
use crate::steps::{
    applied, apply, differing, execute, fetch, order, outcome_of, plan, result, told,
};

#[tokio::test]
async fn what_changed_since_the_plan_is_left_alone() {
    let world = differing().await;
    for id in ["x-3", "x-4", "x-5"] {
        world.west.create(&device(id, sas())).await;
    }
    let plan = plan(&world).await;
    let tags = object(json!({"room": "9"}));
    world
        .west
        .change("x-1", |device| device.tags = tags.clone())
        .await;
    world
        .west
        .change("x-2/m", |module| module.tags = tags.clone())
        .await;
    // Made again, to the letter.
    let found = world.west.get("x-3").await.unwrap();
    world.west.delete("x-3").await;
    let mut again = device("x-3", found.identity.credentials);
    (again.tags, again.desired) = (found.tags, found.desired);
    world.west.create(&again).await;
    // A module that the plan does not know; a pass finds it.
    world.west.create(&module("x-4/n")).await;
    world.pass(false).await;
    let writes = world.west.writes();
    let done = applied(&world, order(&plan, ExtraAction::Delete)).await;
    let counts = (done.stale_count, done.deleted_count);
    assert_eq!(counts, (5, 2), "{done:?}");
    assert_eq!(world.west.writes() - writes, 2, "x-5 and the configuration");
    for key in ["x-1", "x-2", "x-2/m", "x-3", "x-4", "x-4/n"] {
        assert!(world.west.get(key).await.is_some(), "{key}");
    }
    let (outcome, detail) = outcome_of(&world, &plan, "x-1").await;
    assert_eq!(outcome, ExtraOutcome::Stale);
    assert!(detail.contains("changed"), "{detail}");
    world.stop().await;
}

#[tokio::test]
async fn what_the_active_hub_has_by_now_is_left_to_replication() {
    let world = differing().await;
    let plan = plan(&world).await;
    let made = device("x-1", sas());
    world.east.create(&made).await;
    let done = applied(&world, order(&plan, ExtraAction::Delete)).await;
    assert_eq!((done.stale_count, done.deleted_count), (1, 3), "{done:?}");
    let (outcome, detail) = outcome_of(&world, &plan, "x-1").await;
    assert_eq!(outcome, ExtraOutcome::Stale);
    assert!(detail.contains("active hub"), "{detail}");
    assert!(world.west.get("x-1").await.is_some());
    world.pass(false).await;
    let west = world.west.get("x-1").await.unwrap();
    assert_eq!(west.identity.credentials, made.identity.credentials);
    world.stop().await;
}

#[tokio::test]
async fn an_application_that_was_interrupted_goes_on_and_does_nothing_twice() {
    let world = differing().await;
    let plan = plan(&world).await;
    world.west.running.set_outage(OutageMode::Refuse);
    let request = pb::ApplyAdoptionRequest {
        overrides: vec![told("x-1", ExtraAction::Quarantine)],
        ..order(&plan, ExtraAction::Delete)
    };
    let task = world
        .adoptions
        .clone()
        .apply_adoption(request.clone())
        .await;
    let task = task.unwrap().into_inner();
    let failed_once = || async {
        let failed: i64 = sqlx::query_scalar(
            "select count(*) from flow.event where phase = 'failed' and step = 'apply'",
        )
        .fetch_one(&world.admin)
        .await
        .unwrap();
        failed > 0
    };
    assert!(eventually(PATIENCE, failed_once).await);
    assert_eq!(
        fetch(&world, &plan.name).await.state(),
        AdoptionState::Applying
    );
    let other = apply(&world, order(&plan, ExtraAction::Keep))
        .await
        .unwrap_err();
    assert_eq!(
        (other.code(), reason(&other).as_str()),
        (Code::Aborted, "ADOPTION_ACTIVE")
    );
    world.west.running.set_outage(OutageMode::None);
    let done = result(world.finished(task).await);
    assert_eq!(
        (done.quarantined_count, done.deleted_count),
        (1, 3),
        "{done:?}"
    );
    // As a crash leaves it that came after the calls and before they were noted.
    execute(
        &world,
        "update registry.adoption_extra set outcome = null, outcome_time = null, detail = ''",
    )
    .await;
    execute(&world, "update registry.adoption set apply_time = null").await;
    let writes = world.west.writes();
    let request_id = Uuid::new_v4().to_string();
    let again = pb::ApplyAdoptionRequest {
        request_id,
        ..request
    };
    assert_eq!(applied(&world, again).await, done);
    assert_eq!(world.west.writes(), writes);
    world.stop().await;
}
