//! From the wire to what a fleet is created and changed with. Every violation is found before
//! anything is refused.

use std::collections::HashSet;
use std::time::Duration;

use hubshift_api::pb::concierge::{CreateFleetRequest, Fleet, Hub, UpdateFleetRequest};
use hubshift_api::times;
use hubshift_api::validate::Checks;
use hubshift_domain::epoch::{Epoch, HUBS_PER_FLEET};
use hubshift_domain::hub_state::HubState;
use hubshift_domain::id::FleetId;
use hubshift_domain::route::OnUnreachable;
use tonic::Status;
use uuid::Uuid;

use super::waves::waves;
use crate::app::fleet::{Creation, Update};
use crate::store::fleet::{Changes, NewFleet};
use crate::store::hub::{HubRow, millis};
use crate::store::signed;

const DEFAULT_DEVICES: u64 = 1_000;
const DEFAULT_UTILISATION: u32 = 80;
const DEFAULT_POLL: Duration = Duration::from_secs(60);
const POLL: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(3_600));
const DEFAULT_CALL_DEADLINE: Duration = Duration::from_secs(90);
const CALL_DEADLINE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(600));
const READ_LAG: (Duration, Duration) = (Duration::ZERO, Duration::from_secs(3_600));
const MAX_LABELS: usize = 64;
const MAX_TEXT: usize = 256;
const MAX_HOST: usize = 255;

/// A creation, checked whole.
pub(super) fn creation(message: &CreateFleetRequest) -> Result<(Uuid, Creation), Status> {
    let mut checks = Checks::new();
    let fleet_id = checks.take("fleet_id", FleetId::new(message.fleet_id.as_str()));
    let request_id = checks.request_id(&message.request_id);
    let Some(wire) = &message.fleet else {
        checks.violation("fleet", "is required");
        return checks.require(None);
    };
    let creation = fleet_id.and_then(|id| new_fleet(&mut checks, &id, wire));
    checks.require(request_id.zip(creation))
}

fn new_fleet(checks: &mut Checks, fleet_id: &FleetId, wire: &Fleet) -> Option<Creation> {
    let hubs = hubs(checks, fleet_id, &wire.hubs);
    // Everything is looked at before the first return.
    let waves = waves(checks, &wire.waves);
    let display_name = display_name(checks, &wire.display_name);
    let device_count = devices(checks, or(wire.device_count, DEFAULT_DEVICES));
    let utilisation = percent(checks, or(wire.utilisation_percent, DEFAULT_UTILISATION));
    let poll_after = wire.poll_after.as_ref();
    let poll_after_ms = span(checks, "fleet.poll_after", poll_after, DEFAULT_POLL, POLL);
    let on_unreachable = wire.on_unreachable.parse::<OnUnreachable>();
    let on_unreachable = on_unreachable
        .map_err(|error| checks.violation("fleet.on_unreachable", error.to_string()))
        .ok();
    let home = checks.hub("fleet.home_hub", &wire.home_hub);
    let active = match wire.active_hub.as_str() {
        "" => home.clone(),
        given => checks.hub("fleet.active_hub", given),
    };
    let (home, active) = home.zip(active)?;
    for (field, hub) in [("fleet.home_hub", &home), ("fleet.active_hub", &active)] {
        if !hubs.iter().any(|row| row.hub_id == hub.as_str()) {
            checks.violation(field, format!("`{hub}` is none of the fleet's hubs"));
        }
    }
    let index = hubs
        .iter()
        .find(|row| row.hub_id == active.as_str())?
        .index();
    let fleet = NewFleet {
        fleet_id: fleet_id.to_string(),
        display_name,
        home_hub_id: home.to_string(),
        active_hub_id: active.to_string(),
        epoch: Epoch::first(index),
        device_count,
        utilisation_percent: utilisation,
        poll_after_ms,
        on_unreachable: on_unreachable?.to_string(),
        waves: serde_json::to_value(waves).ok()?,
    };
    Some(Creation { fleet, hubs })
}

