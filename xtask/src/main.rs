//! What CI runs, a person can run: `cargo xtask test`. Nothing here is part of the product.

mod bench;
mod campaign;
mod conformance;
mod context;
mod db;
mod fuzz;
mod poll_cost;
mod process;
mod setup;
mod sqlx_data;
mod stage;

use clap::{Parser, Subcommand};

use crate::context::Context;
use crate::stage::{LINTS, Stage, run};

/// Checks, tests and keeps the repository in order.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Everything that CI runs, cheapest first; stops at the first failure.
    #[command(visible_alias = "ci")]
    Test,
    /// Formatting, protobuf lint and clippy.
    Lint,
    /// Regenerates .sqlx, what the SQL macros know about the database.
    Sqlx,
    /// Holds a private PostgreSQL with an empty database as the migrations make it, until ^C.
    Db,
    /// Holds a hub, real or emulated, against what the connector relies on.
    Conformance(conformance::Arguments),
    /// Devices out of an emulated hub by an export job, into an empty one, and out again, through
    /// a real Azurite; the two files must be equal. A release build.
    Azurite {
        /// How many devices
        #[arg(long, value_name = "COUNT", default_value_t = 100_000)]
        devices: u32,
    },
    /// Random registries of every kind, each copied by the connector from an emulated hub to another
    /// one: what can carry over must be equal. A release build.
    RoundTrips {
        /// How many registries
        #[arg(long, value_name = "COUNT", default_value_t = 1_000)]
        registries: u32,
    },
    /// Devices that ask, round after round, through a failover in which the database dies: all are
    /// answered, none is sent back, and they arrive no faster than their hub admits. A release build.
    Storm {
        /// How many devices
        #[arg(long, value_name = "COUNT", default_value_t = 1_000_000)]
        devices: u32,
    },
    /// What a device's poll costs before, during and after a failover, in instructions: within a
    /// tenth of each other. A release build, under valgrind.
    PollCost {
        /// How many polls are counted in each state
        #[arg(long, value_name = "COUNT", default_value_t = 20_000)]
        polls: u32,
    },
    /// Throws bytes at what strangers can send bytes to: HTTP, gRPC, the table file, signed documents.
    /// A release build with coverage; fails when something is found.
    Fuzz(fuzz::Arguments),
    /// Measures a release build beside what it is held against (docs/benchmarks.md).
    #[command(subcommand)]
    Bench(bench::Bench),
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut context = Context::new()?;
    let done = match Arguments::parse().command {
        Command::Test => run(&mut context, &Stage::ALL).await,
        Command::Lint => run(&mut context, &LINTS).await,
        Command::Sqlx => sqlx_data::regenerate(&mut context).await,
        Command::Db => db::hold(&mut context).await,
        Command::Conformance(arguments) => conformance::run_suite(&context, arguments),
        Command::Azurite { devices } => campaign::azurite(&context, devices),
        Command::RoundTrips { registries } => campaign::round_trips(&context, registries),
        Command::Storm { devices } => campaign::storm(&context, devices),
        Command::PollCost { polls } => poll_cost::campaign(&context, polls),
        Command::Fuzz(arguments) => fuzz::campaign(&context, &arguments),
        Command::Bench(bench) => bench::measure(&context, bench),
    };
    context.close().await?;
    done
}
