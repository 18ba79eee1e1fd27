//! Starts the world, tells the story, prints the report.

use std::process::ExitCode;
use std::time::Instant;

use super::args::DemoArgs;
use super::chaos::Monkey;
use super::seed;
use super::story::Story;
use crate::world::{Layout, Tuning, World};

/// Runs the demo. Exit code 1 when anything was lost, duplicated or resurrected.
pub(crate) async fn run(args: DemoArgs, json: bool) -> anyhow::Result<ExitCode> {
    let devices = seed::devices(&args.seed)?;
    let started = Instant::now();
    let folder = tempfile::Builder::new()
        .prefix("hubshift-demo-")
        .tempdir()?;
    let root = args
        .keep
        .clone()
        .unwrap_or_else(|| folder.path().to_owned());
    let mut layout = Layout::create(&root, Tuning::demo())?;
    layout.otlp_endpoint = args.otlp.clone();
    eprintln!("starting PostgreSQL, two hubs and three services …");
    let world = World::start(layout, true).await?;
    let monkey = Monkey::new(args.chaos, args.chaos_seed);
    let mut story = Story::begin(world, devices, args.east_returns, monkey).await?;
    let told = story.tell().await;
    let (world, mut report) = story.end();
    let stopped = world.stop().await;
    told.inspect_err(|_| keep_logs(&root, folder))?;
    stopped?;
    report.seconds = started.elapsed().as_secs_f64();
    if json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        report.print();
    }
    Ok(if report.is_good() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
}

/// When the story breaks off, its logs are what a person needs.
fn keep_logs(root: &std::path::Path, folder: tempfile::TempDir) {
    let kept = folder.keep();
    eprintln!(
        "the demo's folder is kept for its logs: {}",
        if root == kept { &kept } else { root }.display()
    );
}
