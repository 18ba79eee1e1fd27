//! Orders that are not carried out.

use hubshift_api::fault::reason;
use hubshift_api::pb::registry as pb;
use hubshift_api::pb::registry::{AdoptionState, ExtraAction};
use tonic::Code;
use tonic_types::StatusExt as _;
use uuid::Uuid;

use crate::steps::{applied, apply, differing, execute, fetch, order, plan, planning, told};

#[tokio::test]
async fn a_deletion_that_nobody_counted_is_refused_and_so_is_a_name_that_is_no_extra() {
    let world = differing().await;
    let plan = plan(&world).await;
    let writes = world.west.writes();
    let uncounted = pb::ApplyAdoptionRequest {
        acknowledge_count: 3,
        ..order(&plan, ExtraAction::Delete)
    };
    let refused = apply(&world, uncounted).await.unwrap_err();
    assert_eq!(
        (refused.code(), reason(&refused).as_str()),
        (Code::FailedPrecondition, "EXTRAS_NOT_ACKNOWLEDGED")
    );
    let info = refused.get_details_error_info().unwrap();
    assert_eq!(info.metadata["extra_count"], "4");
    let hidden = pb::ApplyAdoptionRequest {
        acknowledge_count: 0,
        overrides: vec![told("x-1", ExtraAction::Delete)],
        ..order(&plan, ExtraAction::Keep)
    };
    let refused = apply(&world, hidden).await.unwrap_err();
    assert_eq!(reason(&refused), "EXTRAS_NOT_ACKNOWLEDGED");
    let wrong = pb::ApplyAdoptionRequest {
        overrides: vec![
            told("d-001", ExtraAction::Keep),
            told("x-2/m", ExtraAction::Keep),
        ],
        ..order(&plan, ExtraAction::Keep)
    };
    let refused = apply(&world, wrong).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    for part in ["overrides[0]", "goes with `x-2`"] {
        assert!(refused.message().contains(part), "{refused}");
    }
    assert_eq!(world.west.writes(), writes);
    assert_eq!(
        fetch(&world, &plan.name).await.state(),
        AdoptionState::Planned
    );
    world.stop().await;
}

#[tokio::test]
async fn a_plan_is_of_its_epoch_and_its_day() {
    let world = differing().await;
    let plan = plan(&world).await;
    let refusal = || async {
        let refused = apply(&world, order(&plan, ExtraAction::Quarantine)).await;
        reason(&refused.unwrap_err())
    };
    execute(
        &world,
        "update registry.adoption set expire_time = clock_timestamp()",
    )
    .await;
    assert_eq!(refusal().await, "ADOPTION_EXPIRED");
    assert_eq!(
        fetch(&world, &plan.name).await.state(),
        AdoptionState::Expired
    );
    execute(
        &world,
        "update registry.adoption set expire_time = clock_timestamp() + interval '1 hour'",
    )
    .await;
    world.set_state("west", "quarantined").await;
    assert_eq!(refusal().await, "HUB_NOT_STANDBY");
    let planned = world
        .adoptions
        .clone()
        .plan_adoption(planning("west"))
        .await;
    assert_eq!(reason(&planned.unwrap_err()), "HUB_NOT_STANDBY");
    world.fail_over().await;
    world.open_registry().await;
    assert_eq!(refusal().await, "ADOPTION_EXPIRED");
    assert_eq!(
        fetch(&world, &plan.name).await.state(),
        AdoptionState::Expired
    );
    let name = format!("fleets/acme/hubs/west/adoptions/{}", Uuid::new_v4());
    let request = pb::GetAdoptionPlanRequest { name };
    let missing = world.adoptions.clone().get_adoption_plan(request).await;
    assert_eq!(reason(&missing.unwrap_err()), "ADOPTION_NOT_FOUND");
    world.stop().await;
}

#[tokio::test]
async fn nothing_is_written_for_a_rewound_authority_or_during_a_move() {
    let world = differing().await;
    let plan = plan(&world).await;
    let writes = world.west.writes();
    execute(
        &world,
        "insert into registry.scan (scan_id, fleet_id, hub_id, epoch, state, rewound)
         values (gen_random_uuid(), 'acme', 'east', 1024, 'complete', true)",
    )
    .await;
    let failed = apply(&world, order(&plan, ExtraAction::Delete))
        .await
        .unwrap();
    assert_eq!(failed.failure.unwrap().reason, "SOURCE_REWOUND");
    execute(&world, "update registry.scan set rewound = false").await;
    execute(
        &world,
        "update authority.fleet
            set registry_mode = 'frozen', freeze_id = gen_random_uuid(),
                frozen_until = clock_timestamp() + interval '1 hour'",
    )
    .await;
    let failed = apply(&world, order(&plan, ExtraAction::Delete))
        .await
        .unwrap();
    assert_eq!(failed.failure.unwrap().reason, "REGISTRY_CLOSED");
    assert_eq!(world.west.writes(), writes);
    world.open_registry().await;
    // An application that gave up leaves a plan that can be applied.
    let done = applied(&world, order(&plan, ExtraAction::Delete)).await;
    assert_eq!(done.deleted_count, 4, "{done:?}");
    world.stop().await;
}
