//! `PlanPass`: what a pass would do, to the wire.

use hubshift_api::pb::registry as pb;
use hubshift_api::validate::Checks;
use hubshift_api::{fault, times};
use hubshift_domain::id::HubId;
use hubshift_domain::seeding::Way;
use tonic::{Code, Status};

use super::super::find;
use crate::app::pass_plan::{self, Limit, PassPlan};
use crate::authority::FleetView;
use crate::deps::Deps;

pub(super) async fn plan(deps: &Deps, body: pb::PlanPassRequest) -> Result<pb::PassPlan, Status> {
    let mut checks = Checks::new();
    let fleet = checks.fleet("fleet", &body.fleet);
    let target = checks.hub("target_hub", &body.target_hub);
    let (fleet, target) = checks.require(fleet.zip(target))?;
    let view = find::fleet(deps, &fleet).await?;
    for hub in [&view.active_hub, &target] {
        find::connected(deps, &view, hub).await?;
    }
    if target == view.active_hub {
        let text = format!("hub {target} is active; a pass goes from it to a standby");
        return Err(fault::status(
            Code::FailedPrecondition,
            "HUB_NOT_STANDBY",
            text,
        ));
    }
    let plan = pass_plan::plan(deps, &view, &target).await?;
    Ok(to_wire(&view, &target, plan))
}

fn to_wire(view: &FleetView, target: &HubId, plan: PassPlan) -> pb::PassPlan {
    let (text, estimate) = (plan.text(), plan.estimate);
    let by_calls = estimate.is_limited.then_some(estimate.by_calls);
    let way = match estimate.choice {
        Way::Calls => pb::pass_plan::Way::Calls,
        Way::Job => pb::pass_plan::Way::Job,
    };
    pb::PassPlan {
        fleet: view.fleet.name(),
        source_hub: view.active_hub.to_string(),
        target_hub: target.to_string(),
        as_of: plan.as_of.map(times::timestamp),
        create_count: plan.work.creates,
        update_count: plan.work.updates,
        delete_count: plan.work.deletes,
        unchanged_count: plan.unchanged,
        extra_count: plan.extras,
        unknowns: plan.unknowns,
        read_seconds: plan.reading.map(|time| time.as_secs_f64()),
        by_calls_seconds: by_calls.map(|time| time.as_secs_f64()),
        by_job_seconds: estimate.by_job.map(|time| time.as_secs_f64()),
        way: way.into(),
        limits: plan.limits.into_iter().map(limit).collect(),
        text,
    }
}

fn limit(limit: Limit) -> pb::ClassLimit {
    pb::ClassLimit {
        hub: limit.hub.to_string(),
        class: limit.class.to_owned(),
        call_count: limit.calls,
        calls_per_second: limit.rate,
    }
}
