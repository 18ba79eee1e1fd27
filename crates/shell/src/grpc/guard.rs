//! Whether a listener's own services may be called now. Health and reflection answer always: they
//! are how somebody finds out.

use std::fmt;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use tonic::Status;

/// What every call asks first.
#[derive(Clone)]
pub(super) struct Guard(Arc<dyn Fn() -> Result<(), Status> + Send + Sync>);

impl Guard {
    pub(super) fn new(ask: impl Fn() -> Result<(), Status> + Send + Sync + 'static) -> Self {
        Self(Arc::new(ask))
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").finish_non_exhaustive()
    }
}

/// The middleware.
pub(super) async fn enforce(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let is_open = request.uri().path().starts_with("/grpc.");
    match (guard.0)() {
        Err(refusal) if !is_open => refusal.into_http(),
        Ok(()) | Err(_) => next.run(request).await,
    }
}
