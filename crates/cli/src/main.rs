//! `hubshift`: what an operator types, `hubshift up` (the whole world) and `hubshift demo`.
//!
//! Nothing is durable here but the context file that `up` writes. Kept true: a command makes one
//! request with one request id, however often it has to repeat it, and its exit code says how it
//! ended (see `exit`).

mod args;
mod commands;
mod connect;
mod demo;
mod doctor;
mod exit;
mod output;
mod simulate;
mod world;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use crate::args::{Cli, Command, OutputFormat};
use crate::commands::operate;
use crate::exit::CliError;
use crate::output::Output;

#[tokio::main]
async fn main() -> ExitCode {
    match Cli::try_parse() {
        Ok(cli) => Box::pin(run(cli)).await,
        Err(error) => exit::refuse(&error),
    }
}

async fn run(cli: Cli) -> ExitCode {
    let format = cli.remote.output;
    match cli.command {
        Command::Up(_) | Command::Service(_) if format.is_some() => {
            let text = "`up` and `service` print what they do, and know no --output";
            exit::own(Err(CliError::usage(text).into()))
        }
        Command::Up(args) => exit::own(Box::pin(world::up(args)).await),
        Command::Demo { args, output } => {
            let json = output.or(format) == Some(OutputFormat::Json);
            exit::own(Box::pin(demo::run(args, json)).await)
        }
        Command::Doctor { args, output } => {
            let format = output.or(format).unwrap_or_default();
            exit::of(
                Box::pin(doctor::run(args, Output::new(format, false))).await,
                format,
            )
        }
        Command::Simulate { args, output } => {
            let format = output.or(format).unwrap_or_default();
            exit::of(simulate::run(&args, Output::new(format, false)), format)
        }
        Command::Service(args) => exit::own(Box::pin(world::service::run(args)).await),
        Command::Fleet(group) => operate(group).await,
        Command::Hub(group) => operate(group).await,
        Command::Device(group) => operate(group).await,
        Command::Failover(group) => operate(group).await,
        Command::Sync(group) => operate(group).await,
        Command::Adopt(group) => operate(group).await,
        Command::Backup(group) => operate(group).await,
        Command::Merge(group) => operate(group).await,
        Command::Metadata(group) => operate(group).await,
        Command::Completion { shell } => {
            clap_complete::generate(
                shell,
                &mut Cli::command(),
                "hubshift",
                &mut std::io::stdout(),
            );
            ExitCode::SUCCESS
        }
    }
}
