//! What every test of adoptions does: two hubs that differ, a plan, an order, and what came of it.

use hubshift_api::pb::registry as pb;
use hubshift_api::pb::registry::task::Result as Outcome;
use hubshift_api::pb::registry::{ExtraAction, ExtraOutcome};
use hubshift_hub::Credentials;
use serde_json::json;
use tonic::Status;
use uuid::Uuid;

use crate::common::World;
use crate::common::hubs::{configuration, device, module, object, sas};

/// What only west has, in the order of the keys.
pub(crate) const EXTRAS: [&str; 4] = ["/configurations/x-all", "x-1", "x-2", "x-2/m"];

/// East has devices that west lacks, and that differ there; west has some that east never had.
pub(crate) async fn differing() -> World {
    let world = World::start().await;
    world.east.create_many(3).await;
    world.east.create(&device("ca", Credentials::Ca)).await;
    world.pass(true).await;
    world.east.create(&device("d-new", sas())).await;
    world
        .east
        .change("d-000", |device| device.tags = object(json!({"room": "5"})))
        .await;
    world.west.create(&device("x-1", sas())).await;
    world.west.create(&device("x-2", sas())).await;
    world.west.create(&module("x-2/m")).await;
    world.west.create(&configuration("x-all", 5)).await;
    world
}

pub(crate) fn planning(hub: &str) -> pb::PlanAdoptionRequest {
    pb::PlanAdoptionRequest {
        fleet: "fleets/acme".into(),
        hub: hub.into(),
        request_id: Uuid::new_v4().to_string(),
    }
}

pub(crate) async fn plan(world: &World) -> pb::AdoptionPlan {
    let task = world
        .adoptions
        .clone()
        .plan_adoption(planning("west"))
        .await;
    let task = world.finished(task.unwrap().into_inner()).await;
    assert_eq!(task.kind, "adoption_plan");
    fetch(world, &result(task).plan).await
}

pub(crate) async fn fetch(world: &World, name: &str) -> pb::AdoptionPlan {
    let request = pb::GetAdoptionPlanRequest { name: name.into() };
    let plan = world.adoptions.clone().get_adoption_plan(request).await;
    plan.unwrap().into_inner()
}

pub(crate) fn result(task: pb::Task) -> pb::AdoptionResult {
    match task.result {
        Some(Outcome::Adoption(result)) => result,
        _ => panic!("{task:?}"),
    }
}

/// An order that acknowledges what the plan says.
pub(crate) fn order(plan: &pb::AdoptionPlan, extras: ExtraAction) -> pb::ApplyAdoptionRequest {
    pb::ApplyAdoptionRequest {
        name: plan.name.clone(),
        extras: extras.into(),
        overrides: Vec::new(),
        acknowledge_count: plan.extra_count,
        request_id: Uuid::new_v4().to_string(),
    }
}

pub(crate) fn told(device: &str, action: ExtraAction) -> pb::ExtraOverride {
    pb::ExtraOverride {
        device: device.into(),
        action: action.into(),
    }
}

pub(crate) async fn apply(
    world: &World,
    order: pb::ApplyAdoptionRequest,
) -> Result<pb::Task, Status> {
    let task = world.adoptions.clone().apply_adoption(order).await?;
    Ok(world.finished(task.into_inner()).await)
}

pub(crate) async fn applied(world: &World, order: pb::ApplyAdoptionRequest) -> pb::AdoptionResult {
    result(apply(world, order).await.unwrap())
}

pub(crate) async fn extras(world: &World, plan: &pb::AdoptionPlan) -> Vec<pb::AdoptionExtra> {
    let (mut found, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = pb::ListExtrasRequest {
            parent: plan.name.clone(),
            page_size: 3,
            page_token,
        };
        let page = world.adoptions.clone().list_extras(request).await;
        let page = page.unwrap().into_inner();
        found.extend(page.extras);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return found;
        }
    }
}

pub(crate) async fn outcome_of(
    world: &World,
    plan: &pb::AdoptionPlan,
    key: &str,
) -> (ExtraOutcome, String) {
    let extras = extras(world, plan).await;
    let extra = extras.into_iter().find(|extra| extra.device == key);
    let extra = extra.unwrap();
    (extra.outcome(), extra.detail)
}

pub(crate) async fn execute(world: &World, sql: &'static str) {
    sqlx::query(sql).execute(&world.admin).await.unwrap();
}
