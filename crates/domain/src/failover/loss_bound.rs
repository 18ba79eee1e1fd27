//! The bound on loss of a forced move, as a text that an operator reads and repeats.
//!
//! Kept true: what was acknowledged covers what the move may lose (I20). The seconds grow while
//! the operator reads, because the source is gone; a plan is good for ten minutes.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What an operator may say instead of the text.
pub const ACKNOWLEDGE_ANY: &str = "any";

/// How long a plan may be read before it must be made anew.
pub const PLAN_LIFE: Duration = Duration::from_secs(600);

/// What a forced move may lose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LossBound {
    /// How long ago the target was known to be complete, seconds, rounded up; `None` for never.
    pub seconds: Option<u64>,
    /// Journaled writes that the target is not known to hold.
    pub pending: u64,
}

impl LossBound {
    /// The bound of a target that was complete so long ago.
    pub fn new(staleness: Option<Duration>, pending: u64) -> Self {
        let seconds = staleness.map(|span| span.as_secs() + u64::from(span.subsec_nanos() > 0));
        Self { seconds, pending }
    }

    /// Reads the text back.
    pub fn parse(text: &str) -> Option<Self> {
        let (head, tail) = text
            .trim()
            .split_once(" of registry changes made past Hubshift, plus ")?;
        let pending = tail.strip_suffix(" known pending writes")?.parse().ok()?;
        if head == "everything" {
            return Some(Self {
                seconds: None,
                pending,
            });
        }
        let seconds = head
            .strip_prefix("up to ")?
            .strip_suffix(" s")?
            .parse()
            .ok()?;
        Some(Self {
            seconds: Some(seconds),
            pending,
        })
    }

    /// Whether an operator's words cover this bound: `any`, or the text of a plan that is not
    /// older than [`PLAN_LIFE`].
    pub fn is_covered_by(&self, words: &str) -> bool {
        if words.trim() == ACKNOWLEDGE_ANY {
            return true;
        }
        let Some(said) = Self::parse(words) else {
            return false;
        };
        let in_time = match (self.seconds, said.seconds) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(now), Some(said)) => now <= said + PLAN_LIFE.as_secs(),
        };
        in_time && self.pending <= said.pending
    }
}

impl fmt::Display for LossBound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.seconds {
            Some(seconds) => write!(f, "up to {seconds} s")?,
            None => f.write_str("everything")?,
        }
        let pending = self.pending;
        write!(
            f,
            " of registry changes made past Hubshift, plus {pending} known pending writes"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound(seconds: u64, pending: u64) -> LossBound {
        LossBound {
            seconds: Some(seconds),
            pending,
        }
    }

    #[test]
    fn the_text_reads_back() {
        let text = "up to 37 s of registry changes made past Hubshift, plus 0 known pending writes";
        assert_eq!(bound(37, 0).to_string(), text);
        for bound in [
            bound(37, 0),
            bound(0, 12),
            LossBound {
                seconds: None,
                pending: 3,
            },
        ] {
            assert_eq!(LossBound::parse(&bound.to_string()), Some(bound));
        }
    }

    #[test]
    fn part_of_a_second_counts_whole() {
        assert_eq!(
            LossBound::new(Some(Duration::from_millis(36_001)), 0),
            bound(37, 0)
        );
        assert_eq!(
            LossBound::new(Some(Duration::from_secs(36)), 0),
            bound(36, 0)
        );
    }

    #[test]
    fn a_plan_may_be_read_for_ten_minutes() {
        let said = bound(37, 1).to_string();
        assert!(bound(637, 1).is_covered_by(&said));
        assert!(!bound(638, 1).is_covered_by(&said));
        assert!(!bound(37, 2).is_covered_by(&said));
        assert!(
            !LossBound {
                seconds: None,
                pending: 0
            }
            .is_covered_by(&said)
        );
    }

    #[test]
    fn only_any_covers_without_the_text() {
        assert!(bound(9, 9).is_covered_by("any"));
        for words in ["", "yes", "up to 9 s", "up to -1 s of registry changes"] {
            assert!(!bound(0, 0).is_covered_by(words), "{words}");
        }
    }
}
