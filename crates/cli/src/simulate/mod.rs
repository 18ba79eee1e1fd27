//! `hubshift simulate`: who arrives when at the hub that a fleet moves to, in virtual time.
//!
//! Nothing is called and nothing is kept but the picture that `--svg` asks for.

mod args;
mod bars;
mod picture;
mod view;

use std::time::Duration;

use hubshift_domain::epoch::Epoch;
use hubshift_domain::storm::{Scenario, simulate};

pub(crate) use args::SimulateArgs;
use view::Report;

use crate::exit::CliError;
use crate::output::Output;

/// Without a horizon: as long as so many times the fastest possible move.
const HORIZON_FLOORS: u32 = 20;
/// Slots are a function of the epoch; any one will do.
const EPOCH: Epoch = Epoch(2048);

/// Simulates every strategy that was asked for, and shows what came of it.
pub(crate) fn run(args: &SimulateArgs, output: Output) -> Result<(), CliError> {
    let scenario = scenario(args);
    let mut progress = output.progress();
    let mut outcomes = Vec::new();
    for strategy in args.strategies() {
        progress.step(format!("simulating {}", strategy.as_str()));
        outcomes.push(simulate(&scenario, strategy));
    }
    drop(progress);
    if let Some(path) = &args.svg {
        let svg = picture::svg(&scenario, &outcomes)?;
        std::fs::write(path, svg)
            .map_err(|error| CliError::usage(format!("{}: {error}", path.display())))?;
    }
    output.show(&Report::new(&scenario, &outcomes, args.within))
}

fn scenario(args: &SimulateArgs) -> Scenario {
    let mut scenario = Scenario {
        devices: args.devices,
        admission_per_second: args.admission,
        utilisation_percent: args.utilisation,
        poll: args.poll,
        retry: args.retry,
        horizon: Duration::ZERO,
        epoch: EPOCH,
        seed: args.seed,
    };
    let usual = (scenario.floor() * HORIZON_FLOORS).max(scenario.poll * HORIZON_FLOORS);
    scenario.horizon = args.horizon.unwrap_or(usual);
    scenario
}