fn or<T: PartialEq + Default>(given: T, default: T) -> T {
    if given == T::default() {
        default
    } else {
        given
    }
}

fn hubs(checks: &mut Checks, fleet_id: &FleetId, wire: &[Hub]) -> Vec<HubRow> {
    let most = usize::try_from(HUBS_PER_FLEET).unwrap_or(usize::MAX);
    if wire.len() < 2 || wire.len() > most {
        checks.violation(
            "fleet.hubs",
            format!("has {} hubs, needs 2 to {most}", wire.len()),
        );
        return Vec::new();
    }
    let (mut names, mut hosts) = (HashSet::new(), HashSet::new());
    let mut rows = Vec::with_capacity(wire.len());
    for (index, hub) in wire.iter().enumerate() {
        let field = format!("fleet.hubs[{index}]");
        let Some(row) = hub_row(checks, &field, fleet_id, index, hub) else {
            continue;
        };
        if !names.insert(row.hub_id.clone()) {
            checks.violation(&format!("{field}.name"), "is there twice");
        }
        if !hosts.insert(row.host.clone()) {
            checks.violation(&format!("{field}.host"), "is there twice");
        }
        rows.push(row);
    }
    rows
}

fn hub_row(
    checks: &mut Checks,
    field: &str,
    fleet_id: &FleetId,
    index: usize,
    hub: &Hub,
) -> Option<HubRow> {
    let at = |name: &str| format!("{field}.{name}");
    let (fleet, hub_id) = checks.hub_name(&at("name"), &hub.name)?;
    if fleet != *fleet_id {
        checks.violation(
            &at("name"),
            format!("is of fleet `{fleet}`, not of `{fleet_id}`"),
        );
    }
    checks.text(&at("host"), &hub.host, MAX_HOST);
    if hub.host.contains(|c: char| c.is_whitespace() || c == '/') {
        checks.violation(
            &at("host"),
            "is a host, with a port when it is not the default one",
        );
    }
    for (name, text) in [
        ("region", &hub.region),
        ("service_host", &hub.service_host),
        ("event_endpoint", &hub.event_endpoint),
    ] {
        at_most(checks, &at(name), text, MAX_TEXT);
    }
    labels(checks, &at("labels"), hub);
    let (deadline, lag) = (hub.call_deadline.as_ref(), hub.read_lag.as_ref());
    Some(HubRow {
        hub_id: hub_id.to_string(),
        hub_index: i16::try_from(index).ok()?,
        state: HubState::Provisioning.as_str().to_owned(),
        region: hub.region.clone(),
        host: hub.host.clone(),
        service_host: hub.service_host.clone(),
        event_endpoint: hub.event_endpoint.clone(),
        labels: serde_json::to_value(&hub.labels).ok()?,
        admission_per_second: admission(checks, &at("admission_per_second"), hub),
        call_deadline_ms: span(
            checks,
            &at("call_deadline"),
            deadline,
            DEFAULT_CALL_DEADLINE,
            CALL_DEADLINE,
        ),
        read_lag_ms: span(checks, &at("read_lag"), lag, Duration::ZERO, READ_LAG),
    })
}

fn labels(checks: &mut Checks, field: &str, hub: &Hub) {
    if hub.labels.len() > MAX_LABELS {
        checks.violation(
            field,
            format!("has {} labels, at most {MAX_LABELS}", hub.labels.len()),
        );
    }
    for (key, value) in &hub.labels {
        at_most(checks, field, key, MAX_TEXT);
        at_most(checks, field, value, MAX_TEXT);
    }
}

fn at_most(checks: &mut Checks, field: &str, text: &str, most: usize) {
    let count = text.chars().count();
    if count > most {
        checks.violation(field, format!("has {count} characters, at most {most}"));
    }
}

