//! What a poll costs before, during and after a failover, in instructions, as callgrind counts
//! them: a number that no other load on the machine changes.
//!
//! The polls are tests of the concierge; only what their `answer_polls` takes is counted.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail, ensure};

use crate::context::Context;
use crate::process::{answers, cargo, run};

/// How many polls the tests ask.
const POLLS_VARIABLE: &str = "HUBSHIFT_POLLS";
/// Where the tests are.
const TESTS: &str = "front::cost::";
/// The tests, by the state that they ask in.
const STATES: [&str; 3] = ["before", "during", "after"];
/// The only function that is counted, with everything that it calls.
const COUNTED: &str = "*cost::answer_polls*";
/// How far apart the states may be, percent.
const ALLOWED: u64 = 10;

/// Counts in every state; fails when one costs more than the others.
pub(crate) fn campaign(context: &Context, polls: u32) -> anyhow::Result<()> {
    ensure!(polls > 0, "without a poll there is nothing to count");
    if !answers("valgrind", &["--version"]) {
        bail!("valgrind is not installed");
    }
    let tests = build(context)?;
    let folder = context.scratch("poll-cost");
    std::fs::create_dir_all(&folder)?;
    let mut counts = Vec::new();
    for state in STATES {
        let count = instructions(&tests, &folder, state, polls)?;
        counts.push((state, count / u64::from(polls)));
    }
    println!("instructions for one poll by gRPC and one by HTTP, {polls} times each:");
    for (state, count) in &counts {
        println!("{state:>8} {count:>10}");
    }
    let apart = apart(&counts).context("nothing was counted")?;
    println!("{apart} % apart");
    ensure!(
        apart <= ALLOWED,
        "a poll must cost the same before, during and after a failover, within {ALLOWED} %"
    );
    Ok(())
}

/// Builds the concierge's tests; returns their binary.
fn build(context: &Context) -> anyhow::Result<PathBuf> {
    let mut cargo = cargo(&context.root);
    cargo.args(["test", "--release", "-p", "hubshift-concierge", "--lib"]);
    cargo.args(["--no-run", "--message-format", "json-render-diagnostics"]);
    let mut child = cargo.stdout(Stdio::piped()).spawn()?;
    let mut messages = String::new();
    if let Some(mut stdout) = child.stdout.take() {
        stdout.read_to_string(&mut messages)?;
    }
    ensure!(child.wait()?.success(), "the concierge's tests don't build");
    messages
        .lines()
        .find_map(test_binary)
        .context("cargo built no tests")
}

/// The binary that one of cargo's messages tells of.
fn test_binary(message: &str) -> Option<PathBuf> {
    let message: serde_json::Value = serde_json::from_str(message).ok()?;
    let is_ours = message["target"]["name"] == "hubshift_concierge";
    let is_test = message["profile"]["test"] == true;
    let path = message["executable"].as_str()?;
    (is_ours && is_test).then(|| PathBuf::from(path))
}

/// Runs one state's test under callgrind.
fn instructions(tests: &Path, folder: &Path, state: &str, polls: u32) -> anyhow::Result<u64> {
    let out = folder.join(state);
    let mut valgrind = Command::new("valgrind");
    valgrind
        .args(["--quiet", "--tool=callgrind"])
        .arg(format!("--toggle-collect={COUNTED}"))
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(tests)
        .arg(format!("{TESTS}{state}"))
        .args(["--exact", "--test-threads=1"])
        .env(POLLS_VARIABLE, polls.to_string());
    run(&mut valgrind)?;
    let counted = std::fs::read_to_string(&out)?;
    let total = total(&counted).context("callgrind wrote no total")?;
    ensure!(
        total > u64::from(polls),
        "{COUNTED} was not seen: was it renamed, or is the test gone?"
    );
    Ok(total)
}

/// The total in what callgrind wrote: `summary: 123` or, at the end, `totals: 123`.
fn total(counted: &str) -> Option<u64> {
    let last = |name: &str| {
        let mut lines = counted.lines().rev();
        let text = lines.find_map(|line| line.strip_prefix(name))?;
        text.trim().parse().ok()
    };
    last("totals:").or_else(|| last("summary:"))
}

/// How much more the dearest costs than the cheapest, percent, rounded up; `None` when something
/// cost nothing.
fn apart(counts: &[(&str, u64)]) -> Option<u64> {
    let least = counts.iter().map(|(_, count)| *count).min()?;
    let most = counts.iter().map(|(_, count)| *count).max()?;
    (least > 0).then(|| ((most - least) * 100).div_ceil(least))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_is_read_wherever_callgrind_puts_it() {
        assert_eq!(
            total("version: 1\nevents: Ir\nsummary: 12\n\nfn=(1)\n"),
            Some(12)
        );
        assert_eq!(total("summary: 1\nfn=(1)\n1 2\ntotals: 34\n"), Some(34));
        assert_eq!(total("events: Ir\n"), None);
    }

    #[test]
    fn the_dearest_is_compared_with_the_cheapest() {
        assert_eq!(apart(&[("a", 100), ("b", 110), ("c", 105)]), Some(10));
        assert_eq!(apart(&[("a", 1000), ("b", 1101)]), Some(11));
        assert_eq!(apart(&[("a", 0), ("b", 1)]), None);
        assert_eq!(apart(&[]), None);
    }

    #[test]
    fn the_librarys_tests_are_found_among_cargos_messages() {
        let message = |name: &str, test: bool, executable: &str| {
            format!(
                r#"{{"target":{{"name":"{name}"}},"profile":{{"test":{test}}},"executable":{executable}}}"#
            )
        };
        let path = test_binary(&message("hubshift_concierge", true, r#""/t/x""#));
        assert_eq!(path, Some(PathBuf::from("/t/x")));
        for other in [
            message("hubshift_concierge", false, r#""/t/x""#),
            message("hubshift_shell", true, r#""/t/x""#),
            message("hubshift_concierge", true, "null"),
            "not JSON".to_owned(),
        ] {
            assert_eq!(test_binary(&other), None, "{other}");
        }
    }
}
