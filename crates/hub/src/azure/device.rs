//! Devices: identity, place in the hierarchy, twin.

use reqwest::Method;

use super::calls::{
    WireDevice, WireTwin, absent, first_twin, get_identity, get_twin, put_identity, update_twin,
};
use super::transport::{Call, Class, Request};
use super::{convert, hierarchy, invalid, partial};
use crate::device::{DeviceWrite, EtagPair, HubDevice, Identity};
use crate::outcome::{Cause, HubError, Rejection};

pub(super) async fn get(call: &Call<'_>, id: &str) -> Result<Option<HubDevice>, HubError> {
    let Some((identity, twin)) = read_pair(call, id).await? else {
        return Ok(None);
    };
    if !is_torn(&identity, &twin) {
        return convert::device(identity, twin).map(Some);
    }
    // A second pair is taken as it is: each part was current when it was read.
    match read_pair(call, id).await? {
        Some((identity, twin)) => convert::device(identity, twin).map(Some),
        None => Ok(None),
    }
}

pub(super) async fn create(call: &Call<'_>, device: &DeviceWrite) -> Result<HubDevice, HubError> {
    let id = device.identity.device_id.as_str();
    let identity = made(call, &device.identity).await?;
    let twin = first_twin(call, &["twins", id], device).await;
    let joined = twin.and_then(|twin| convert::device(identity, twin));
    joined.map_err(|error| partial("the device was made, its twin was not confirmed", &error))
}

pub(super) async fn update(
    call: &Call<'_>,
    device: &DeviceWrite,
    if_match: &EtagPair,
) -> Result<HubDevice, HubError> {
    let id = device.identity.device_id.as_str();
    if if_match == &EtagPair::default() {
        return Err(invalid("an update names neither the identity nor the twin"));
    }
    let identity = match &if_match.identity {
        Some(etag) => Some(changed(call, &device.identity, etag).await?),
        None => None,
    };
    let body = convert::twin_body(device);
    let twin = update_twin(call, &["twins", id], &body, if_match).await?;
    read_rest(call, id, identity, twin)
        .await
        .map_err(|error| partial("written, but not read back", &error))
}

pub(super) async fn delete(call: &Call<'_>, id: &str, etag: &str) -> Result<(), HubError> {
    let request = Request::new(Class::RegistryWrite, Method::DELETE, &["devices", id]);
    call.send(request.if_match(etag)).await.map(|_| ())
}

/// Makes the identity, below its parent.
async fn made(call: &Call<'_>, identity: &Identity) -> Result<WireDevice, HubError> {
    let mut body = convert::identity_body(identity)?;
    let scope = hierarchy::scope_above(call, identity, None).await?;
    hierarchy::place(&mut body, None, scope.as_deref());
    let made = put_identity(call, &identity.device_id, &body, None).await?;
    hierarchy::settled(call, identity, body, made, scope.as_deref())
        .await
        .map_err(|error| partial("the device was made, but not below its parent", &error))
}

/// Replaces the identity. What a hub wants to hear again of its own is read first; that is not
/// worth a call for a device that stands alone.
async fn changed(call: &Call<'_>, identity: &Identity, etag: &str) -> Result<WireDevice, HubError> {
    let id = identity.device_id.as_str();
    let mut body = convert::identity_body(identity)?;
    let own = match identity.iot_edge || identity.parent.is_some() {
        true => Some(current(call, id, etag).await?),
        false => None,
    };
    let scope = hierarchy::scope_above(call, identity, own.as_ref()).await?;
    hierarchy::place(&mut body, own.as_ref(), scope.as_deref());
    let written = put_identity(call, id, &body, Some(etag)).await?;
    hierarchy::settled(call, identity, body, written, scope.as_deref())
        .await
        .map_err(|error| partial("the identity was written, its parent was not", &error))
}

/// The identity, if it still has this etag.
async fn current(call: &Call<'_>, id: &str, etag: &str) -> Result<WireDevice, HubError> {
    let own = get_identity(call, id).await?;
    if own.etag.as_deref() == Some(etag) {
        return Ok(own);
    }
    Err(Rejection::PreconditionFailed.into())
}

/// Identity and twin. A device whose identity is gone is gone; one whose twin alone is missing
/// was perhaps removed between the reads, so that the identity is asked for once more.
async fn read_pair(call: &Call<'_>, id: &str) -> Result<Option<(WireDevice, WireTwin)>, HubError> {
    let Some(identity) = absent(get_identity(call, id).await)? else {
        return Ok(None);
    };
    match absent(get_twin(call, &["twins", id]).await)? {
        Some(twin) => Ok(Some((identity, twin))),
        None => match absent(get_identity(call, id).await)? {
            None => Ok(None),
            Some(_) => Err(Cause::Unreadable("the device has no twin".to_owned()).into()),
        },
    }
}

/// Whether a write came between the two reads: the twin knows of another identity.
fn is_torn(identity: &WireDevice, twin: &WireTwin) -> bool {
    twin.device_etag.is_some() && twin.device_etag != identity.etag
}

/// Reads the part that was not written.
async fn read_rest(
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
        None => get_twin(call, &["twins", id]).await?,
    };
    convert::device(identity, twin)
}
