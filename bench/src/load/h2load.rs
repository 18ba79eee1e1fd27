//! nghttp2's `h2load`: HTTP/2 without TLS, and gRPC as a POST of one message.
//!
//! It looks at the HTTP status alone, which gRPC also gives to refusals: so the bytes of the
//! answers are held against their number. Told to warm up, it counts bytes from the first one on and
//! answers only afterwards: so another run warms up.

use std::path::Path;

use anyhow::{Context as _, ensure};
use tokio::process::Command;

use super::words::before;
use crate::tools;

/// How much shorter answers may be on average than the one that was looked at.
const SLACK: f64 = 0.99;

/// What is asked, and how.
#[derive(Debug, Clone)]
pub(super) struct Job<'a> {
    /// The whole URL.
    pub(super) url: String,
    /// Connections at once.
    pub(super) connections: u32,
    /// Streams at once on each.
    pub(super) streams: u32,
    /// The file with the gRPC message, framed; without it the request is a GET.
    pub(super) message: Option<&'a Path>,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Outcome {
    /// Answers a second.
    pub(super) per_second: f64,
    /// Requests that were answered.
    done: u64,
    /// Those that were not, or with another status than success.
    failed: u64,
    /// Bytes of all bodies.
    data: u64,
}

/// Loads a server for so many seconds.
pub(super) async fn run(job: &Job<'_>, seconds: u32) -> anyhow::Result<Outcome> {
    let mut command = Command::new(tools::find("h2load")?);
    command
        .args(["--threads", "1"])
        .args(["--clients", &job.connections.to_string()])
        .args(["--max-concurrent-streams", &job.streams.to_string()])
        .args(["--duration", &seconds.to_string()])
        .kill_on_drop(true);
    if let Some(message) = job.message {
        command.arg("--data").arg(message);
        for header in ["content-type: application/grpc", "te: trailers"] {
            command.args(["--header", header]);
        }
    }
    let output = command.arg(&job.url).output().await?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "h2load failed:\n{text}");
    parse(&text).with_context(|| format!("h2load said something else:\n{text}"))
}

impl Outcome {
    /// Refuses an outcome whose answers were not all successes of this length, bytes.
    pub(super) fn require(&self, length: usize) -> anyhow::Result<()> {
        let Self { done, failed, .. } = *self;
        ensure!(failed == 0, "{failed} of {done} requests failed");
        ensure!(done > 0, "nothing was answered");
        let mean = self.mean_length();
        ensure!(
            mean >= SLACK * lossy(length as u64),
            "answers had {mean:.0} bytes on average, not {length}: some were refusals"
        );
        Ok(())
    }

    fn mean_length(&self) -> f64 {
        lossy(self.data) / lossy(self.done)
    }
}

#[allow(clippy::cast_precision_loss, reason = "for a mean")]
fn lossy(number: u64) -> f64 {
    number as f64
}

fn parse(text: &str) -> Option<Outcome> {
    let line = |start: &str| text.lines().find(|line| line.starts_with(start));
    let requests = line("requests: ")?;
    let failures = ["failed", "errored", "timeout"].map(|word| before::<u64>(requests, word));
    let [failed, errored, timeout] = failures;
    Some(Outcome {
        per_second: before(line("finished in ")?, "req/s")?,
        done: before(requests, "done")?,
        failed: failed? + errored? + timeout?,
        data: before(line("traffic: ")?, "data")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_by_time_is_read() {
        let outcome = parse(include_str!("fixtures/h2load-timed.txt")).unwrap();
        let expected = Outcome {
            per_second: 16_744.0,
            done: 33_488,
            failed: 0,
            data: 28_431_312,
        };
        assert_eq!(outcome, expected);
        outcome.require(849).unwrap();
        // As if one answer of twenty had been a refusal without a body.
        let refused = outcome.require(894).unwrap_err().to_string();
        assert!(
            refused.contains("849 bytes on average, not 894"),
            "{refused}"
        );
    }

    #[test]
    fn failures_are_no_figure() {
        let outcome = parse(include_str!("fixtures/h2load-refused.txt")).unwrap();
        let refused = outcome.require(1).unwrap_err().to_string();
        assert_eq!(refused, "20000 of 20000 requests failed");
    }

    #[test]
    fn silence_is_no_figure() {
        let nobody = "finished in 1.00s, 0.00 req/s, 0B/s\n\
             requests: 0 total, 0 started, 0 done, 0 succeeded, 0 failed, 0 errored, 0 timeout\n\
             traffic: 0B (0) total, 0B (0) headers (space savings 0.00%), 0B (0) data\n";
        assert!(parse(nobody).unwrap().require(1).is_err());
        assert_eq!(parse("starting benchmark...\n"), None);
    }
}
