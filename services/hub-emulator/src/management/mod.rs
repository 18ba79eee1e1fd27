//! A stand-in for what stands before a hub in Azure: Entra, which gives tokens to applications,
//! and the resource manager, which closes a hub to the network and gives it new keys.
//!
//! Owns the hub as a resource. Nothing is durable: a restarted hub is open and has the keys of its
//! command line.
//!
//! Keeps true: when a change has been answered, no call is carried out that it forbids.

mod answer;
mod id;
mod keys;
mod resource;
mod token;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Body;
use http::request::Parts;
use http::uri::Authority;
use http::{Method, Request, Response};
use hubshift_azure::etag::IfMatch;
use hubshift_azure::path;
use hyper::body::Incoming;
use time::OffsetDateTime;

use crate::access::{Audience, Role, bearer_token};
use crate::app::{self, App, Dropped};
use crate::server::{Line, Site};

use answer::{Problem, json};
use resource::{Change, Resource};

pub(crate) use id::ResourceId;

/// The largest body that is read.
const MAX_BODY: usize = 1024 * 1024;
/// The versions of the resource manager's API that are spoken.
const VERSIONS: [&str; 2] = ["2021-07-02", "2023-06-30"];

/// The stand-in.
pub(crate) struct Management {
    app: Arc<App>,
    /// The only hub there is; nothing means that every name is this one's.
    only: Option<ResourceId>,
    resource: Mutex<Resource>,
}

/// What is asked for.
enum Call {
    Token,
    Get(ResourceId),
    Put(ResourceId),
    ListKeys(ResourceId),
}

