//! What CI runs, a person can run: `cargo xtask test`. Nothing here is part of the product.

mod context;
mod db;
mod process;
mod setup;
mod sqlx_data;
mod stage;

use clap::{Parser, Subcommand};

use crate::context::Context;
use crate::stage::{LINTS, Stage, run};

/// Checks, tests and keeps the repository in order.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
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
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut context = Context::new()?;
    let done = match Arguments::parse().command {
        Command::Test => run(&mut context, &Stage::ALL).await,
        Command::Lint => run(&mut context, &LINTS).await,
        Command::Sqlx => sqlx_data::regenerate(&mut context).await,
        Command::Db => db::hold(&mut context).await,
    };
    context.close().await?;
    done
}
