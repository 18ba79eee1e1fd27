//! What an answer of the hub means for a write.
//!
//! A refusal because of what is there, and an answer that never came, are looked at: the hub is
//! asked what it holds now.

use hubshift_hub::{HubDevice, HubError, Rejection};

use super::{WriteCx, WriteOp, WriteOutcome, effect};
use crate::observe::{self, Observed};

/// Why a hub does not take a child yet: its parent is not there.
pub(crate) const PARENT_MISSING: &str = "PARENT_MISSING";

/// Why a hub does not take a module: its device is disabled.
pub(crate) const DEVICE_DISABLED: &str = "DEVICE_DISABLED";

/// What the call came back with; a deletion that was done has no device.
pub(super) type Answer = Result<Option<HubDevice>, HubError>;

/// What a write came to.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It happened.
    Applied(Option<HubDevice>),
    /// It was so already.
    Already(Option<HubDevice>),
    /// Something else is there; what, if the hub said.
    Stale(Option<HubDevice>),
    /// Nothing is there.
    Gone,
    /// The hub refused.
    Rejected(Rejection),
    /// Not known; what is there now, if the hub said.
    Unknown(HubError, Option<HubDevice>),
}

/// What is known to be at the hub after a write.
pub(super) enum Found<'a> {
    /// This.
    Device(&'a HubDevice),
    /// No such device.
    Gone,
    /// Nothing is known.
    Nothing,
}

impl Verdict {
    /// How the intent ended.
    pub(super) fn label(&self) -> &'static str {
        match self {
            Self::Applied(_) => "done",
            Self::Already(_) => "already",
            Self::Stale(_) | Self::Gone | Self::Rejected(_) => "rejected",
            Self::Unknown(..) => "unknown",
        }
    }

    /// Whether the hub holds what was wanted.
    pub(super) fn is_as_wanted(&self) -> bool {
        matches!(self, Self::Applied(_) | Self::Already(_))
    }

    /// What is known to be at the hub.
    pub(super) fn found(&self) -> Found<'_> {
        match self {
            Self::Applied(None) | Self::Already(None) | Self::Gone => Found::Gone,
            Self::Applied(Some(device))
            | Self::Already(Some(device))
            | Self::Stale(Some(device))
            | Self::Unknown(_, Some(device)) => Found::Device(device),
            Self::Stale(None) | Self::Rejected(_) | Self::Unknown(_, None) => Found::Nothing,
        }
    }

    /// For the caller, with what was stored as seen.
    pub(super) fn into_outcome(self, seen: Option<Observed>) -> WriteOutcome {
        match self {
            Self::Applied(_) => WriteOutcome::Applied(seen),
            Self::Already(_) => WriteOutcome::Already(seen),
            Self::Stale(_) => WriteOutcome::Stale,
            Self::Gone => WriteOutcome::Gone,
            Self::Rejected(rejection) => WriteOutcome::Rejected {
                reason: reason(&rejection),
                message: rejection.to_string(),
            },
            Self::Unknown(error, _) => WriteOutcome::Unknown(error.to_string()),
        }
    }
}

/// The stable reason of a refusal.
fn reason(rejection: &Rejection) -> &'static str {
    match rejection {
        Rejection::AlreadyExists => "DEVICE_EXISTS",
        Rejection::NotFound => "DEVICE_NOT_FOUND",
        Rejection::PreconditionFailed => "ETAG_MISMATCH",
        Rejection::ParentMissing(_) => PARENT_MISSING,
        Rejection::DeviceDisabled => DEVICE_DISABLED,
        Rejection::Unauthorized(_) => "HUB_UNAUTHORIZED",
        Rejection::Throttled { .. } => "HUB_THROTTLED",
        Rejection::Invalid(_) => "HUB_REFUSED",
        Rejection::Untrusted(_) => "HUB_UNTRUSTED",
        Rejection::Unreachable(_) | Rejection::Unavailable(_) => "HUB_UNREACHABLE",
    }
}

/// Decides what an answer means, looking at the hub again where the answer does not say.
pub(super) async fn classify(cx: &WriteCx, op: WriteOp<'_>, answer: Answer) -> Verdict {
    let error = match answer {
        Ok(device) => return Verdict::Applied(device),
        Err(error) => error,
    };
    match (error, op) {
        (HubError::Rejected(Rejection::NotFound), WriteOp::Delete { .. }) => Verdict::Already(None),
        (HubError::Rejected(Rejection::NotFound), WriteOp::Update { .. }) => Verdict::Gone,
        (HubError::Rejected(Rejection::AlreadyExists | Rejection::PreconditionFailed), _) => {
            refused(cx, op).await
        }
        (HubError::Rejected(rejection), _) => Verdict::Rejected(rejection),
        (error @ HubError::Unknown(_), _) => unknown(cx, op, error).await,
    }
}

/// The hub holds something else than was seen: perhaps what is wanted.
async fn refused(cx: &WriteCx, op: WriteOp<'_>) -> Verdict {
    match cx.hub.get(op.device_id()).await.into_result() {
        Err(_) => Verdict::Stale(None),
        Ok(found) if is_as_wanted(cx, op, found.as_ref()) => Verdict::Already(found),
        Ok(None) => Verdict::Gone,
        Ok(found) => Verdict::Stale(found),
    }
}

/// Nobody knows what the hub did: it is asked. What is not there yet may still come.
async fn unknown(cx: &WriteCx, op: WriteOp<'_>, error: HubError) -> Verdict {
    match cx.hub.get(op.device_id()).await.into_result() {
        Ok(found) if is_as_wanted(cx, op, found.as_ref()) => Verdict::Applied(found),
        Ok(found) => Verdict::Unknown(error, found),
        Err(_) => Verdict::Unknown(error, None),
    }
}

fn is_as_wanted(cx: &WriteCx, op: WriteOp<'_>, found: Option<&HubDevice>) -> bool {
    match (op.wanted(), found) {
        (None, None) => true,
        (Some(wanted), Some(found)) => {
            let print = |record: &hubshift_domain::identity::Record| {
                record.fingerprint(&cx.keys.fingerprint, &wanted.device_id)
            };
            print(&effect(wanted)) == print(&observe::record(&cx.keys, found))
        }
        _ => false,
    }
}
