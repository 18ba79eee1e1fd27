//! `wrk`: HTTP/1.1 over connections that stay.
//!
//! It counts 304 as a success like 200: what was answered is told by the bytes that were read.

use anyhow::{Context as _, ensure};
use tokio::process::Command;

use super::words::{after, before};
use crate::tools;

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Outcome {
    /// Answers a second.
    pub(super) per_second: f64,
    /// Answers.
    answers: f64,
    /// Bytes that were read, heads and all.
    read: f64,
    /// Answers that were neither success nor redirection, and errors of sockets.
    failed: u64,
}

/// Loads a server for so many seconds; with an entity tag: asks whether the page changed.
pub(super) async fn run(
    url: &str,
    connections: u32,
    etag: Option<&str>,
    seconds: u32,
) -> anyhow::Result<Outcome> {
    let mut command = Command::new(tools::find("wrk")?);
    command
        .args(["--threads", "1"])
        .args(["--connections", &connections.to_string()])
        .args(["--duration", &format!("{seconds}s")])
        .kill_on_drop(true);
    if let Some(etag) = etag {
        command.args(["--header", &format!("If-None-Match: {etag}")]);
    }
    let output = command.arg(url).output().await?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "wrk failed:\n{text}");
    parse(&text).with_context(|| format!("wrk said something else:\n{text}"))
}

impl Outcome {
    /// Refuses an outcome with failures, or whose answers had no body (`with_body`) or had one.
    /// `body` is its length, bytes.
    pub(super) fn require(&self, body: usize, with_body: bool) -> anyhow::Result<()> {
        let failed = self.failed;
        ensure!(failed == 0, "{failed} requests failed");
        ensure!(self.answers > 0.0, "nothing was answered");
        let mean = self.read / self.answers;
        let has_body = mean >= lossy(body);
        ensure!(
            has_body == with_body,
            "answers had {mean:.0} bytes on average, heads included, and the body has {body}"
        );
        Ok(())
    }
}

#[allow(clippy::cast_precision_loss, reason = "for a mean")]
fn lossy(length: usize) -> f64 {
    length as f64
}

fn parse(text: &str) -> Option<Outcome> {
    let line = |part: &str| text.lines().find(|line| line.contains(part));
    let total = line(" requests in ")?;
    let read: String = before(total, "read")?;
    let refused = line("Non-2xx or 3xx responses:");
    let refused: Option<u64> = refused.and_then(|line| after(line, "responses:"));
    let broken: u64 = line("Socket errors:").map_or(0, |line| {
        let count = |word| after::<u64>(line, word).unwrap_or(0);
        ["connect", "read", "write", "timeout"]
            .map(count)
            .iter()
            .sum()
    });
    Some(Outcome {
        per_second: after(line("Requests/sec:")?, "Requests/sec:")?,
        answers: before(total, "requests")?,
        read: bytes(&read)?,
        failed: refused.unwrap_or(0) + broken,
    })
}

/// `95.67MB`; its units are powers of 1024.
fn bytes(text: &str) -> Option<f64> {
    let number = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let factor = match text.get(number.len()..)? {
        "B" => 1.0,
        "KB" => 1024.0,
        "MB" => 1024.0 * 1024.0,
        "GB" => 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    };
    Some(number.parse::<f64>().ok()? * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_with_a_body_are_told_from_those_without() {
        let full = parse(include_str!("fixtures/wrk-200.txt")).unwrap();
        assert_eq!((full.per_second, full.answers), (48_395.31, 96_927.0));
        full.require(790, true).unwrap();
        assert!(full.require(790, false).is_err());
        let known = parse(include_str!("fixtures/wrk-304.txt")).unwrap();
        known.require(790, false).unwrap();
        let refused = known.require(790, true).unwrap_err().to_string();
        assert!(refused.contains("had 180 bytes on average"), "{refused}");
    }

    #[test]
    fn failures_are_no_figure() {
        let refused = parse(include_str!("fixtures/wrk-404.txt")).unwrap();
        assert_eq!(refused.failed, 40_515);
        assert!(refused.require(1, true).is_err());
        let broken = parse(include_str!("fixtures/wrk-broken.txt")).unwrap();
        assert_eq!(broken.failed, 73 + 46_208);
        assert_eq!(parse("unable to connect to 127.0.0.1:20021\n"), None);
    }

    #[test]
    fn sizes_are_read_in_every_unit() {
        assert_eq!(bytes("512.00B"), Some(512.0));
        assert_eq!(bytes("1.50KB"), Some(1_536.0));
        assert_eq!(bytes("2.00GB"), Some(2_147_483_648.0));
        assert_eq!(bytes("2.00"), None);
    }
}
