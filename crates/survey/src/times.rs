//! How long seeding and a failover would take, from quotas alone.

use std::time::Duration;

use hubshift_azure::quota::{
    JOB_DEVICES_PER_SECOND, OperationClass, Tier, connections_per_second, per_second,
};
use hubshift_domain::pacing;
use hubshift_domain::seeding::{Estimate, Speed, Work, estimate};

/// How much of a hub's admission rate paced slots use, as fleets do unless told otherwise.
const UTILISATION_PERCENT: u8 = 80;

/// What a hub admits: its tier and units, and our share of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quota {
    /// The tier.
    pub tier: Tier,
    /// How many units of it.
    pub units: u32,
    /// The part of it that Hubshift may use, 0 to 1.
    pub share: f64,
}

/// What a move would take.
#[derive(Clone, Debug, PartialEq)]
pub struct Times {
    /// Bringing the target up to the source.
    pub seeding: Estimate,
    /// The least time in which all devices can connect to the target.
    pub connect_floor: Duration,
    /// The same, paced so that the hub never refuses one.
    pub connect_paced: Duration,
}

/// Times for these writes and this many devices towards a hub with this quota.
pub fn times(work: &Work, devices: u64, target: Quota, with_jobs: bool) -> Times {
    let rate = |class| per_second(target.tier, target.units, class) * target.share;
    let speed = Speed {
        registry: rate(OperationClass::Registry),
        twin_writes: rate(OperationClass::TwinWrite),
        twin_reads: rate(OperationClass::TwinRead),
        job_devices: with_jobs.then_some(JOB_DEVICES_PER_SECOND),
    };
    let connections = connections_per_second(target.tier, target.units) as u32;
    Times {
        seeding: estimate(work, &speed),
        connect_floor: pacing::window(devices, 100, connections),
        connect_paced: pacing::window(devices, UTILISATION_PERCENT, connections),
    }
}
