//! What libFuzzer says about its progress, such as
//! `#8192 pulse  cov: 712 ft: 1801 corp: 95/6021b exec/s: 1365 rss: 61Mb`.

use std::fmt;

/// The last word on it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    executions: u64,
    /// Places in the code that were reached.
    coverage: u64,
    /// The same, with how often, and what was compared there.
    features: u64,
}

impl Summary {
    /// Takes a line, if it is about that.
    pub(super) fn read(&mut self, line: &str) {
        let Some(rest) = line.strip_prefix('#') else {
            return;
        };
        let end = rest.find(|letter: char| !letter.is_ascii_digit());
        let digits = &rest[..end.unwrap_or(rest.len())];
        let (Ok(executions), Some(coverage)) = (digits.parse(), number(rest, "cov:")) else {
            return;
        };
        *self = Self {
            executions,
            coverage,
            features: number(rest, "ft:").unwrap_or_default(),
        };
    }
}

/// The number behind a word.
fn number(line: &str, word: &str) -> Option<u64> {
    let mut words = line.split_whitespace();
    words.find(|found| *found == word)?;
    words.next()?.parse().ok()
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            executions,
            coverage,
            features,
        } = self;
        write!(
            f,
            "{executions} executions, {coverage} edges and {features} features covered"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_of_progress_counts() {
        let mut summary = Summary::default();
        for line in [
            "INFO: seed corpus: files: 12",
            "#13\tINITED cov: 5 ft: 6 corp: 2/9b exec/s: 0 rss: 30Mb",
            "#8192\tDONE   cov: 712 ft: 1801 corp: 95/6021b exec/s: 1365 rss: 61Mb",
            "stat::number_of_executed_units: 8192",
            "#0\tREAD units: 4",
        ] {
            summary.read(line);
        }
        assert_eq!(
            summary.to_string(),
            "8192 executions, 712 edges and 1801 features covered"
        );
    }

    #[test]
    fn forked_jobs_say_it_in_their_own_way() {
        let mut summary = Summary::default();
        summary.read("#1204: cov: 9 ft: 10 corp: 3 exec/s 60 oom/timeout/crash: 0/0/0 time: 2s");
        let expected = Summary {
            executions: 1204,
            coverage: 9,
            features: 10,
        };
        assert_eq!(summary, expected);
    }
}
