//! The stages of CI, cheapest first: a mistake in a comma should not cost a build.

use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::context::Context;
use crate::process::{answers, cargo, run as run_program};
use crate::{setup, sqlx_data};

/// One thing that must be right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Fmt,
    Buf,
    Clippy,
    Sqlx,
    Tests,
    Docs,
}

/// What looks at the text alone, more or less.
pub(crate) const LINTS: [Stage; 3] = [Stage::Fmt, Stage::Buf, Stage::Clippy];

/// The protobuf linter, as npm has it; it brings its own binary.
const BUF: &str = "@bufbuild/buf@1.75.0";

impl Stage {
    /// Everything that CI runs. Clippy comes before what needs a database: it says most of what
    /// the compiler says, and checks the dependencies for the stages after it.
    pub(crate) const ALL: [Self; 6] = [
        Self::Fmt,
        Self::Buf,
        Self::Clippy,
        Self::Sqlx,
        Self::Tests,
        Self::Docs,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Fmt => "formatting",
            Self::Buf => "protobuf lint",
            Self::Clippy => "clippy",
            Self::Sqlx => ".sqlx is up to date",
            Self::Tests => "tests",
            Self::Docs => "documentation",
        }
    }

    async fn run(self, context: &mut Context) -> anyhow::Result<()> {
        let mut cargo = cargo(&context.root);
        match self {
            Self::Fmt => run_program(cargo.args(["fmt", "--all", "--check"])),
            Self::Buf => lint_protobuf(context),
            Self::Clippy => {
                let arguments = [
                    "clippy",
                    "--workspace",
                    "--all-targets",
                    "--",
                    "-D",
                    "warnings",
                ];
                run_program(cargo.args(arguments))
            }
            Self::Sqlx => sqlx_data::compare(context).await,
            Self::Tests => test(context).await,
            Self::Docs => {
                cargo.env("RUSTDOCFLAGS", "-D warnings");
                run_program(cargo.args(["doc", "--workspace", "--no-deps"]))
            }
        }
    }
}

/// Runs the stages in order, up to the first that fails; then says how long each took.
pub(crate) async fn run(context: &mut Context, stages: &[Stage]) -> anyhow::Result<()> {
    let mut took = Vec::new();
    for stage in stages {
        println!("\n=== {} ===", stage.name());
        let start = Instant::now();
        stage
            .run(context)
            .await
            .with_context(|| format!("{} failed", stage.name()))?;
        took.push((stage.name(), start.elapsed()));
    }
    println!("\n=== all good ===");
    for (name, duration) in took {
        println!("{:>8}  {name}", seconds(duration));
    }
    Ok(())
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}

/// Needs Node; a machine without it, or without a way to npm, skips the lint and says so.
fn lint_protobuf(context: &Context) -> anyhow::Result<()> {
    if !answers("npx", &["--version"]) {
        println!("skipped: Node (npx) is not installed");
        return Ok(());
    }
    if !answers("npx", &["--yes", BUF, "--version"]) {
        println!("skipped: npx could not fetch {BUF}");
        return Ok(());
    }
    let mut npx = std::process::Command::new("npx");
    npx.args(["--yes", "--loglevel=error", BUF, "lint"])
        .current_dir(&context.root);
    run_program(&mut npx)
}

async fn test(context: &mut Context) -> anyhow::Result<()> {
    let environment = setup::ready(context).await?;
    let mut cargo = cargo(&context.root);
    cargo.envs(environment);
    if answers("cargo-nextest", &["--version"]) {
        run_program(cargo.args(["nextest", "run", "--workspace", "--no-fail-fast"]))
    } else {
        run_program(cargo.args(["test", "--workspace", "--no-fail-fast"]))
    }
}
