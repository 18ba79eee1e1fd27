//! A handler that panics: logged with its text, answered without it.

use std::any::Any;

use axum::response::Response;
use hubshift_api::fault;

/// Turns a panic into `INTERNAL`.
pub(super) fn answer(panic: Box<dyn Any + Send>) -> Response {
    tracing::error!(panic = text(panic.as_ref()), "a handler panicked");
    fault::internal().into_http()
}

/// The message of a panic, if it has one.
pub(crate) fn text(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("not a text")
}
