//! The end of a scan: count and digest, and whether the hub came back from an older state.

use hubshift_domain::hub_state::HubState;
use hubshift_flow::StepError;

use super::{Phase, Rewind, Scan, Work};
use crate::authority;
use crate::store;
use crate::workflows::trouble::Turn;

impl Scan {
    pub(super) async fn close(&mut self, work: &Work<'_>) -> Result<Turn, StepError> {
        let (pool, fleet) = (&work.cx.deps.pool, work.cx.fleet.as_str());
        if self.detect_rewind {
            self.judge(work).await?;
        }
        if self.is_pinned {
            let hub = self.hub.as_str();
            (self.count, self.digest) = store::observed::digest(pool, fleet, hub).await?;
            let found = store::scan::Found {
                count: self.count,
                digest: &self.digest.0,
                rewound: self.rewind.is_rewound,
                evidence: &self.rewind.evidence,
            };
            store::scan::complete(pool, self.scan_id, &found).await?;
        }
        self.phase = Phase::Over;
        Ok(Turn::Over)
    }

    async fn judge(&mut self, work: &Work<'_>) -> Result<(), StepError> {
        let (pool, fleet) = (&work.cx.deps.pool, work.cx.fleet.as_str());
        let hub = self.hub.as_str();
        let before = store::scan::was_rewound(pool, fleet, hub).await?;
        let view = authority::fleet(pool, work.cx.fleet).await?;
        let reigns = view
            .as_ref()
            .is_some_and(|view| view.active_hub == self.hub);
        let (gone, sample) = if reigns {
            // Whoever deletes devices past us does it there: passes find out.
            (0, Vec::new())
        } else {
            store::scan::vanished(pool, fleet, hub).await?
        };
        let state = view
            .as_ref()
            .and_then(|view| view.hub(&self.hub))
            .map(|hub| hub.state);
        let lines = evidence(&self.rewind, gone, &sample);
        self.rewind.is_rewound = !lines.is_empty() || before || state == Some(HubState::Rewound);
        self.rewind.evidence = match (lines.is_empty(), self.rewind.is_rewound) {
            (false, _) => lines.join("; "),
            (true, true) => "an earlier look found it rewound".to_owned(),
            (true, false) => String::new(),
        };
        Ok(())
    }
}

/// The signs, for a person.
fn evidence(rewind: &Rewind, gone: i64, gone_sample: &[String]) -> Vec<String> {
    let mut lines = Vec::new();
    if rewind.older > 0 {
        let names = rewind.older_sample.join(", ");
        lines.push(format!(
            "{} devices have an older twin than before: {names}",
            rewind.older
        ));
    }
    if gone > 0 {
        let names = gone_sample.join(", ");
        lines.push(format!(
            "{gone} devices are gone and nobody deleted them: {names}"
        ));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_untouched_hub_gives_no_evidence_and_each_sign_is_named() {
        assert!(evidence(&Rewind::default(), 0, &[]).is_empty());
        let rewind = Rewind {
            older: 2,
            older_sample: vec!["d-1".into(), "d-2".into()],
            ..Rewind::default()
        };
        let lines = evidence(&rewind, 1, &["d-9".into()]);
        assert_eq!(lines.len(), 2);
        assert!(
            lines[0].contains("d-1, d-2") && lines[1].contains("d-9"),
            "{lines:?}"
        );
    }
}
