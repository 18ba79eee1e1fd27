//! Fuzzing without a nightly compiler: builds `fuzz/` with coverage, runs its targets one after the
//! other, and says what they reached.
//!
//! Durable: `fuzz/corpus/TARGET`, small and in git, and what was found wrong, in
//! `fuzz/artifacts/TARGET`. What a run finds worth keeping goes to `target/fuzz-corpus/TARGET`, from
//! where the next run goes on; only `--keep` takes some of it into the corpus, minimised.

mod corpus;
mod summary;

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail, ensure};

use crate::context::Context;
use crate::process::{cargo, run};
use summary::Summary;

/// What is thrown bytes at, and how many at once.
const TARGETS: [(&str, usize); 4] = [
    ("http_front", 8 * 1024),
    ("grpc_front", 20 * 1024),
    ("table_file", 16 * 1024),
    ("signed_documents", 16 * 1024),
];

/// As cargo-fuzz builds, without sanitizers: those need a nightly compiler.
const FLAGS: [&str; 9] = [
    "--cfg fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cdebug-assertions",
    "-Coverflow-checks",
    "-Ccodegen-units=1",
];

/// What a person chooses.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// One of http_front, grpc_front, table_file and signed_documents; all of them without it
    #[arg(value_name = "TARGET")]
    target: Option<String>,

    /// For how long, each; 0 only replays the corpus
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    seconds: u32,

    /// How many processes at once
    #[arg(long, value_name = "COUNT", default_value_t = 1)]
    jobs: u32,

    /// Puts what was found into fuzz/corpus, minimised
    #[arg(long)]
    keep: bool,
}

/// Fuzzes; fails when something was found.
pub(crate) fn campaign(context: &Context, arguments: &Arguments) -> anyhow::Result<()> {
    let chosen = |name: &str| arguments.target.as_deref().is_none_or(|only| only == name);
    let targets = TARGETS.into_iter().filter(|(name, _)| chosen(name));
    let targets: Vec<Target> = targets.map(|target| Target::new(context, target)).collect();
    ensure!(!targets.is_empty(), "there is no such target");
    let binaries = build(context)?;
    let mut reports = Vec::new();
    let mut found = Vec::new();
    for target in &targets {
        let (summary, is_clean) = target.fuzz(&binaries, arguments)?;
        if !is_clean {
            found.push(target.name);
        } else if arguments.keep {
            target.keep(&binaries)?;
        }
        let (files, bytes) = corpus::size(&target.corpus)?;
        reports.push(format!(
            "{:<18}{summary}; corpus: {files} files, {bytes} bytes",
            target.name
        ));
    }
    reports.iter().for_each(|report| println!("{report}"));
    if !found.is_empty() {
        bail!("findings in {}: see fuzz/artifacts", found.join(", "));
    }
    Ok(())
}

/// Builds every target; returns the folder with the binaries.
fn build(context: &Context) -> anyhow::Result<PathBuf> {
    let host = host()?;
    let folder = context.scratch("fuzz");
    let mut cargo = cargo(&context.root);
    cargo
        .args(["build", "--release", "--manifest-path", "fuzz/Cargo.toml"])
        .args(["--target", &host, "--target-dir"])
        .arg(&folder)
        .env("RUSTFLAGS", FLAGS.join(" "))
        .env_remove("CARGO_ENCODED_RUSTFLAGS");
    run(&mut cargo)?;
    Ok(folder.join(host).join("release"))
}

/// The triple of this machine. With a target, build scripts and macros are built without coverage.
fn host() -> anyhow::Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let said = Command::new(rustc).arg("-vV").output();
    let said = said.context("could not run rustc")?.stdout;
    let said = String::from_utf8_lossy(&said);
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("rustc names no host")
}

/// One target, and where its files are.
struct Target {
    name: &'static str,
    max_len: usize,
    /// In git.
    corpus: PathBuf,
    /// Everything that was ever worth keeping here.
    grown: PathBuf,
    artifacts: PathBuf,
    dictionary: PathBuf,
}

impl Target {
    fn new(context: &Context, (name, max_len): (&'static str, usize)) -> Self {
        let fuzz = context.root.join("fuzz");
        Self {
            name,
            max_len,
            corpus: fuzz.join("corpus").join(name),
            grown: context.scratch("fuzz-corpus").join(name),
            artifacts: fuzz.join("artifacts").join(name),
            dictionary: fuzz.join("dictionaries").join(format!("{name}.dict")),
        }
    }

    /// Runs it; says what it reached, and whether nothing was found.
    fn fuzz(&self, binaries: &Path, chosen: &Arguments) -> anyhow::Result<(Summary, bool)> {
        std::fs::create_dir_all(&self.grown)?;
        std::fs::create_dir_all(&self.artifacts)?;
        let mut command = self.command(binaries);
        // A folder is named with its end here: what follows is appended to it.
        let artifacts = format!("-artifact_prefix={}/", self.artifacts.display());
        command.args(["-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1"]);
        command.arg(artifacts);
        match chosen.seconds {
            0 => command.arg("-runs=0"),
            seconds => command.arg(format!("-max_total_time={seconds}")),
        };
        if chosen.seconds > 0 && chosen.jobs > 1 {
            command.arg(format!("-fork={}", chosen.jobs));
        }
        if self.dictionary.exists() {
            command.arg(format!("-dict={}", self.dictionary.display()));
        }
        // libFuzzer writes into the first folder alone.
        watched(command.arg(&self.grown).arg(&self.corpus))
    }

    /// Takes what the corpus lacks over from what has grown.
    fn keep(&self, binaries: &Path) -> anyhow::Result<()> {
        let fresh = tempfile::tempdir()?;
        corpus::copy_seeds(&self.corpus, fresh.path())?;
        let mut merge = self.command(binaries);
        merge.arg("-merge=1").arg(fresh.path());
        let (_, is_merged) = watched(merge.arg(&self.corpus).arg(&self.grown))?;
        ensure!(is_merged, "the corpus of {} can't be minimised", self.name);
        corpus::replace(&self.corpus, fresh.path())
    }

    fn command(&self, binaries: &Path) -> Command {
        let mut command = Command::new(binaries.join(self.name));
        command.arg(format!("-max_len={}", self.max_len));
        command
    }
}

/// Runs to the end and lets what is said through; the last word on coverage, and whether it went
/// well.
fn watched(command: &mut Command) -> anyhow::Result<(Summary, bool)> {
    let mut child = command
        .stderr(Stdio::piped())
        .spawn()
        .context("a target does not start")?;
    let mut summary = Summary::default();
    if let Some(said) = child.stderr.take() {
        for line in BufReader::new(said).split(b'\n') {
            let line = line?;
            let line = String::from_utf8_lossy(&line);
            eprintln!("{line}");
            summary.read(&line);
        }
    }
    Ok((summary, child.wait()?.success()))
}
