//! The concierge, measured beside what it is held against, in one run on the same two cores: the
//! server on one, the load on the other. What is measured and how stands in docs/benchmarks.md.
//!
//! Nothing is durable but the report. Kept true: every contender answers the bytes that the
//! concierge was seen to answer in this run, and a measurement whose answers were not those is an
//! error, not a figure.

mod answers;
mod capture;
mod contender;
mod fleets;
mod grpc;
mod judge;
mod load;
mod machine;
mod marker;
mod options;
mod pin;
mod ports;
mod probe;
mod proc;
mod process;
mod report;
mod rounds;
mod serve;
mod stats;
mod tools;
mod works;
mod world;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::options::Options;

/// A required ratio was missed.
const MISSED: u8 = 1;
/// Something could not be measured.
const BROKEN: u8 = 2;

/// Measures Hubshift beside what it is held against.
#[derive(Parser)]
#[command(name = "hubshift-bench", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The concierge beside tonic, axum, hyper, nginx and etcd. Exits with 1 when a required ratio
    /// is missed, with 2 when something could not be measured.
    Concierge(Options),
    /// One contender, as a process of its own; the benchmark starts it.
    #[command(hide = true, subcommand)]
    Serve(serve::Server),
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("hubshift-bench: {error:#}");
            ExitCode::from(BROKEN)
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve(server) => {
            runtime()?.block_on(serve::run(server))?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Concierge(options) if options.list => {
            print!("{}", works::list());
            Ok(ExitCode::SUCCESS)
        }
        Command::Concierge(options) => {
            // Before the runtime makes a thread: threads inherit it, and so do the tools.
            pin::this_process(options.load_core)?;
            runtime()?.block_on(Box::pin(concierge(options)))
        }
    }
}

/// One thread, as every contender of ours has one core.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
}

async fn concierge(options: Options) -> anyhow::Result<ExitCode> {
    let works = works::chosen(&options.only)?;
    let measured = tokio::select! {
        measured = Box::pin(rounds::run(&options, &works)) => measured?,
        // Dropping the rounds ends what they started.
        _ = tokio::signal::ctrl_c() => anyhow::bail!("interrupted"),
    };
    let report = report::Report::new(&options, measured);
    report.save(options.report.as_deref())?;
    report.print(options.output)?;
    let missed = !options.no_judge && !report.all_reached();
    Ok(if missed {
        ExitCode::from(MISSED)
    } else {
        ExitCode::SUCCESS
    })
}
