//! Waves and canaries as operators and back ends see them.

use hubshift_api::pb::concierge as pb;
use hubshift_api::times;
use hubshift_domain::route::{Cohort, Members, WavePlan};
use time::OffsetDateTime;

use crate::table::CanaryEntry;

/// Who goes first.
pub(crate) fn waves(waves: &[WavePlan]) -> Vec<pb::Wave> {
    let wire = |wave: &WavePlan| {
        let (prefixes, percent) = match &wave.members {
            Members::Prefixes(prefixes) => (prefixes.clone(), 0),
            Members::Percent(percent) => (Vec::new(), u32::from(*percent)),
        };
        pb::Wave {
            name: wave.name.to_string(),
            prefixes,
            percent,
            device_count: wave.device_count,
        }
    };
    waves.iter().map(wire).collect()
}

/// A canary of a fleet of so many devices; `end`: when and why it ended.
pub(crate) fn canary(
    canary: &CanaryEntry,
    device_count: u64,
    end: Option<(OffsetDateTime, &str)>,
) -> pb::Canary {
    let state = match end {
        None => pb::CanaryState::Running,
        Some(_) => pb::CanaryState::Ended,
    };
    let percent = match canary.cohort {
        Cohort::Percent(percent) => u32::from(percent),
        Cohort::Devices(_) => 0,
    };
    pb::Canary {
        canary: canary.id.clone(),
        hub: canary.hub.to_string(),
        percent,
        device_count: canary.cohort.size(device_count),
        state: state.into(),
        end_cause: end.map_or_else(String::new, |(_, cause)| cause.to_uppercase()),
        epoch: canary.epoch.0,
        start_time: Some(times::timestamp(canary.start_time)),
        until_time: Some(times::timestamp(canary.until_time)),
        end_time: end.map(|(at, _)| times::timestamp(at)),
    }
}
