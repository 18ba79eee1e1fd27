//! `MergeService` on the wire.

use std::sync::Arc;

use hubshift_api::pb::merge as pb;
use hubshift_api::pb::merge::merge_service_server::MergeService;
use hubshift_api::validate::Checks;
use hubshift_domain::id::FleetId;
use hubshift_domain::merge::Choice;
use hubshift_shell::Caller;
use hubshift_store::{idem, page};
use serde::de::DeserializeOwned;
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::app::{App, Approval, Decision, Order, Wanted};
use crate::source::Source;
use crate::store::conflict::Filter;

/// The shapes of names.
const MERGE: &str = "fleets/{fleet}/merges/{merge}";
const CONFLICT: &str = "fleets/{fleet}/conflicts/{conflict}";
/// Back ends' stores of one merge at most.
const MAX_SOURCES: usize = 16;

/// The service over the application.
#[derive(Debug, Clone)]
pub(crate) struct MergeRpc {
    pub(crate) app: Arc<App>,
}

#[tonic::async_trait]
impl MergeService for MergeRpc {
    async fn plan_merge(
        &self,
        request: Request<pb::PlanMergeRequest>,
    ) -> Result<Response<pb::Merge>, Status> {
        let caller = Caller::of(&request).name;
        let message = request.into_inner();
        let (request_id, order) = order(&message)?;
        let request = idem::Request::new(&caller, "PlanMerge", request_id, &message);
        Ok(Response::new(self.app.plan_merge(&request, &order).await?))
    }

    async fn get_merge(
        &self,
        request: Request<pb::GetMergeRequest>,
    ) -> Result<Response<pb::Merge>, Status> {
        let mut checks = Checks::new();
        let named = checks.child("name", &request.get_ref().name, "merges", MERGE);
        let (fleet, merge_id) = checks.require(named)?;
        Ok(Response::new(self.app.get_merge(&fleet, merge_id).await?))
    }

    async fn list_merges(
        &self,
        request: Request<pb::ListMergesRequest>,
    ) -> Result<Response<pb::ListMergesResponse>, Status> {
        let message = request.into_inner();
        let list = format!("{}/merges", message.parent);
        let mut checks = Checks::new();
        let fleet = checks.fleet("parent", &message.parent);
        let limit = checks.page_size(message.page_size);
        let before: Option<Uuid> = token(&mut checks, &list, &message.page_token);
        let fleet = checks.require(fleet)?;
        let (merges, last) = self.app.list_merges(&fleet, before, limit).await?;
        let next_page_token = last
            .map(|last| page::token(&list, &last))
            .unwrap_or_default();
        Ok(Response::new(pb::ListMergesResponse {
            merges,
            next_page_token,
        }))
    }

    async fn list_conflicts(
        &self,
        request: Request<pb::ListConflictsRequest>,
    ) -> Result<Response<pb::ListConflictsResponse>, Status> {
        let message = request.into_inner();
        let state = message.state().as_str_name();
        let list = format!("{}/conflicts/{}/{state}", message.parent, message.merge);
        let wanted = wanted(&message, &list)?;
        let (conflicts, last) = self.app.list_conflicts(wanted).await?;
        let next_page_token = last
            .map(|last| page::token(&list, &last))
            .unwrap_or_default();
        Ok(Response::new(pb::ListConflictsResponse {
            conflicts,
            next_page_token,
        }))
    }

    async fn resolve_conflict(
        &self,
        request: Request<pb::ResolveConflictRequest>,
    ) -> Result<Response<pb::Conflict>, Status> {
        let caller = Caller::of(&request).name;
        let message = request.into_inner();
        let (request_id, decision) = decision(&message, &caller)?;
        let request = idem::Request::new(&caller, "ResolveConflict", request_id, &message);
        Ok(Response::new(
            self.app.resolve_conflict(&request, &decision).await?,
        ))
    }

    async fn apply_merge(
        &self,
        request: Request<pb::ApplyMergeRequest>,
    ) -> Result<Response<pb::Merge>, Status> {
        let caller = Caller::of(&request).name;
        let message = request.into_inner();
        let mut checks = Checks::new();
        let named = checks.child("name", &message.name, "merges", MERGE);
        checks.text("plan_id", &message.plan_id, 128);
        let request_id = checks.request_id(&message.request_id);
        let ((fleet, merge_id), request_id) = checks.require(named.zip(request_id))?;
        let approval = Approval {
            fleet,
            merge_id,
            plan_id: message.plan_id.clone(),
            override_breakers: message.override_breakers,
        };
        let request = idem::Request::new(&caller, "ApplyMerge", request_id, &message);
        Ok(Response::new(
            self.app.apply_merge(&request, &approval).await?,
        ))
    }

