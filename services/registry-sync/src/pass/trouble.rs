//! What stands in the way of a pass: for a person who must do something about it.

use super::Pass;
use super::apply::Written;
use crate::write::{DEVICE_DISABLED, WriteOutcome};

/// How many records are named.
const NAMED: usize = 10;

impl Pass {
    /// Remembers a write that did not come through.
    pub(super) fn note_trouble(&mut self, key: &str, outcome: &WriteOutcome) {
        if self.troubles.len() < NAMED {
            self.troubles.push(format!("{key} ({})", why(outcome)));
        }
    }

    /// Some of the writes that did not come through, each with why.
    pub(crate) fn troubles(&self) -> &[String] {
        &self.troubles
    }
}

/// The modules that the standby refused because their devices are disabled.
pub(super) fn out_of_reach(written: &[Written]) -> Vec<String> {
    let is_refused = |outcome: &WriteOutcome| {
        matches!(
            outcome,
            WriteOutcome::Rejected {
                reason: DEVICE_DISABLED,
                ..
            }
        )
    };
    let refused = written.iter().filter(|(_, _, outcome)| is_refused(outcome));
    refused.map(|(module, _, _)| module.clone()).collect()
}

fn why(outcome: &WriteOutcome) -> String {
    match outcome {
        WriteOutcome::Rejected { reason, message } => format!("{reason}: {message}"),
        WriteOutcome::Unknown(message) => format!("outcome unknown: {message}"),
        WriteOutcome::Stale | WriteOutcome::Gone => "changed meanwhile".to_owned(),
        WriteOutcome::Applied(_) | WriteOutcome::Already(_) => "done".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_who_refused_and_why() {
        let refused = WriteOutcome::Rejected {
            reason: "HUB_REFUSED",
            message: "too large".into(),
        };
        assert_eq!(why(&refused), "HUB_REFUSED: too large");
        assert_eq!(why(&WriteOutcome::Stale), "changed meanwhile");
    }
}
