//! What a request comes to, given what is at the hub. Pure but for the making of keys.
//!
//! A request that was begun before is planned again from what is there now; the keys that were
//! made for it the first time are used again, so that it has one effect however often it is tried.

use hubshift_domain::identity::{CredentialKind, Incarnation, Record};
use hubshift_hub::{Credentials, Secret};

use super::error::{DeviceError, Refusal};
use super::request::{Change, New, Parts, Request, Wish};
use super::view;
use crate::observe::Observed;
use crate::seal::{FleetKeys, KeyError};
use crate::store::base::Base;
use crate::store::journal::{Entry, Image};
use crate::write::{Wanted, WriteOp, effect};

/// What a plan is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Before<'a> {
    /// What is at the active hub.
    pub(crate) seen: Option<&'a Observed>,
    /// What was last verified there.
    pub(crate) base: Option<&'a Base>,
    /// The request's own row, if it was begun before.
    pub(crate) prior: Option<&'a Entry>,
    /// Whether a later request for the device happened meanwhile.
    pub(crate) is_superseded: bool,
    /// Which life a new device would be.
    pub(crate) next_life: Incarnation,
}

/// What a request comes to.
#[derive(Debug)]
pub(crate) enum Plan {
    /// The hub is as the request wants it, and this may be the request's own doing.
    Happened,
    /// This is to be written.
    Write(Planned),
    /// It can't be done.
    Refuse(Refusal, String),
}

/// A write, and what the journal says of it.
#[derive(Debug)]
pub(crate) enum Planned {
    /// Make it.
    Create(Box<Wanted>),
    /// Change it.
    Update(Box<Wanted>, Box<Observed>),
    /// Remove it.
    Delete(Box<Observed>),
}

impl Planned {
    /// For the hub.
    pub(crate) fn op(&self) -> WriteOp<'_> {
        match self {
            Self::Create(wanted) => WriteOp::Create(wanted),
            Self::Update(to, seen) => WriteOp::Update { to, seen },
            Self::Delete(seen) => WriteOp::Delete {
                device_id: &seen.device_id,
                seen,
            },
        }
    }

    /// Which life of the device it is about.
    pub(crate) fn incarnation(&self) -> Incarnation {
        match self {
            Self::Create(wanted) | Self::Update(wanted, _) => wanted.incarnation,
            Self::Delete(seen) => seen.incarnation,
        }
    }

    /// For the journal: what the device shall be, and what the hub will show.
    pub(crate) fn image(&self, keys: &FleetKeys) -> Option<Image> {
        let (Self::Create(wanted) | Self::Update(wanted, _)) = self else {
            return None;
        };
        let shown = effect(wanted);
        Some(Image {
            fingerprint: shown.fingerprint(&keys.fingerprint, &wanted.device_id),
            record: wanted.record.clone(),
            sealed: wanted.sealed.clone(),
        })
    }

    /// For the journal, once it happened: what the hub shows. A part that was not written may be
    /// somebody else's by then, and a hub leaves out what it has no place for. Of a held device the
    /// record beneath the hold is kept.
    pub(crate) fn shown(&self, seen: &Observed) -> Option<Image> {
        let (Self::Create(wanted) | Self::Update(wanted, _)) = self else {
            return None;
        };
        let mut record = seen.record.clone();
        if wanted.hold.is_some() {
            record.enabled = wanted.record.enabled;
        }
        Some(Image {
            fingerprint: seen.fingerprint,
            record,
            sealed: seen.sealed.clone(),
        })
    }
}

/// Plans a request.
pub(crate) fn plan(
    request: &Request,
    keys: &FleetKeys,
    before: Before<'_>,
) -> Result<Plan, DeviceError> {
    if before.is_superseded {
        let text = "a later request changed the device; read it again, then decide";
        return Ok(Plan::Refuse(Refusal::EtagMismatch, text.to_owned()));
    }
    match (&request.change, before.seen) {
        (Change::Create(new), _) => create(request, new, keys, before),
        (Change::Delete, None) if before.prior.is_some() => Ok(Plan::Happened),
        (Change::Update(_) | Change::Delete, None) => Ok(missing(request)),
        (Change::Update(_) | Change::Delete, Some(seen)) if is_other(request, seen) => {
            let text = "the device changed since it was read; read it again, then decide";
            Ok(Plan::Refuse(Refusal::EtagMismatch, text.to_owned()))
        }
        // What it was to end is over; a later life was not asked for.
        (Change::Delete, Some(seen)) if is_later(&before, seen) => Ok(Plan::Happened),
        (Change::Delete, Some(seen)) => Ok(Plan::Write(Planned::Delete(Box::new(seen.clone())))),
        (Change::Update(parts), Some(seen)) => update(request, parts, keys, before, seen),
    }
}

/// Whether the device that is there is a later life than the one that an earlier try was about.
fn is_later(before: &Before<'_>, seen: &Observed) -> bool {
    let prior = before.prior.map(|prior| prior.incarnation);
    prior.is_some_and(|prior| prior < seen.incarnation)
}

