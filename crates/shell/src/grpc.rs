//! Serving gRPC, and calling it.
//!
//! A listener's services share one stack, outermost first: span and RED metrics
//! (`hubshift_rpc_total`, `hubshift_rpc_seconds`), panics into `INTERNAL`, deadline, guard. Message
//! sizes are limited where a service is made (tonic decodes at most 4 MiB by default); there is
//! no limit on a whole body, because streams have none.

mod channel;
mod deadline;
mod guard;
mod health;
mod methods;
mod observe;
pub(crate) mod panic;
mod reflection;
mod watched;

use std::convert::Infallible;

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use http::{HeaderMap, Request, StatusCode, header};
use hubshift_api::fault;
use tonic::server::NamedService;
use tonic::service::Routes;
use tonic::{Code, Status};
use tonic_health::pb::health_server::HealthServer;
use tower::Service;
use tower_http::catch_panic::CatchPanicLayer;

pub use channel::{Endpoint, GrpcChannel, channel, deadline};
pub use health::Health;
pub use observe::LongLived;

use guard::Guard;

/// Builds the router of a gRPC listener; `grpc.health.v1` is always part of it.
///
/// The router may be merged with plain HTTP routes. It brings the fallback: an unknown method is
/// `UNIMPLEMENTED`, any other unknown path is 404.
#[derive(Debug)]
pub struct GrpcServer {
    routes: Routes,
    names: Vec<&'static str>,
    reflection: bool,
    guard: Option<Guard>,
}

impl GrpcServer {
    /// A server with nothing but health, without reflection.
    pub fn new(health: Health) -> Self {
        Self {
            routes: Routes::default(),
            names: Vec::new(),
            reflection: false,
            guard: None,
        }
        .add(HealthServer::new(health))
    }

    /// Adds a generated service (`XServer::new(…)`).
    #[must_use]
    #[allow(clippy::should_implement_trait, reason = "tonic calls it so")]
    pub fn add<S>(mut self, service: S) -> Self
    where
        S: Service<Request<tonic::body::Body>, Error = Infallible>
            + NamedService
            + Clone
            + Send
            + Sync
            + 'static,
        S::Response: IntoResponse,
        S::Future: Send + 'static,
    {
        self.names.push(S::NAME);
        self.routes = self.routes.add_service(service);
        self
    }

    /// Serves a method (`/package.Service/Method`) by a handler of its own instead of the generated
    /// service's, behind the same layers: for a stream whose body is worth making by hand.
    #[must_use]
    pub fn route(mut self, path: &str, handler: MethodRouter) -> Self {
        let router = std::mem::take(self.routes.axum_router_mut());
        *self.routes.axum_router_mut() = router.route(path, handler);
        self
    }

    /// Whether clients may ask which services and messages there are (reflection v1). It lists
    /// the services that were added, and no other. Not for listeners that devices reach.
    #[must_use]
    pub fn reflection(mut self, enabled: bool) -> Self {
        self.reflection = enabled;
        self
    }

    /// Asks this before every call; what it refuses is answered so. Health and reflection are
    /// not asked about.
    #[must_use]
    pub fn guarded(mut self, ask: impl Fn() -> Result<(), Status> + Send + Sync + 'static) -> Self {
        self.guard = Some(Guard::new(ask));
        self
    }

    /// The router, with every layer around it.
    pub fn into_router(self) -> Router {
        let routes = if self.reflection {
            reflection::add_to(self.routes, &self.names)
        } else {
            self.routes
        };
        let mut router = routes.into_axum_router().fallback(unknown);
        if let Some(guard) = self.guard {
            let layer = axum::middleware::from_fn_with_state(guard, guard::enforce);
            router = router.layer(layer);
        }
        router
            .layer(axum::middleware::from_fn(deadline::enforce))
            .layer(CatchPanicLayer::custom(panic::answer))
            .layer(axum::middleware::from_fn(observe::observe))
    }
}

async fn unknown(headers: HeaderMap) -> Response {
    if is_grpc(&headers) {
        let text = "this listener has no such service";
        fault::status(Code::Unimplemented, "UNIMPLEMENTED", text).into_http()
    } else {
        StatusCode::NOT_FOUND.into_response()
    }
}

/// Whether a request is a gRPC call, and not plain HTTP on the same port.
pub(crate) fn is_grpc(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/grpc"))
}

#[cfg(test)]
mod tests;
