//! Benchmarks: builds what is measured as it is released, and runs `hubshift-bench`, which knows
//! the rest. What a person chooses goes through as it is.

use std::ffi::OsString;

use crate::context::Context;
use crate::process::{cargo, run};
use crate::setup;

/// What is measured.
#[derive(clap::Subcommand)]
pub(crate) enum Bench {
    /// The concierge beside tonic, axum, hyper, nginx and etcd; --help tells what can be chosen.
    #[command(disable_help_flag = true)]
    Concierge {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
        arguments: Vec<OsString>,
    },
}

/// What is answered without a measurement, and without a release build.
const QUESTIONS: [&str; 3] = ["--list", "--help", "-h"];

/// Measures; fails when a required ratio is missed.
pub(crate) fn measure(context: &Context, bench: Bench) -> anyhow::Result<()> {
    let Bench::Concierge { arguments } = bench;
    let mut bench = cargo(&context.root);
    let is_question = |argument: &OsString| QUESTIONS.iter().any(|question| argument == question);
    if arguments.iter().any(is_question) {
        bench.args(["run", "--quiet", "-p", "hubshift-bench", "--", "concierge"]);
        return run(bench.args(arguments));
    }
    setup::measuring_tools()?;
    let mut build = cargo(&context.root);
    build.args(["build", "--release", "--bins", "--examples"]);
    run(build.args(["-p", "hubshift-concierge", "-p", "hubshift-bench"]))?;
    bench.args(["run", "--quiet", "--release", "-p", "hubshift-bench", "--"]);
    bench.arg("concierge").arg("--report");
    bench.arg(context.scratch("bench").join("concierge.json"));
    run(bench.args(arguments))
}