fn missing(request: &Request) -> Plan {
    let text = format!(
        "device `{}` does not exist at the active hub",
        request.ticket.device
    );
    Plan::Refuse(Refusal::NotFound, text)
}

fn is_other(request: &Request, seen: &Observed) -> bool {
    !request.ticket.etag.is_empty() && request.ticket.etag != view::etag(seen)
}

fn create(
    request: &Request,
    new: &New,
    keys: &FleetKeys,
    before: Before<'_>,
) -> Result<Plan, DeviceError> {
    let begun = before.prior.and_then(|prior| prior.image.as_ref());
    let Some(seen) = before.seen else {
        let (record, sealed) = match begun {
            Some(image) => (image.record.clone(), image.sealed.clone()),
            None => new_record(request.ticket.device.as_str(), new, keys)?,
        };
        let wanted = wanted(request, before.next_life, record, sealed, None);
        return Ok(Plan::Write(Planned::Create(Box::new(wanted))));
    };
    Ok(match begun {
        Some(image) if image.fingerprint == seen.fingerprint => Plan::Happened,
        // It was made with its own keys, and without the rest.
        Some(image) if is_ours(image, seen) => Plan::Write(completion(image, seen)),
        _ => {
            let text = format!("device `{}` exists already", request.ticket.device);
            Plan::Refuse(Refusal::Exists, text)
        }
    })
}

/// Whether a device was made by the request of this image: it has the keys that were made for it.
pub(crate) fn is_ours(image: &Image, seen: &Observed) -> bool {
    image.record.credential == seen.record.credential
        && image.record.credential.kind != CredentialKind::Ca
}

/// What is missing of a device that was made in part.
pub(crate) fn completion(image: &Image, seen: &Observed) -> Planned {
    let wanted = Wanted {
        device_id: seen.device_id.clone(),
        incarnation: seen.incarnation,
        record: image.record.clone(),
        sealed: image.sealed.clone(),
        hold: None,
    };
    Planned::Update(Box::new(wanted), Box::new(seen.clone()))
}

fn new_record(device: &str, new: &New, keys: &FleetKeys) -> Result<(Record, Vec<u8>), DeviceError> {
    let credentials = granted(&new.credentials)?;
    let record = Record {
        enabled: new.enabled,
        status_reason: new.status_reason.clone(),
        credential: keys.credential(device, &credentials),
        iot_edge: new.iot_edge,
        parent: None,
        managed_by: None,
        tags: new.tags.clone(),
        desired: new.desired.clone(),
    };
    Ok((record, keys.seal(device, &credentials)?))
}

fn update(
    request: &Request,
    parts: &Parts,
    keys: &FleetKeys,
    before: Before<'_>,
    seen: &Observed,
) -> Result<Plan, DeviceError> {
    if let (Some(kind), None) = (parts.kind, &parts.credentials)
        && kind != seen.record.credential.kind
    {
        let problem = format!(
            "is `{}` and changes with credentials only",
            seen.record.credential.kind
        );
        return Err(DeviceError::Invalid {
            field: "device.credential_kind",
            problem,
        });
    }
    let held = before.base.filter(|base| base.hold.is_some());
    let held = held.filter(|base| base.incarnation == seen.incarnation);
    let mut record = seen.record.clone();
    let mut sealed = seen.sealed.clone();
    if let Some(base) = held.filter(|_| !record.enabled) {
        record.enabled = base.record.enabled;
    }
    if let Some((enabled, reason)) = &parts.status {
        (record.enabled, record.status_reason) = (*enabled, reason.clone());
    }
    if let Some(tags) = &parts.tags {
        record.tags.clone_from(tags);
    }
    if let Some(desired) = &parts.desired {
        record.desired.clone_from(desired);
    }
    if let Some(wish) = &parts.credentials {
        let begun = before.prior.and_then(|prior| prior.image.as_ref());
        (record.credential, sealed) = match begun {
            Some(image) => (image.record.credential.clone(), image.sealed.clone()),
            None => {
                let credentials = granted(wish)?;
                let device = request.ticket.device.as_str();
                (
                    keys.credential(device, &credentials),
                    keys.seal(device, &credentials)?,
                )
            }
        };
    }
    let hold = held.and_then(|base| base.hold.clone());
    let wanted = wanted(request, seen.incarnation, record, sealed, hold);
    Ok(Plan::Write(Planned::Update(
        Box::new(wanted),
        Box::new(seen.clone()),
    )))
}

fn wanted(
    request: &Request,
    incarnation: Incarnation,
    record: Record,
    sealed: Vec<u8>,
    hold: Option<String>,
) -> Wanted {
    let device_id = request.ticket.device.to_string();
    Wanted {
        device_id,
        incarnation,
        record,
        sealed,
        hold,
    }
}

/// Keys are made here, never by a hub.
fn granted(wish: &Wish) -> Result<Credentials, KeyError> {
    let fresh = || Secret::generate().map_err(|_| KeyError::NoRandomness);
    Ok(match wish {
        Wish::Given(credentials) => credentials.clone(),
        Wish::NewKeys => Credentials::Sas {
            primary: fresh()?,
            secondary: fresh()?,
        },
    })
}

#[cfg(test)]
mod tests;
