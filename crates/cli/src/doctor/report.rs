//! The page: what was found, and what it means.

use hubshift_survey::{
    Checked, Comparison, Difference, HubFacts, Loss, ScopeChange, StorageAccess, Times,
};
use serde::Serialize;

use super::text;
use crate::output::View;

/// One hub.
#[derive(Debug, Serialize)]
pub(crate) struct HubReport {
    pub(crate) host: String,
    #[serde(flatten)]
    pub(crate) facts: HubFacts,
}

/// How the keys of a sample compared.
#[derive(Debug, Serialize)]
pub(crate) struct KeyCheck {
    pub(crate) compared: u64,
    pub(crate) differing: Vec<String>,
}

/// Everything that was found.
pub(crate) struct Finding {
    pub(crate) source: HubReport,
    pub(crate) target: HubReport,
    pub(crate) comparison: Comparison,
    pub(crate) checked: Checked,
    pub(crate) keys: KeyCheck,
    pub(crate) storage: Option<StorageAccess>,
    pub(crate) losses: Vec<Loss>,
    pub(crate) times: Times,
}

/// What only a person can decide.
#[derive(Debug, Serialize)]
pub(crate) struct Decision {
    /// Stable name, `EXTRA_DEVICES`.
    pub(crate) reason: &'static str,
    pub(crate) text: String,
}

/// The page. In JSON every name is there; as text only the first of each kind.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) source: HubReport,
    pub(crate) target: HubReport,
    pub(crate) equal_count: u64,
    pub(crate) missing: Vec<String>,
    pub(crate) extra: Vec<String>,
    pub(crate) different: Vec<Difference>,
    pub(crate) scopes: Vec<ScopeChange>,
    pub(crate) configurations_missing: Vec<String>,
    pub(crate) configurations_extra: Vec<String>,
    /// How many findings come from the listings alone, which may be minutes old.
    pub(crate) unconfirmed_count: u64,
    pub(crate) keys: KeyCheck,
    pub(crate) storage: Option<StorageAccess>,
    pub(crate) not_carried_over: Vec<Loss>,
    /// How long seeding takes, in words.
    pub(crate) seeding: String,
    pub(crate) seeding_by_calls_seconds: u64,
    pub(crate) seeding_by_job_seconds: Option<u64>,
    pub(crate) connect_floor_seconds: u64,
    pub(crate) connect_paced_seconds: u64,
    /// Without a way to close the old hub, what it takes after a forced move is merged later.
    pub(crate) fence: &'static str,
    pub(crate) decisions: Vec<Decision>,
    #[serde(skip)]
    pub(crate) shown: usize,
}

impl Report {
    pub(crate) fn new(found: Finding, shown: usize) -> Self {
        let decisions = decisions(&found);
        let only = |one: &HubFacts, other: &HubFacts| -> Vec<String> {
            let names = one.configurations.iter();
            let alone = names.filter(|name| !other.configurations.contains(name));
            alone.cloned().collect()
        };
        let Comparison {
            equal,
            missing,
            extra,
            different,
            scopes,
        } = found.comparison;
        Self {
            configurations_missing: only(&found.source.facts, &found.target.facts),
            configurations_extra: only(&found.target.facts, &found.source.facts),
            source: found.source,
            target: found.target,
            equal_count: equal,
            missing,
            extra,
            different,
            scopes,
            unconfirmed_count: found.checked.unread,
            keys: found.keys,
            storage: found.storage,
            not_carried_over: found.losses,
            seeding: found.times.seeding.to_string(),
            seeding_by_calls_seconds: found.times.seeding.by_calls.as_secs(),
            seeding_by_job_seconds: found.times.seeding.by_job.map(|time| time.as_secs()),
            connect_floor_seconds: found.times.connect_floor.as_secs(),
            connect_paced_seconds: found.times.connect_paced.as_secs(),
            fence: "none, loss window stays open",
            decisions,
            shown,
        }
    }
}

impl View for Report {
    fn human(&self) -> String {
        text::page(self)
    }
}

/// What stands in the way until a person decides. A missing device does not: seeding makes it.
fn decisions(found: &Finding) -> Vec<Decision> {
    let extra = found.comparison.extra.len();
    let different = found.comparison.different.len();
    let keys = found.keys.differing.len();
    let lacks = found.storage.as_ref().map(|access| access.lacks.join(", "));
    let lacks = lacks.filter(|lacks| !lacks.is_empty());
    let checks = [
        (extra > 0).then(|| Decision {
            reason: "EXTRA_DEVICES",
            text: format!(
                "{extra} are at the target only: decide whether they are kept, quarantined or deleted (hubshift adopt)"
            ),
        }),
        (different > 0).then(|| Decision {
            reason: "DIFFERENT_DEVICES",
            text: format!(
                "{different} are not the same at both hubs: the target's will be overwritten by the source's"
            ),
        }),
        (keys > 0).then(|| Decision {
            reason: "DIFFERENT_KEYS",
            text: format!(
                "{keys} of {} compared have other keys at the target: those devices could not connect there",
                found.keys.compared
            ),
        }),
        lacks.map(|lacks| Decision {
            reason: "STORAGE_PERMISSIONS",
            text: format!("the container's SAS lacks {lacks}: import jobs would be refused"),
        }),
        found.target.facts.running_job.then(|| Decision {
            reason: "JOB_RUNNING",
            text: "an import or export job runs at the target, and a hub has one slot".to_owned(),
        }),
    ];
    checks.into_iter().flatten().collect()
}
