//! What `hubshift simulate` is told.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser as _};
use hubshift_domain::storm::Strategy;
use hubshift_shell::config::humane;

/// Options of `hubshift simulate`.
#[derive(Debug, Args)]
pub(crate) struct SimulateArgs {
    /// Devices that move
    #[arg(long, value_name = "COUNT", default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub(crate) devices: u32,

    /// New connections that the hub admits, per second: S1 100, S2 120 a unit, S3 6000 a unit
    #[arg(long, value_name = "RATE", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) admission: u32,

    /// Part of that rate which paced devices use, percent
    #[arg(long, value_name = "PERCENT", default_value_t = 80, value_parser = clap::value_parser!(u8).range(1..=100))]
    pub(crate) utilisation: u8,

    /// How often devices ask a concierge; 0s: all know at once
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = humane::parse)]
    pub(crate) poll: Duration,

    /// Wait of devices that repeat at a fixed time
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humane::parse)]
    pub(crate) retry: Duration,

    /// When to stop looking [default: 20 times the fastest possible move]
    #[arg(long, value_name = "TIME", value_parser = humane::parse)]
    pub(crate) horizon: Option<Duration>,

    /// A strategy; may be given several times [default: all]
    #[arg(long = "strategy", value_name = "NAME", value_parser = strategies())]
    pub(crate) chosen: Vec<Strategy>,

    /// Says which rate a paced fleet needs to be attached within this time
    #[arg(long, value_name = "TIME", value_parser = humane::parse)]
    pub(crate) within: Option<Duration>,

    /// Draws the curves into this file
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,

    /// Where randomness starts: the same number gives the same result
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub(crate) seed: u64,
}

impl SimulateArgs {
    /// The strategies to simulate.
    pub(super) fn strategies(&self) -> Vec<Strategy> {
        if self.chosen.is_empty() {
            Strategy::ALL.to_vec()
        } else {
            self.chosen.clone()
        }
    }
}

fn strategies() -> impl clap::builder::TypedValueParser<Value = Strategy> {
    let names = Strategy::ALL.map(|strategy| PossibleValue::new(strategy.as_str()));
    PossibleValuesParser::new(names).map(|name| {
        let named = |strategy: &Strategy| strategy.as_str() == name;
        // Only these names get through the parser.
        Strategy::ALL
            .into_iter()
            .find(named)
            .unwrap_or(Strategy::Slots)
    })
}