fn display_name(checks: &mut Checks, text: &str) -> String {
    at_most(checks, "fleet.display_name", text, 200);
    text.to_owned()
}

fn devices(checks: &mut Checks, count: u64) -> i64 {
    if !(1..=1_000_000_000).contains(&count) {
        checks.violation("fleet.device_count", "must be 1 to 1000000000");
    }
    signed(count)
}

fn percent(checks: &mut Checks, percent: u32) -> i16 {
    if !(1..=100).contains(&percent) {
        checks.violation("fleet.utilisation_percent", "must be 1 to 100");
    }
    i16::try_from(percent).unwrap_or(100)
}

fn admission(checks: &mut Checks, field: &str, hub: &Hub) -> i32 {
    let rate = i32::try_from(hub.admission_per_second)
        .ok()
        .filter(|rate| *rate >= 1);
    rate.unwrap_or_else(|| {
        checks.violation(field, format!("must be 1 to {}", i32::MAX));
        1
    })
}

/// A span in whole milliseconds, within limits.
fn span(
    checks: &mut Checks,
    field: &str,
    wire: Option<&prost_types::Duration>,
    default: Duration,
    (least, most): (Duration, Duration),
) -> i64 {
    let span = wire.map_or(default, times::from_duration);
    let is_negative = wire.is_some_and(|wire| wire.seconds < 0 || wire.nanos < 0);
    if is_negative || span < least || span > most {
        checks.violation(field, format!("must be {least:?} to {most:?}"));
    }
    millis(span)
}

/// A change, checked whole.
pub(super) fn update(message: &UpdateFleetRequest) -> Result<(Uuid, Update), Status> {
    let mut checks = Checks::new();
    let request_id = checks.request_id(&message.request_id);
    let Some(wire) = &message.fleet else {
        checks.violation("fleet", "is required");
        return checks.require(None);
    };
    let fleet_id = checks.fleet("fleet.name", &wire.name);
    let paths = match &message.update_mask {
        Some(mask) => mask.paths.clone(),
        None => all_set(wire),
    };
    let changes = changes(&mut checks, wire, &paths);
    let (request_id, fleet_id) = checks.require(request_id.zip(fleet_id))?;
    let etag = (!wire.etag.is_empty()).then(|| wire.etag.clone());
    Ok((
        request_id,
        Update {
            fleet_id: fleet_id.to_string(),
            changes,
            etag,
        },
    ))
}

fn all_set(wire: &Fleet) -> Vec<String> {
    let set = [
        ("display_name", !wire.display_name.is_empty()),
        ("device_count", wire.device_count != 0),
        ("utilisation_percent", wire.utilisation_percent != 0),
        ("poll_after", wire.poll_after.is_some()),
        ("waves", !wire.waves.is_empty()),
    ];
    set.into_iter()
        .filter(|(_, is_set)| *is_set)
        .map(|(path, _)| path.to_owned())
        .collect()
}

fn changes(checks: &mut Checks, wire: &Fleet, paths: &[String]) -> Changes {
    let mut changes = Changes::default();
    if paths.is_empty() {
        checks.violation("update_mask", "names nothing to change");
    }
    for path in paths {
        match path.as_str() {
            "display_name" => {
                changes.display_name = Some(display_name(checks, &wire.display_name));
            }
            "device_count" => changes.device_count = Some(devices(checks, wire.device_count)),
            "utilisation_percent" => {
                changes.utilisation_percent = Some(percent(checks, wire.utilisation_percent));
            }
            "poll_after" => {
                let wire = wire.poll_after.as_ref();
                let ms = span(checks, "fleet.poll_after", wire, DEFAULT_POLL, POLL);
                changes.poll_after_ms = Some(ms);
            }
            "waves" => changes.waves = serde_json::to_value(waves(checks, &wire.waves)).ok(),
            other => checks.violation("update_mask", format!("`{other}` can't be changed")),
        }
    }
    changes
}

#[cfg(test)]
mod tests;
