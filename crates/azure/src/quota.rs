//! What a hub takes: calls a second by class of operation, messages a day, connections a second.
//!
//! The figures are those of Microsoft's quota table, per hub, by tier and by how many units of it
//! the hub has. The connector plans with them and the emulator throttles by them, so that a plan
//! is tried against the same numbers that made it.

use crate::wire_enum::wire_enum;

wire_enum! {
    /// A hub's tier. The tiers of a row of the table have the same throttles.
    pub enum Tier {
        /// Free: one unit, and no more.
        F1 = "F1",
        /// Basic, small.
        B1 = "B1",
        /// Standard, small.
        S1 = "S1",
        /// Basic, middle.
        B2 = "B2",
        /// Standard, middle.
        S2 = "S2",
        /// Basic, large.
        B3 = "B3",
        /// Standard, large.
        S3 = "S3",
    }
}

wire_enum! {
    /// What a hub throttles separately.
    pub enum OperationClass {
        /// Identities of devices and modules; a bulk call counts each of its entries.
        Registry = "registry",
        /// Queries.
        Query = "query",
        /// Reads of twins.
        TwinRead = "twin_read",
        /// Writes of twins.
        TwinWrite = "twin_write",
        /// Making, reading and cancelling jobs.
        Job = "job",
        /// Configurations.
        Configuration = "configuration",
    }
}

/// Devices a second that an import or export job handles, on any tier: half a million took two
/// hours by Microsoft's figure.
pub const JOB_DEVICES_PER_SECOND: f64 = 70.0;

/// A hub's tier and how many units of it the hub has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// The tier.
    pub tier: Tier,
    /// From 1.
    pub units: u32,
}

/// The three sizes of which the table has columns.
#[derive(Clone, Copy)]
enum Size {
    Small,
    Middle,
    Large,
}

impl Tier {
    fn size(self) -> Size {
        match self {
            Self::F1 | Self::B1 | Self::S1 => Size::Small,
            Self::B2 | Self::S2 => Size::Middle,
            Self::B3 | Self::S3 => Size::Large,
        }
    }

    /// The family, as Azure's resource manager names it.
    pub fn family(self) -> &'static str {
        match self {
            Self::F1 => "Free",
            Self::B1 | Self::B2 | Self::B3 => "Basic",
            Self::S1 | Self::S2 | Self::S3 => "Standard",
        }
    }
}

impl Quota {
    /// [`per_second`] of this hub.
    pub fn per_second(self, class: OperationClass) -> f64 {
        per_second(self.tier, self.units, class)
    }

    /// [`daily_messages`] of this hub.
    pub fn daily_messages(self) -> u64 {
        daily_messages(self.tier, self.units)
    }

    /// [`connections_per_second`] of this hub.
    pub fn connections_per_second(self) -> f64 {
        connections_per_second(self.tier, self.units)
    }

    /// [`sends_per_second`] of this hub.
    pub fn sends_per_second(self) -> f64 {
        sends_per_second(self.tier, self.units)
    }
}

/// Calls per second that a hub of this tier and so many units takes.
pub fn per_second(tier: Tier, units: u32, class: OperationClass) -> f64 {
    let units = counted(tier, units);
    let size = tier.size();
    match class {
        OperationClass::Registry | OperationClass::Job => match size {
            Size::Small | Size::Middle => per_minute(100.0) * units,
            Size::Large => per_minute(5_000.0) * units,
        },
        OperationClass::Query => match size {
            Size::Small | Size::Middle => per_minute(20.0) * units,
            Size::Large => per_minute(1_000.0) * units,
        },
        OperationClass::TwinRead => match size {
            Size::Small => 100.0,
            Size::Middle => (10.0 * units).max(100.0),
            Size::Large => 500.0 * units,
        },
        OperationClass::TwinWrite => match size {
            Size::Small => 50.0,
            Size::Middle => (5.0 * units).max(50.0),
            Size::Large => 250.0 * units,
        },
        OperationClass::Configuration => per_minute(20.0) * units,
    }
}

/// Messages from devices that a hub takes on one day.
pub fn daily_messages(tier: Tier, units: u32) -> u64 {
    let units = u64::from(units.max(1));
    match tier {
        Tier::F1 => 8_000,
        Tier::B1 | Tier::S1 => 400_000 * units,
        Tier::B2 | Tier::S2 => 6_000_000 * units,
        Tier::B3 | Tier::S3 => 300_000_000 * units,
    }
}

/// Scheduled jobs that run at once.
pub fn scheduled_jobs(tier: Tier) -> usize {
    match tier.size() {
        Size::Small => 1,
        Size::Middle => 5,
        Size::Large => 10,
    }
}

/// Configurations that a hub has at most.
pub fn configurations(tier: Tier) -> usize {
    match tier {
        Tier::F1 => 10,
        _ => 100,
    }
}

/// New connections of devices per second: the floor under the time that a failover takes.
pub fn connections_per_second(tier: Tier, units: u32) -> f64 {
    let units = counted(tier, units);
    match tier.size() {
        Size::Small => (12.0 * units).max(100.0),
        Size::Middle => 120.0 * units,
        Size::Large => 6_000.0 * units,
    }
}