    async fn get_merge_status(
        &self,
        request: Request<pb::GetMergeStatusRequest>,
    ) -> Result<Response<pb::MergeStatus>, Status> {
        let message = request.into_inner();
        let mut checks = Checks::new();
        let fleet = checks.fleet("fleet", &message.fleet);
        if !message.hub.is_empty() {
            checks.hub("hub", &message.hub);
        }
        let fleet = checks.require(fleet)?;
        Ok(Response::new(
            self.app.merge_status(&fleet, &message.hub).await?,
        ))
    }
}

fn order(message: &pb::PlanMergeRequest) -> Result<(Uuid, Order), Status> {
    let mut checks = Checks::new();
    let fleet = checks.fleet("fleet", &message.fleet);
    let recovered = checks.hub("recovered_hub", &message.recovered_hub);
    let request_id = checks.request_id(&message.request_id);
    let sources = &message.metadata_sources;
    if sources.len() > MAX_SOURCES {
        checks.violation("metadata_sources", format!("has more than {MAX_SOURCES}"));
    }
    for (number, url) in sources.iter().enumerate() {
        if let Err(error) = Source::at(url) {
            checks.violation(&format!("metadata_sources[{number}]"), error.to_string());
        }
    }
    let all = fleet.zip(recovered).zip(request_id);
    let ((fleet, recovered), request_id) = checks.require(all)?;
    Ok((
        request_id,
        Order {
            fleet,
            recovered,
            sources: sources.clone(),
        },
    ))
}

fn wanted(message: &pb::ListConflictsRequest, list: &str) -> Result<Wanted, Status> {
    let mut checks = Checks::new();
    let fleet = checks.fleet("parent", &message.parent);
    let limit = checks.page_size(message.page_size);
    let after = token(&mut checks, list, &message.page_token);
    let merge_id = merge_id(&mut checks, fleet.as_ref(), &message.merge);
    let state = match message.state() {
        pb::ConflictState::Unspecified => None,
        pb::ConflictState::Auto => Some("auto"),
        pb::ConflictState::Held => Some("held"),
        pb::ConflictState::Resolved => Some("resolved"),
    };
    let fleet = checks.require(fleet)?;
    Ok(Wanted {
        fleet,
        filter: Filter { merge_id, state },
        after,
        limit,
    })
}

fn merge_id(checks: &mut Checks, fleet: Option<&FleetId>, name: &str) -> Option<Uuid> {
    if name.is_empty() {
        return None;
    }
    let (of_fleet, merge_id) = checks.child("merge", name, "merges", MERGE)?;
    if fleet.is_some_and(|fleet| *fleet != of_fleet) {
        checks.violation("merge", "is of another fleet than parent");
    }
    Some(merge_id)
}

fn decision(
    message: &pb::ResolveConflictRequest,
    caller: &str,
) -> Result<(Uuid, Decision), Status> {
    let mut checks = Checks::new();
    let named = checks.child("name", &message.name, "conflicts", CONFLICT);
    let request_id = checks.request_id(&message.request_id);
    let choice = match message.choice() {
        pb::Choice::Primary => Some(Choice::Primary),
        pb::Choice::Secondary => Some(Choice::Secondary),
        pb::Choice::Unspecified => {
            checks.violation(
                "choice",
                "is required: the recovered hub's or the active hub's",
            );
            None
        }
    };
    if message.resolver.chars().count() > 128 {
        checks.violation("resolver", "has more than 128 characters");
    }
    let all = named.zip(request_id).zip(choice);
    let (((fleet, conflict_id), request_id), choice) = checks.require(all)?;
    let resolver = match message.resolver.as_str() {
        "" => caller.to_owned(),
        name => name.to_owned(),
    };
    Ok((
        request_id,
        Decision {
            fleet,
            conflict_id,
            choice,
            resolver,
        },
    ))
}

fn token<T: DeserializeOwned>(checks: &mut Checks, list: &str, text: &str) -> Option<T> {
    let parsed = page::parse(list, text);
    parsed
        .map_err(|error| checks.violation("page_token", error.to_string()))
        .ok()
        .flatten()
}
