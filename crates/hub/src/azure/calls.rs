//! The requests that calls are made of: identities of devices, and twins of devices and modules.

use reqwest::Method;
use serde_json::{Value, json};

use super::convert::{self, there};
use super::partial;
use super::transport::{Call, Class, Request};
use crate::device::{DeviceWrite, EtagPair};
use crate::outcome::{HubError, Rejection};

pub(super) type WireDevice = hubshift_azure::Device;
pub(super) type WireTwin = hubshift_azure::Twin;

pub(super) async fn get_identity(call: &Call<'_>, id: &str) -> Result<WireDevice, HubError> {
    let request = Request::new(Class::RegistryRead, Method::GET, &["devices", id]);
    call.send(request).await?.json()
}

pub(super) async fn put_identity(
    call: &Call<'_>,
    id: &str,
    body: &WireDevice,
    etag: Option<&str>,
) -> Result<WireDevice, HubError> {
    let request = Request::new(Class::RegistryWrite, Method::PUT, &["devices", id])
        .body(&json!(body))
        .carrying(body.authentication.as_ref());
    let request = match etag {
        Some(etag) => request.if_match(etag),
        None => request,
    };
    call.send(request).await?.json()
}

/// Reads a twin; `path` leads to it.
pub(super) async fn get_twin(call: &Call<'_>, path: &[&str]) -> Result<WireTwin, HubError> {
    call.send(Request::new(Class::TwinRead, Method::GET, path))
        .await?
        .json()
}

/// Replaces a twin; `path` leads to it.
pub(super) async fn put_twin(
    call: &Call<'_>,
    path: &[&str],
    body: &Value,
    etag: &str,
) -> Result<WireTwin, HubError> {
    let request = Request::new(Class::TwinWrite, Method::PUT, path);
    call.send(request.body(body).if_match(etag)).await?.json()
}

/// Sets the twin of what was just made, if there is anything to set; `path` leads to it. It goes
/// out under the etag that the twin has while it is empty: words that somebody else wrote since are
/// not overwritten.
pub(super) async fn first_twin(
    call: &Call<'_>,
    path: &[&str],
    write: &DeviceWrite,
) -> Result<WireTwin, HubError> {
    let made = get_twin(call, path).await?;
    if write.tags.is_empty() && write.desired.is_empty() {
        return Ok(made);
    }
    let has_tags = made.tags.as_ref().is_some_and(|tags| !tags.is_empty());
    if has_tags || !made.plain_desired().is_empty() {
        return Err(Rejection::PreconditionFailed.into());
    }
    let etag = there(made.etag, "twin etag")?;
    put_twin(call, path, &convert::twin_body(write), &etag).await
}

/// The twin's part of an update, after that of the identity; nothing if it has none.
pub(super) async fn update_twin(
    call: &Call<'_>,
    path: &[&str],
    body: &Value,
    if_match: &EtagPair,
) -> Result<Option<WireTwin>, HubError> {
    let Some(etag) = &if_match.twin else {
        return Ok(None);
    };
    match put_twin(call, path, body, etag).await {
        Ok(twin) => Ok(Some(twin)),
        Err(error) if if_match.identity.is_some() => Err(partial(
            "the identity was written, the twin was not",
            &error,
        )),
        Err(error) => Err(error),
    }
}

/// Nothing where the hub says that there is nothing.
pub(super) fn absent<T>(result: Result<T, HubError>) -> Result<Option<T>, HubError> {
    match result {
        Err(HubError::Rejected(Rejection::NotFound)) => Ok(None),
        other => other.map(Some),
    }
}
