//! Modules: an identity and a twin below a device.
//!
//! A module that begins with `$` is the hub's own: it comes and goes with its edge device, and
//! only its twin is written. Under a shared access policy a hub answers 401 for the modules of a
//! device that is missing or disabled; that is told apart from our own credentials being refused.

use hubshift_azure::{Module, Status};
use reqwest::Method;
use serde_json::json;

use super::calls::{WireTwin, absent, first_twin, get_identity, get_twin, update_twin};
use super::transport::{Call, Class, Request};
use super::{convert, invalid, partial};
use crate::device::{DeviceWrite, EtagPair, HubDevice};
use crate::key::Key;
use crate::outcome::{Cause, HubError, Rejection};

/// Which module.
#[derive(Clone, Copy)]
pub(super) struct Name<'a> {
    pub(super) device: &'a str,
    pub(super) module: &'a str,
}

impl<'a> Name<'a> {
    fn key(self) -> Key<'a> {
        Key::Module(self.device, self.module)
    }

    fn path(self) -> [&'a str; 4] {
        ["devices", self.device, "modules", self.module]
    }

    fn twin_path(self) -> [&'a str; 4] {
        ["twins", self.device, "modules", self.module]
    }

    fn is_system(self) -> bool {
        self.key().is_system()
    }

    fn parent_missing(self) -> HubError {
        Rejection::ParentMissing(self.device.to_owned()).into()
    }
}

pub(super) async fn get(call: &Call<'_>, name: Name<'_>) -> Result<Option<HubDevice>, HubError> {
    match read_pair(call, name).await? {
        Some((identity, twin)) => convert::module(name.key(), identity, twin).map(Some),
        None => Ok(None),
    }
}

pub(super) async fn create(
    call: &Call<'_>,
    name: Name<'_>,
    write: &DeviceWrite,
) -> Result<HubDevice, HubError> {
    if name.is_system() {
        return adopt(call, name, write).await;
    }
    let body = convert::module_body(name.device, name.module, &write.identity)?;
    let identity = match put_module(call, name, &body, None).await {
        Err(HubError::Rejected(Rejection::NotFound)) => return Err(name.parent_missing()),
        other => other?,
    };
    let twin = first_twin(call, &name.twin_path(), write).await;
    let joined = twin.and_then(|twin| convert::module(name.key(), identity, twin));
    joined.map_err(|error| partial("the module was made, its twin was not confirmed", &error))
}

pub(super) async fn update(
    call: &Call<'_>,
    name: Name<'_>,
    write: &DeviceWrite,
    if_match: &EtagPair,
) -> Result<HubDevice, HubError> {
    let identity_etag = if_match.identity.as_ref().filter(|_| !name.is_system());
    if identity_etag.is_none() && if_match.twin.is_none() {
        return Err(invalid("the update names nothing that can be written"));
    }
    let identity = match identity_etag {
        Some(etag) => {
            let body = convert::module_body(name.device, name.module, &write.identity)?;
            put_module(call, name, &body, Some(etag)).await?
        }
        // Read before the twin is written: a module that cannot be read is not written either.
        None => get_module(call, name).await?,
    };
    let written = EtagPair {
        identity: identity_etag.cloned(),
        twin: if_match.twin.clone(),
    };
    let body = convert::twin_body(write);
    let twin = update_twin(call, &name.twin_path(), &body, &written).await?;
    read_rest(call, name, identity, twin)
        .await
        .map_err(|error| partial("written, but not read back", &error))
}

/// A system module is gone when its device is; before, it cannot be removed.
pub(super) async fn delete(call: &Call<'_>, name: Name<'_>, etag: &str) -> Result<(), HubError> {
    if name.is_system() {
        get_module(call, name).await?;
        let text = "a module of the hub's own goes with its device, and only with it";
        return Err(invalid(text));
    }
    let request = Request::new(Class::RegistryWrite, Method::DELETE, &name.path());
    match call.send(request.if_match(etag)).await {
        Ok(_) => Ok(()),
        Err(error) => Err(explained(call, name.device, error).await),
    }
}

/// Sets the twin of a module that came with its device, if nobody has set anything of it yet.
async fn adopt(
    call: &Call<'_>,
    name: Name<'_>,
    write: &DeviceWrite,
) -> Result<HubDevice, HubError> {
    let Some((identity, twin)) = read_pair(call, name).await? else {
        return Err(name.parent_missing());
    };
    let seen = convert::module(name.key(), identity, twin)?;
    if !seen.tags.is_empty() || !seen.desired.is_empty() {
        return Err(Rejection::AlreadyExists.into());
    }
    if write.tags.is_empty() && write.desired.is_empty() {
        return Ok(seen);
    }
    let if_match = EtagPair {
        identity: None,
        twin: Some(seen.twin_etag),
    };
    update(call, name, write, &if_match).await
}

async fn get_module(call: &Call<'_>, name: Name<'_>) -> Result<Module, HubError> {
    let request = Request::new(Class::RegistryRead, Method::GET, &name.path());
    match call.send(request).await {
        Ok(reply) => reply.json(),
        Err(error) => Err(explained(call, name.device, error).await),
    }
}

async fn put_module(
    call: &Call<'_>,
    name: Name<'_>,
    body: &Module,
    etag: Option<&str>,
) -> Result<Module, HubError> {
    let request = Request::new(Class::RegistryWrite, Method::PUT, &name.path())
        .body(&json!(body))
        .carrying(body.authentication.as_ref());
    let request = match etag {
        Some(etag) => request.if_match(etag),
        None => request,
    };
    match call.send(request).await {
        Ok(reply) => reply.json(),
        Err(error) => Err(explained(call, name.device, error).await),
    }
}

/// Why a call about a module was refused: what looks like our credentials being refused may be
/// the state of the device. Where the device can be read, the credentials are good.
async fn explained(call: &Call<'_>, device: &str, error: HubError) -> HubError {
    if !matches!(error, HubError::Rejected(Rejection::Unauthorized(_))) {
        return error;
    }
    match get_identity(call, device).await {
        Ok(found) if found.status == Some(Status::Disabled) => Rejection::DeviceDisabled.into(),
        Ok(_) => error,
        Err(HubError::Rejected(Rejection::NotFound)) => Rejection::NotFound.into(),
        Err(other) => other,
    }
}

/// Identity and twin; nothing when the module or its device is gone. Unlike with devices, nobody
/// knows that the twin's `deviceEtag` is that of the module, so that the two are not compared:
/// each part was current when it was read.
async fn read_pair(
    call: &Call<'_>,
    name: Name<'_>,
) -> Result<Option<(Module, WireTwin)>, HubError> {
    let Some(identity) = absent(get_module(call, name).await)? else {
        return Ok(None);
    };
    match absent(get_twin(call, &name.twin_path()).await)? {
        Some(twin) => Ok(Some((identity, twin))),
        None => match absent(get_module(call, name).await)? {
            None => Ok(None),
            Some(_) => Err(Cause::Unreadable("the module has no twin".to_owned()).into()),
        },
    }
}

/// Reads the twin if it was not written.
async fn read_rest(
    call: &Call<'_>,
    name: Name<'_>,
    identity: Module,
    twin: Option<WireTwin>,
) -> Result<HubDevice, HubError> {
    let twin = match twin {
        Some(twin) => twin,
        None => get_twin(call, &name.twin_path()).await?,
    };
    convert::module(name.key(), identity, twin)
}
