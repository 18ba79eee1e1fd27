//! Canaries from the wire.

use std::collections::BTreeSet;

use hubshift_api::pb::concierge::{StartCanaryRequest, StopCanaryRequest};
use hubshift_api::times;
use hubshift_api::validate::Checks;
use hubshift_domain::canary::{DEFAULT_TTL, TTL};
use hubshift_domain::epoch::Epoch;
use hubshift_domain::id::FleetId;
use hubshift_domain::route::{Cohort, DeviceHash, MAX_CANARY_DEVICES, MAX_CANARY_PERCENT};
use tonic::Status;
use uuid::Uuid;

use crate::app::canary::CanaryOrder;

/// A start, checked whole.
pub(super) fn start(message: &StartCanaryRequest) -> Result<(Uuid, CanaryOrder), Status> {
    let mut checks = Checks::new();
    let fleet = checks.fleet("name", &message.name);
    let request_id = checks.request_id(&message.request_id);
    let hub = checks.hub("hub", &message.hub);
    if message.expected_epoch == 0 {
        checks.violation("expected_epoch", "is required");
    }
    let cohort = cohort(&mut checks, message);
    let wire = message.ttl.as_ref();
    let ttl = wire.map_or(DEFAULT_TTL, times::from_duration);
    let is_negative = wire.is_some_and(|wire| wire.seconds < 0 || wire.nanos < 0);
    let (least, most) = TTL;
    if is_negative || ttl < least || ttl > most {
        checks.violation("ttl", format!("must be {least:?} to {most:?}"));
    }
    let found = fleet.zip(hub).zip(cohort).zip(request_id);
    let (((fleet, hub), cohort), request_id) = checks.require(found)?;
    let order = CanaryOrder {
        fleet_id: fleet.to_string(),
        expected_epoch: Epoch(message.expected_epoch),
        hub_id: hub.to_string(),
        cohort,
        ttl,
    };
    Ok((request_id, order))
}

fn cohort(checks: &mut Checks, message: &StartCanaryRequest) -> Option<Cohort> {
    let most = u32::from(MAX_CANARY_PERCENT);
    match (message.percent, message.devices.is_empty()) {
        (0, false) => devices(checks, &message.devices),
        (0, true) | (_, false) => {
            checks.violation("percent", "give percent or devices, one of both");
            None
        }
        (percent, true) if percent <= most => u8::try_from(percent).ok().map(Cohort::Percent),
        (_, true) => {
            let problem = format!("must be 1 to {most}: a larger part is a move");
            checks.violation("percent", problem);
            None
        }
    }
}

/// Each device once; the route has hashes of their ids.
fn devices(checks: &mut Checks, wire: &[String]) -> Option<Cohort> {
    if wire.len() > MAX_CANARY_DEVICES {
        let problem = format!("names {} devices, at most {MAX_CANARY_DEVICES}", wire.len());
        checks.violation("devices", problem);
    }
    let mut hashes = BTreeSet::new();
    for (index, id) in wire.iter().enumerate() {
        let device = checks.device(&format!("devices[{index}]"), id);
        hashes.extend(device.map(|device| DeviceHash::of(device.as_str())));
    }
    Some(Cohort::Devices(hashes.into_iter().collect()))
}

/// A stop, checked whole.
pub(super) fn stop(message: &StopCanaryRequest) -> Result<(Uuid, FleetId, Option<Uuid>), Status> {
    let mut checks = Checks::new();
    let fleet = checks.fleet("name", &message.name);
    let request_id = checks.request_id(&message.request_id);
    let id = match message.canary.as_str() {
        "" => None,
        text => {
            let id = Uuid::parse_str(text).ok();
            if id.is_none() {
                checks.violation("canary", format!("`{text}` is not the id of a canary"));
            }
            id
        }
    };
    let (fleet, request_id) = checks.require(fleet.zip(request_id))?;
    Ok((request_id, fleet, id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> StartCanaryRequest {
        StartCanaryRequest {
            name: "fleets/acme".into(),
            request_id: Uuid::nil().to_string(),
            expected_epoch: 1024,
            hub: "west".into(),
            percent: 5,
            ..StartCanaryRequest::default()
        }
    }

    #[test]
    fn a_start_gets_its_defaults() {
        let (_, order) = start(&message()).unwrap();
        assert_eq!((order.cohort, order.ttl), (Cohort::Percent(5), DEFAULT_TTL));
        let mut named = message();
        named.percent = 0;
        named.devices = vec!["d-2".into(), "d-1".into(), "d-2".into()];
        let (_, order) = start(&named).unwrap();
        let mut expected = vec![DeviceHash::of("d-1"), DeviceHash::of("d-2")];
        expected.sort();
        assert_eq!(order.cohort, Cohort::Devices(expected));
    }

    #[test]
    fn every_violation_of_a_start_is_found_at_once() {
        let bad = StartCanaryRequest {
            devices: vec!["a b".into()],
            ttl: Some(prost_types::Duration {
                seconds: 86_401,
                nanos: 0,
            }),
            ..StartCanaryRequest::default()
        };
        let text = start(&bad).unwrap_err().message().to_owned();
        for field in [
            "name",
            "request_id",
            "hub",
            "expected_epoch",
            "devices[0]",
            "ttl",
        ] {
            assert!(text.contains(field), "{field}: {text}");
        }
        for (percent, devices) in [(0, vec![]), (51, vec![]), (5, vec!["d-1".to_owned()])] {
            let bad = StartCanaryRequest {
                percent,
                devices,
                ..message()
            };
            assert!(start(&bad).unwrap_err().message().contains("percent"));
        }
        let bad = StartCanaryRequest {
            percent: 0,
            devices: (0..201).map(|at| format!("d-{at}")).collect(),
            ..message()
        };
        assert!(start(&bad).unwrap_err().message().contains("201"));
    }
}
