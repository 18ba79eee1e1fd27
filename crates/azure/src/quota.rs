//! What a hub allows, by tier and units: calls per second and class, messages per day.
//!
//! The figures are Microsoft's. Per-minute quotas are given per second, because that is how they
//! are spent.

/// Which of a hub's quotas a call counts against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OperationClass {
    /// Identities of devices and modules, one at a time, in lists and in bulk.
    Registry,
    /// Queries.
    Query,
    /// Reads of twins.
    TwinRead,
    /// Writes of twins.
    TwinWrite,
    /// Jobs of both kinds.
    Job,
    /// Configurations.
    Configuration,
}

/// A hub's edition and size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tier {
    /// Free.
    F1,
    /// Basic, small.
    B1,
    /// Basic, medium.
    B2,
    /// Basic, large.
    B3,
    /// Standard, small.
    S1,
    /// Standard, medium.
    S2,
    /// Standard, large.
    S3,
}

/// How many calls of a class a hub allows per second.
pub fn per_second(tier: Tier, units: u32, class: OperationClass) -> f64 {
    let units = f64::from(units.max(1));
    let size = size(tier);
    let per_minute = |small: f64, large: f64| {
        let calls = if size == Size::Large { large } else { small };
        calls * units / 60.0
    };
    let shared = |least: f64, each: f64, large: f64| match size {
        Size::Small => least,
        Size::Medium => least.max(each * units),
        Size::Large => large * units,
    };
    match class {
        OperationClass::Registry | OperationClass::Job => per_minute(100.0, 5000.0),
        OperationClass::Query => per_minute(20.0, 1000.0),
        OperationClass::TwinRead => shared(100.0, 10.0, 500.0),
        OperationClass::TwinWrite => shared(50.0, 5.0, 250.0),
        OperationClass::Configuration => per_minute(20.0, 20.0),
    }
}

/// How many messages a hub takes in a day.
pub fn daily_messages(tier: Tier, units: u32) -> u64 {
    let units = u64::from(units.max(1));
    match (tier, size(tier)) {
        (Tier::F1, _) => 8_000,
        (_, Size::Small) => 400_000 * units,
        (_, Size::Medium) => 6_000_000 * units,
        (_, Size::Large) => 300_000_000 * units,
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Size {
    Small,
    Medium,
    Large,
}

fn size(tier: Tier) -> Size {
    match tier {
        Tier::F1 | Tier::B1 | Tier::S1 => Size::Small,
        Tier::B2 | Tier::S2 => Size::Medium,
        Tier::B3 | Tier::S3 => Size::Large,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registry_calls_are_per_minute_and_unit() {
        let calls = |tier, units| per_second(tier, units, OperationClass::Registry) * 60.0;
        assert!((calls(Tier::S1, 1) - 100.0).abs() < 1e-9);
        assert!((calls(Tier::S2, 3) - 300.0).abs() < 1e-9);
        assert!((calls(Tier::S3, 2) - 10_000.0).abs() < 1e-9);
    }

    #[test]
    fn twins_of_the_middle_size_grow_with_units_and_those_of_the_small_do_not() {
        let reads = |tier, units| per_second(tier, units, OperationClass::TwinRead);
        assert!((reads(Tier::S1, 200) - 100.0).abs() < 1e-9);
        assert!((reads(Tier::S2, 5) - 100.0).abs() < 1e-9);
        assert!((reads(Tier::S2, 20) - 200.0).abs() < 1e-9);
        assert!((reads(Tier::S3, 2) - 1000.0).abs() < 1e-9);
    }

    #[test]
    fn messages_are_per_unit_but_on_the_free_hub() {
        assert_eq!(daily_messages(Tier::F1, 1), 8_000);
        assert_eq!(daily_messages(Tier::S1, 2), 800_000);
    }
}