/// Messages from devices per second. The table's figures are those for connections.
pub fn sends_per_second(tier: Tier, units: u32) -> f64 {
    connections_per_second(tier, units)
}

/// A hub has one unit at least, and a free one has no more.
fn counted(tier: Tier, units: u32) -> f64 {
    match tier {
        Tier::F1 => 1.0,
        _ => f64::from(units.max(1)),
    }
}

fn per_minute(calls: f64) -> f64 {
    calls / 60.0
}

#[cfg(test)]
mod tests {
    use OperationClass::{Configuration, Job, Query, Registry, TwinRead, TwinWrite};

    use super::*;

    fn a_minute(tier: Tier, units: u32, class: OperationClass) -> f64 {
        (per_second(tier, units, class) * 60.0).round()
    }

    #[test]
    fn the_registry_takes_a_hundred_a_minute_and_unit_below_the_largest_tier() {
        for tier in [Tier::B1, Tier::S1, Tier::B2, Tier::S2] {
            assert_eq!(a_minute(tier, 1, Registry), 100.0, "{tier}");
            assert_eq!(a_minute(tier, 7, Registry), 700.0, "{tier}");
            assert_eq!(a_minute(tier, 1, Job), 100.0, "{tier}");
            assert_eq!(a_minute(tier, 2, Query), 40.0, "{tier}");
            assert_eq!(a_minute(tier, 2, Configuration), 40.0, "{tier}");
        }
        for tier in [Tier::B3, Tier::S3] {
            assert_eq!(a_minute(tier, 2, Registry), 10_000.0, "{tier}");
            assert_eq!(a_minute(tier, 1, Job), 5_000.0, "{tier}");
            assert_eq!(a_minute(tier, 1, Query), 1_000.0, "{tier}");
            assert_eq!(a_minute(tier, 1, Configuration), 20.0, "{tier}");
        }
    }

    #[test]
    fn twins_have_a_floor_of_the_hub_and_grow_with_units() {
        assert_eq!(per_second(Tier::S1, 50, TwinRead), 100.0);
        assert_eq!(per_second(Tier::S1, 50, TwinWrite), 50.0);
        assert_eq!(per_second(Tier::S2, 1, TwinRead), 100.0);
        assert_eq!(per_second(Tier::S2, 20, TwinRead), 200.0);
        assert_eq!(per_second(Tier::S2, 20, TwinWrite), 100.0);
        assert_eq!(per_second(Tier::S3, 2, TwinRead), 1_000.0);
        assert_eq!(per_second(Tier::S3, 2, TwinWrite), 500.0);
    }

    #[test]
    fn messages_a_day_and_connections_a_second() {
        assert_eq!(daily_messages(Tier::F1, 1), 8_000);
        assert_eq!(daily_messages(Tier::S1, 2), 800_000);
        assert_eq!(daily_messages(Tier::B2, 1), 6_000_000);
        assert_eq!(daily_messages(Tier::S3, 1), 300_000_000);
        assert_eq!(connections_per_second(Tier::S1, 1), 100.0);
        assert_eq!(connections_per_second(Tier::S1, 10), 120.0);
        assert_eq!(connections_per_second(Tier::S2, 1), 120.0);
        assert_eq!(connections_per_second(Tier::S3, 1), 6_000.0);
    }

    #[test]
    fn a_free_hub_has_one_unit_and_none_has_fewer() {
        assert_eq!(a_minute(Tier::F1, 5, Registry), 100.0);
        assert_eq!(a_minute(Tier::S1, 0, Registry), 100.0);
        assert_eq!(daily_messages(Tier::S1, 0), 400_000);
        assert_eq!(daily_messages(Tier::F1, 5), 8_000);
    }

    #[test]
    fn the_sheets_times_to_seed_follow() {
        let minutes = |devices: f64, tier| devices / per_second(tier, 1, Registry) / 60.0;
        assert_eq!(minutes(10_000.0, Tier::S1).round(), 100.0);
        assert_eq!(minutes(100_000.0, Tier::S3).round(), 20.0);
    }

    #[test]
    fn jobs_at_once_and_configurations_go_by_tier() {
        assert_eq!(
            [Tier::S1, Tier::S2, Tier::S3].map(scheduled_jobs),
            [1, 5, 10]
        );
        assert_eq!(
            [Tier::F1, Tier::B1, Tier::S3].map(configurations),
            [10, 100, 100]
        );
    }

    #[test]
    fn tiers_are_read_in_any_case() {
        assert_eq!("s1".parse::<Tier>(), Ok(Tier::S1));
        assert_eq!(Tier::B3.to_string(), "B3");
        assert_eq!(Tier::F1.family(), "Free");
        assert!("S4".parse::<Tier>().is_err());
    }

    #[test]
    fn a_quota_says_what_the_table_says() {
        let quota = Quota {
            tier: Tier::S2,
            units: 3,
        };
        assert_eq!(quota.per_second(Query), per_second(Tier::S2, 3, Query));
        assert_eq!(quota.daily_messages(), 18_000_000);
        assert_eq!(quota.connections_per_second(), 360.0);
        assert_eq!(quota.sends_per_second(), 360.0);
    }
}