impl Management {
    /// `host` is the hub's name as connection strings have it.
    pub(crate) fn new(app: Arc<App>, only: Option<ResourceId>, host: String) -> Self {
        let quota = app.throttle.settings().quota();
        Self {
            app,
            only,
            resource: Mutex::new(Resource::new(host, quota)),
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Body>, Problem> {
        let (head, body) = request.into_parts();
        let body = axum::body::to_bytes(Body::new(body), MAX_BODY)
            .await
            .map_err(|_| Problem::bad_request("RequestContentInvalid", "no body can be read"))?;
        let call = find(&head.method, head.uri.path())?;
        if !matches!(call, Call::Token) {
            check_version(&head)?;
            self.check_caller(&head)?;
        }
        self.carry_out(call, &head, &body).await
    }

    async fn carry_out(
        &self,
        call: Call,
        head: &Parts,
        body: &[u8],
    ) -> Result<Response<Body>, Problem> {
        match call {
            Call::Token => Ok(self.token(head, body)),
            Call::Get(id) => {
                self.check_id(&id)?;
                let is_public = self.app.is_public().await;
                Ok(json(&self.resource().view(&id, is_public)))
            }
            Call::Put(id) => {
                self.check_id(&id)?;
                let change = Change::read(body)?;
                let if_match = app::text(head, "if-match").map(IfMatch::parse);
                self.put(&id, change, if_match.as_ref()).await
            }
            Call::ListKeys(id) => {
                self.check_id(&id)?;
                Ok(json(&keys::list(&self.app.access.policies.all())))
            }
        }
    }

    fn token(&self, head: &Parts, body: &[u8]) -> Response<Body> {
        let host = head.uri.authority().map(Authority::as_str);
        let host = host.or_else(|| app::text(head, "host"));
        let now = OffsetDateTime::now_utc();
        token::issue(&self.app.access.bearers, body, host, now)
    }

    /// Changes all of it or nothing, while no call is under way.
    async fn put(
        &self,
        id: &ResourceId,
        mut change: Change,
        if_match: Option<&IfMatch>,
    ) -> Result<Response<Body>, Problem> {
        let mut gate = self.app.hold_gate().await;
        let mut resource = self.resource();
        resource.check_etag(if_match)?;
        if let Some(policies) = change.policies.take() {
            self.app.access.policies.replace(policies);
        }
        *gate = change.is_public;
        resource.apply(change);
        Ok(json(&resource.view(id, *gate)))
    }

    /// The resource manager is for applications that may contribute to the resource.
    fn check_caller(&self, head: &Parts) -> Result<(), Problem> {
        let token = app::authorization(head).and_then(bearer_token);
        let token = token.ok_or_else(Problem::unauthenticated)?;
        let now = OffsetDateTime::now_utc();
        let role = self
            .app
            .access
            .bearers
            .role(token, Audience::Management, now);
        match role {
            Some(Role::Contributor) => Ok(()),
            Some(_) => Err(Problem::forbidden()),
            None => Err(Problem::unauthenticated()),
        }
    }

    fn check_id(&self, id: &ResourceId) -> Result<(), Problem> {
        match &self.only {
            Some(only) if !only.is_same(id) => Err(Problem::not_found()),
            _ => Ok(()),
        }
    }

    fn resource(&self) -> MutexGuard<'_, Resource> {
        self.resource.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Site for Management {
    async fn handle(
        self: Arc<Self>,
        request: Request<Incoming>,
        _line: Arc<Line>,
    ) -> Result<Response<Body>, Dropped> {
        let answer = self.answer(request).await;
        Ok(answer.unwrap_or_else(Problem::into_response))
    }

    /// A hub's faults are its own: the resource manager is somewhere else.
    async fn refused(self: Arc<Self>) {
        std::future::pending().await
    }
}

fn find(method: &Method, raw_path: &str) -> Result<Call, Problem> {
    let segments = path::split(raw_path).ok_or_else(Problem::not_found)?;
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    if let [_tenant, "oauth2", "v2.0", "token"] = segments.as_slice() {
        return match *method {
            Method::POST => Ok(Call::Token),
            _ => Err(Problem::not_allowed()),
        };
    }
    let (id, rest) = ResourceId::split(&segments).ok_or_else(Problem::not_found)?;
    match rest {
        [] if method == Method::GET => Ok(Call::Get(id)),
        [] if method == Method::PUT => Ok(Call::Put(id)),
        [action] if action.eq_ignore_ascii_case("listkeys") && method == Method::POST => {
            Ok(Call::ListKeys(id))
        }
        [] => Err(Problem::not_allowed()),
        _ => Err(Problem::not_found()),
    }
}

fn check_version(head: &Parts) -> Result<(), Problem> {
    match app::parameter(head, "api-version") {
        Some(version) if VERSIONS.contains(&version) => Ok(()),
        Some(_) => Err(Problem::bad_request(
            "InvalidApiVersionParameter",
            "the api-version is not supported",
        )),
        None => Err(Problem::bad_request(
            "MissingApiVersionParameter",
            "the query parameter api-version is missing",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HUB: &str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Devices/IotHubs/h";

    fn found(method: &Method, path: &str) -> Result<Call, u16> {
        find(method, path).map_err(|problem| problem.into_response().status().as_u16())
    }

    #[test]
    fn paths_are_matched_in_any_case_and_methods_are_not() {
        let path = HUB.replace("resourceGroups", "resourcegroups");
        assert!(matches!(found(&Method::GET, &path), Ok(Call::Get(_))));
        assert!(matches!(found(&Method::PUT, HUB), Ok(Call::Put(_))));
        let keys = format!("{HUB}/listKeys");
        let listed = found(&Method::POST, &keys);
        assert!(matches!(listed, Ok(Call::ListKeys(id)) if id.name() == "h"));
        assert!(matches!(found(&Method::GET, &keys), Err(404)));
        assert!(matches!(found(&Method::PATCH, HUB), Err(405)));
        assert!(matches!(found(&Method::GET, "/subscriptions/s"), Err(404)));
        let token = "/any-tenant/oauth2/v2.0/token";
        assert!(matches!(found(&Method::POST, token), Ok(Call::Token)));
        assert!(matches!(found(&Method::GET, token), Err(405)));
    }
}
