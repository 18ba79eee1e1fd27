//! An authority that was restored from an older state while it reigns: what it shows now is less
//! than what was acknowledged. Nothing is inferred from it and nothing copied, so that the standby
//! keeps what it lost, until the fleet moves or an operator accepts it as it is.

use hubshift_flow::StepError;

use super::{Pass, PassCx, Phase};
use crate::store;

/// What stands in `registry.replication` then.
pub(crate) const SOURCE_REWOUND: &str = "SOURCE_REWOUND";

impl Pass {
    /// A pass that follows its source whatever was found there.
    pub(crate) fn accepting(self, accept_source: bool) -> Self {
        Self {
            accept_source,
            ..self
        }
    }

    /// Whether the pass was stopped because of a restore.
    pub(super) fn is_halted(&self) -> bool {
        self.blocked == SOURCE_REWOUND
    }

    /// Stops the pass when any look at the source since its reign began found it rewound.
    pub(super) async fn halt_if_rewound(&mut self, cx: &PassCx<'_>) -> Result<bool, StepError> {
        let (pool, fleet) = (&cx.deps.pool, cx.fleet.as_str());
        let (source, target) = (self.source.as_str(), self.target.as_str());
        if !store::scan::was_rewound(pool, fleet, source).await? {
            return Ok(false);
        }
        if self.accept_source {
            tracing::warn!(fleet, source, "a restored authority is accepted as it is");
            let now = store::authority::now(pool).await?;
            store::scan::forget_rewound(pool, fleet, source, now).await?;
            return Ok(false);
        }
        tracing::error!(
            fleet,
            source,
            target,
            "the authority was restored from an older state, nothing is copied from it"
        );
        store::replication::set_blocked(pool, fleet, target, SOURCE_REWOUND).await?;
        self.blocked = SOURCE_REWOUND.to_owned();
        self.phase = Phase::Finish;
        Ok(true)
    }
}
