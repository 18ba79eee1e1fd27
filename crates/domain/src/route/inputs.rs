//! From what the authority says to what devices are told.

use time::{Duration, OffsetDateTime};

use super::waves::{WavePlan, schedule};
use super::{
    Admission, Canary, CanaryClaim, Cohort, OnUnreachable, RouteClaims, RouteEndpoint, VERSION,
};
use crate::epoch::Epoch;
use crate::hub_state::HubState;
use crate::id::{FleetId, HubId};
use crate::pacing;

/// How long a route says it is good for. Renewed at half.
pub const ROUTE_LIFE: Duration = Duration::hours(24);

/// One hub, as far as a route is concerned.
#[derive(Debug, Clone, Copy)]
pub struct RouteHub<'a> {
    /// Its slug.
    pub hub: &'a HubId,
    /// Its number within epochs: standbys are walked in this order.
    pub index: u16,
    /// What it is to its fleet.
    pub state: HubState,
    /// Host, with a port when it is not the default one.
    pub host: &'a str,
    /// Region slug.
    pub region: &'a str,
    /// New connections that it admits, per second.
    pub admission_per_second: u32,
}

/// A canary, as far as a route is concerned.
#[derive(Debug, Clone, Copy)]
pub struct CanaryInputs<'a> {
    /// Its id.
    pub id: &'a str,
    /// The standby that its cohort is attached to.
    pub hub: &'a HubId,
    /// The epoch that it began in.
    pub epoch: Epoch,
    /// Who takes part.
    pub cohort: &'a Cohort,
    /// When it began.
    pub started_at: OffsetDateTime,
    /// When it ends.
    pub until: OffsetDateTime,
}

/// What a route is made of, read in one transaction.
#[derive(Debug, Clone)]
pub struct RouteInputs<'a> {
    /// The fleet.
    pub fleet: &'a FleetId,
    /// Its epoch.
    pub epoch: Epoch,
    /// Its routing version.
    pub routing_version: u64,
    /// The hub that is the authority.
    pub active_hub: &'a HubId,
    /// All hubs of the fleet.
    pub hubs: Vec<RouteHub<'a>>,
    /// How many devices move.
    pub device_count: u64,
    /// How much of the target's admission rate they may use, percent.
    pub utilisation_percent: u8,
    /// What devices do when nobody answers.
    pub on_unreachable: OnUnreachable,
    /// When the epoch began.
    pub epoch_opened: OffsetDateTime,
    /// Who goes first, in order.
    pub waves: &'a [WavePlan],
    /// The canary that runs, if one does.
    pub canary: Option<CanaryInputs<'a>>,
}

/// A fleet has no hub that devices may be sent to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("hub `{hub}` is named as active but is {}", state.map_or("not of the fleet", HubState::as_str))]
pub struct NotRoutable {
    /// The hub that the fleet names as active.
    pub hub: HubId,
    /// Its state; `None` when the fleet has no such hub.
    pub state: Option<HubState>,
}

/// The claims that devices get. The signed list is what devices walk, so it holds the active hub,
/// and `Ready` standbys only under `standby_after` (I22). A canary stands beside the list, and only
/// while its hub is `Ready`, its epoch reigns and its time is not over. Times are cut to whole
/// seconds.
pub fn claims(inputs: &RouteInputs<'_>, now: OffsetDateTime) -> Result<RouteClaims, NotRoutable> {
    let active = active(inputs)?;
    let mut endpoints = vec![endpoint(active)];
    endpoints.extend(standbys(inputs).into_iter().map(endpoint));
    let (waves, window) = schedule(
        inputs.waves,
        inputs.device_count,
        inputs.utilisation_percent,
        active.admission_per_second,
    );
    let canary = inputs.canary;
    let canary = canary.and_then(|canary| canary_claim(inputs, &canary, active, now));
    let issued_at = whole_seconds(now);
    Ok(RouteClaims {
        v: VERSION,
        fleet: inputs.fleet.clone(),
        epoch: inputs.epoch,
        routing_version: inputs.routing_version,
        endpoints,
        admission: Admission {
            window_ms: millis(window),
            started_at: whole_seconds(inputs.epoch_opened),
            waves,
        },
        on_unreachable: inputs.on_unreachable,
        canary: canary.map(CanaryClaim::Known),
        issued_at,
        not_after: issued_at + ROUTE_LIFE,
    })
}

fn whole_seconds(time: OffsetDateTime) -> OffsetDateTime {
    time.replace_nanosecond(0).unwrap_or(time)
}

fn millis(span: std::time::Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// The cohort moves as fast as the slower of both hubs admits it: the window is for the way there
/// and for the way back.
fn canary_claim(
    inputs: &RouteInputs<'_>,
    canary: &CanaryInputs<'_>,
    active: RouteHub<'_>,
    now: OffsetDateTime,
) -> Option<Canary> {
    let hub = inputs.hubs.iter().find(|hub| hub.hub == canary.hub)?;
    let until = whole_seconds(canary.until);
    if hub.state != HubState::Ready || canary.epoch != inputs.epoch || now >= until {
        return None;
    }
    let size = canary.cohort.size(inputs.device_count);
    let rate = hub.admission_per_second.min(active.admission_per_second);
    Some(Canary {
        id: canary.id.to_owned(),
        endpoint: endpoint(*hub),
        cohort: canary.cohort.clone(),
        window_ms: millis(pacing::window(size, inputs.utilisation_percent, rate)),
        started_at: whole_seconds(canary.started_at),
        until,
    })
}

fn active<'a>(inputs: &RouteInputs<'a>) -> Result<RouteHub<'a>, NotRoutable> {
    let named = inputs.hubs.iter().find(|hub| hub.hub == inputs.active_hub);
    match named {
        Some(hub) if hub.state == HubState::Active => Ok(*hub),
        other => Err(NotRoutable {
            hub: inputs.active_hub.clone(),
            state: other.map(|hub| hub.state),
        }),
    }
}

fn standbys<'a>(inputs: &RouteInputs<'a>) -> Vec<RouteHub<'a>> {
    if inputs.on_unreachable == OnUnreachable::Ask {
        return Vec::new();
    }
    let mut ready: Vec<_> = inputs
        .hubs
        .iter()
        .copied()
        .filter(|hub| hub.state == HubState::Ready)
        .collect();
    ready.sort_by_key(|hub| hub.index);
    ready
}

fn endpoint(hub: RouteHub<'_>) -> RouteEndpoint {
    RouteEndpoint {
        hub: hub.hub.clone(),
        host: hub.host.to_owned(),
        region: hub.region.to_owned(),
    }
}
