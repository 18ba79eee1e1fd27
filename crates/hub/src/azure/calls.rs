//! The requests that make up a call: identities and twins, one at a time and in pairs.

use reqwest::Method;
use serde_json::{Value, json};

use super::convert;
use super::transport::{Call, Class, Request};
use crate::device::HubDevice;
use crate::outcome::{Cause, HubError, Rejection};

pub(super) type WireDevice = hubshift_azure::Device;
pub(super) type WireTwin = hubshift_azure::Twin;

async fn get_identity(call: &Call<'_>, id: &str) -> Result<WireDevice, HubError> {
    let request = Request::new(Class::RegistryRead, Method::GET, &["devices", id]);
    call.send(request).await?.json()
}

pub(super) async fn put_identity(
    call: &Call<'_>,
    id: &str,
    body: &WireDevice,
    etag: Option<&str>,
) -> Result<WireDevice, HubError> {
    let request =
        Request::new(Class::RegistryWrite, Method::PUT, &["devices", id]).body(&json!(body));
    let request = match etag {
        Some(etag) => request.if_match(etag),
        None => request,
    };
    call.send(request).await?.json()
}

pub(super) async fn get_twin(call: &Call<'_>, id: &str) -> Result<WireTwin, HubError> {
    call.send(Request::new(Class::TwinRead, Method::GET, &["twins", id]))
        .await?
        .json()
}

pub(super) async fn put_twin(
    call: &Call<'_>,
    id: &str,
    body: &Value,
    etag: &str,
) -> Result<WireTwin, HubError> {
    let request = Request::new(Class::TwinWrite, Method::PUT, &["twins", id]);
    call.send(request.body(body).if_match(etag)).await?.json()
}

/// Identity and twin. A device whose identity is gone is gone; one whose twin alone is missing
/// was perhaps removed between the reads, so that the identity is asked for once more.
pub(super) async fn read_pair(
    call: &Call<'_>,
    id: &str,
) -> Result<Option<(WireDevice, WireTwin)>, HubError> {
    let Some(identity) = absent(get_identity(call, id).await)? else {
        return Ok(None);
    };
    match absent(get_twin(call, id).await)? {
        Some(twin) => Ok(Some((identity, twin))),
        None => match absent(get_identity(call, id).await)? {
            None => Ok(None),
            Some(_) => Err(Cause::Unreadable("the device has no twin".to_owned()).into()),
        },
    }
}

/// Whether a write came between the two reads: the twin knows of another identity.
pub(super) fn is_torn(identity: &WireDevice, twin: &WireTwin) -> bool {
    twin.device_etag.is_some() && twin.device_etag != identity.etag
}

fn absent<T>(result: Result<T, HubError>) -> Result<Option<T>, HubError> {
    match result {
        Err(HubError::Rejected(Rejection::NotFound)) => Ok(None),
        other => other.map(Some),
    }
}

/// Reads the part of a device that was not written.
pub(super) async fn read_rest(
    call: &Call<'_>,
    id: &str,
    identity: Option<WireDevice>,
    twin: Option<WireTwin>,
) -> Result<HubDevice, HubError> {
    let identity = match identity {
        Some(identity) => identity,
        None => get_identity(call, id).await?,
    };
    let twin = match twin {
        Some(twin) => twin,
        None => get_twin(call, id).await?,
    };
    convert::device(identity, twin)
}
