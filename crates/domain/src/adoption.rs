//! Adopting a hub as a standby: what may become of a record that only it has, and when a plan may
//! still be applied.
//!
//! Pure. Keeps true: nothing is written to a record that is not what it was when it was planned,
//! nor to one that the active hub has by now; what was done already is recognised and not repeated.

use crate::hub_state::named;
use crate::id::is_device;
use crate::identity::{Fingerprint, FingerprintKey, Record};

/// Why a quarantined device is disabled, as its hub shows it.
pub const QUARANTINE_REASON: &str = "quarantined by hubshift adoption";

named!(
    /// What is to become of a record that only the standby has.
    ExtraAction {
        /// Nothing is written.
        Keep = "keep",
        /// It is disabled.
        Quarantine = "quarantine",
        /// It is deleted, with its modules.
        Delete = "delete",
    }
);

named!(
    /// What became of it.
    ExtraOutcome {
        /// It was left as it is, as told.
        Kept = "kept",
        /// It is disabled.
        Quarantined = "quarantined",
        /// It is gone.
        Deleted = "deleted",
        /// It was left alone: it is not as planned, or the active hub has it by now.
        Stale = "stale",
        /// The hub refused.
        Rejected = "rejected",
    }
);

named!(
    /// Where a plan stands.
    PlanState {
        /// It can be applied.
        Planned = "planned",
        /// A task does as it was told.
        Applying = "applying",
        /// Every extra has an outcome.
        Applied = "applied",
        /// Its time is over, or the epoch that it was made in.
        Expired = "expired",
    }
);

/// What the state of a plan follows from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PlanFacts {
    /// Every extra has an outcome.
    pub is_applied: bool,
    /// A task that applies it is not over.
    pub is_running: bool,
    /// Its time is over, or the epoch that it was made in.
    pub is_over: bool,
}

impl PlanFacts {
    /// Where the plan stands. An application that gave up leaves a plan that can be applied again.
    pub fn state(self) -> PlanState {
        match self {
            Self {
                is_applied: true, ..
            } => PlanState::Applied,
            Self {
                is_running: true, ..
            } => PlanState::Applying,
            Self { is_over: true, .. } => PlanState::Expired,
            _ => PlanState::Planned,
        }
    }
}

impl ExtraAction {
    /// Whether it can be done to what a key names: nothing but a device can be disabled by itself.
    pub fn fits(self, key: &str) -> bool {
        self != Self::Quarantine || is_device(key)
    }
}

/// An extra as it was planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedExtra {
    /// Its key.
    pub key: String,
    /// The hub's name of this life of it.
    pub generation_id: String,
    /// The hub's tag of this state of its identity.
    pub identity_etag: String,
    /// Whether it could connect.
    pub enabled: bool,
    /// Why not.
    pub status_reason: Option<String>,
    /// Of its whole record.
    pub fingerprint: Fingerprint,
}

/// The same as the standby shows it now.
#[derive(Debug, Clone, Copy)]
pub struct FoundExtra<'a> {
    /// The hub's name of this life of it.
    pub generation_id: &'a str,
    /// The hub's tag of this state of its identity.
    pub identity_etag: &'a str,
    /// The record.
    pub record: &'a Record,
    /// Of the record.
    pub fingerprint: Fingerprint,
}

/// How an extra stands to its plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is as it was.
    AsPlanned,
    /// It is as it was but for the quarantine.
    Quarantined,
    /// The standby does not have it any more.
    Gone,
    /// Something else is there.
    Other,
}

/// How an extra stands to its plan. `key` is the fleet's, of fingerprints.
pub fn standing(
    planned: &PlannedExtra,
    found: Option<FoundExtra<'_>>,
    key: &FingerprintKey,
) -> Standing {
    let Some(found) = found else {
        return Standing::Gone;
    };
    if found.generation_id != planned.generation_id {
        return Standing::Other;
    }
    if found.fingerprint == planned.fingerprint && found.identity_etag == planned.identity_etag {
        return Standing::AsPlanned;
    }
    if is_quarantined(found.record) && undone(planned, found.record, key) == planned.fingerprint {
        return Standing::Quarantined;
    }
    Standing::Other
}

fn is_quarantined(record: &Record) -> bool {
    !record.enabled && record.status_reason.as_deref() == Some(QUARANTINE_REASON)
}

/// The fingerprint that the record had before its quarantine.
fn undone(planned: &PlannedExtra, record: &Record, key: &FingerprintKey) -> Fingerprint {
    let before = Record {
        enabled: planned.enabled,
        status_reason: planned.status_reason.clone(),
        ..record.clone()
    };
    before.fingerprint(key, &planned.key)
}

/// The record of a device in quarantine: all else stays, so that nothing is lost by it.
pub fn quarantined(record: &Record) -> Record {
    Record {
        enabled: false,
        status_reason: Some(QUARANTINE_REASON.to_owned()),
        ..record.clone()
    }
}

/// What to do about an extra.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Write as told, under the condition that it is still as it was planned.
    Write,
    /// Nothing: this is its outcome, with a word for a person.
    Done(ExtraOutcome, &'static str),
}

/// What to do about an extra that stands so to its plan; `is_enabled` is whether it could connect
/// when it was planned, `at_active` whether the active hub has it now.
pub fn decide(
    action: ExtraAction,
    standing: Standing,
    is_enabled: bool,
    at_active: bool,
) -> Decision {
    use Decision::{Done, Write};
    match (action, standing) {
        (ExtraAction::Keep, _) => Done(ExtraOutcome::Kept, ""),
        // Done before, perhaps by somebody who could not say so any more.
        (ExtraAction::Delete, Standing::Gone) => Done(ExtraOutcome::Deleted, ""),
        (ExtraAction::Quarantine, Standing::Quarantined) => Done(ExtraOutcome::Quarantined, ""),
        _ if at_active => Done(ExtraOutcome::Stale, "the active hub has it by now"),
        (ExtraAction::Quarantine, Standing::AsPlanned) if !is_enabled => Done(
            ExtraOutcome::Quarantined,
            "it was disabled before, and keeps its reason",
        ),
        (_, Standing::AsPlanned) => Write,
        (_, Standing::Gone) => Done(ExtraOutcome::Stale, "the standby does not have it any more"),
        (_, Standing::Quarantined | Standing::Other) => {
            Done(ExtraOutcome::Stale, "it changed since it was planned")
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;
    use crate::identity::{Credential, CredentialKind};

    const ETAG: &str = "MQ==";

    fn key() -> FingerprintKey {
        FingerprintKey::new([7; 32])
    }

    fn record() -> Record {
        Record {
            enabled: true,
            status_reason: None,
            credential: Credential {
                kind: CredentialKind::Ca,
                fingerprint: Fingerprint([1; 16]),
            },
            iot_edge: false,
            parent: None,
            managed_by: None,
            tags: Map::new(),
            desired: Map::new(),
        }
    }

    fn planned(record: &Record) -> PlannedExtra {
        PlannedExtra {
            key: "d".into(),
            generation_id: "g".into(),
            identity_etag: ETAG.into(),
            enabled: record.enabled,
            status_reason: record.status_reason.clone(),
            fingerprint: record.fingerprint(&key(), "d"),
        }
    }

    fn stand(planned: &PlannedExtra, generation_id: &str, etag: &str, record: &Record) -> Standing {
        let found = FoundExtra {
            generation_id,
            identity_etag: etag,
            record,
            fingerprint: record.fingerprint(&key(), "d"),
        };
        standing(planned, Some(found), &key())
    }

    #[test]
    fn an_extra_is_as_planned_only_in_the_same_life_and_the_same_state() {
        let record = record();
        let plan = planned(&record);
        assert_eq!(stand(&plan, "g", ETAG, &record), Standing::AsPlanned);
        assert_eq!(stand(&plan, "h", ETAG, &record), Standing::Other);
        assert_eq!(stand(&plan, "g", "Mg==", &record), Standing::Other);
        let mut tagged = record.clone();
        tagged.tags.insert("a".into(), json!(1));
        assert_eq!(stand(&plan, "g", ETAG, &tagged), Standing::Other);
        assert_eq!(standing(&plan, None, &key()), Standing::Gone);
    }

    #[test]
    fn our_own_quarantine_is_recognised_and_another_change_is_not_taken_for_it() {
        let mut record = record();
        record.status_reason = Some("in the workshop".into());
        let plan = planned(&record);
        let ours = quarantined(&record);
        assert_eq!(stand(&plan, "g", "Mg==", &ours), Standing::Quarantined);
        let mut theirs = ours.clone();
        theirs.status_reason = Some("stolen".into());
        assert_eq!(stand(&plan, "g", "Mg==", &theirs), Standing::Other);
        let mut both = ours;
        both.tags.insert("a".into(), json!(1));
        assert_eq!(stand(&plan, "g", "Mg==", &both), Standing::Other);
    }

    #[test]
    fn only_what_is_as_planned_and_not_at_the_active_hub_is_written() {
        use Standing::{AsPlanned, Gone, Other, Quarantined};
        let mut writes = Vec::new();
        for action in ExtraAction::ALL {
            for standing in [AsPlanned, Quarantined, Gone, Other] {
                for at_active in [false, true] {
                    if decide(*action, standing, true, at_active) == Decision::Write {
                        writes.push((*action, standing, at_active));
                    }
                }
            }
        }
        let expected = [
            (ExtraAction::Quarantine, AsPlanned, false),
            (ExtraAction::Delete, AsPlanned, false),
        ];
        assert_eq!(writes, expected);
    }

    #[test]
    fn what_is_done_stays_done_and_a_disabled_device_keeps_its_reason() {
        let outcome = |action, standing, is_enabled, at_active| match decide(
            action, standing, is_enabled, at_active,
        ) {
            Decision::Done(outcome, _) => Some(outcome),
            Decision::Write => None,
        };
        let (quarantine, delete) = (ExtraAction::Quarantine, ExtraAction::Delete);
        let done = outcome(delete, Standing::Gone, true, true);
        assert_eq!(done, Some(ExtraOutcome::Deleted));
        let done = outcome(quarantine, Standing::Quarantined, true, true);
        assert_eq!(done, Some(ExtraOutcome::Quarantined));
        let left = outcome(quarantine, Standing::AsPlanned, false, false);
        assert_eq!(left, Some(ExtraOutcome::Quarantined));
        let gone = outcome(quarantine, Standing::Gone, true, false);
        assert_eq!(gone, Some(ExtraOutcome::Stale));
    }

    #[test]
    fn only_a_device_can_be_quarantined() {
        for key in ["d/m", "/configurations/a"] {
            assert!(!ExtraAction::Quarantine.fits(key), "{key}");
            assert!(ExtraAction::Delete.fits(key), "{key}");
        }
        assert!(ExtraAction::Quarantine.fits("d"));
    }

    #[test]
    fn a_plan_that_was_applied_stays_applied_and_one_that_runs_does_not_expire() {
        let state = |is_applied, is_running, is_over| {
            let facts = PlanFacts {
                is_applied,
                is_running,
                is_over,
            };
            facts.state()
        };
        assert_eq!(state(true, false, true), PlanState::Applied);
        assert_eq!(state(false, true, true), PlanState::Applying);
        assert_eq!(state(false, false, true), PlanState::Expired);
        assert_eq!(state(false, false, false), PlanState::Planned);
    }
}
