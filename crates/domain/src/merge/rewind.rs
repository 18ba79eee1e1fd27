//! Recognises a returning hub that was restored from an older state.
//!
//! Such a hub's absences and old values are no evidence of anything: it is reseeded, not merged.

use crate::id::RecordKey;

/// How many devices a report names at most.
const SAMPLE: usize = 20;

/// What a returning hub shows of one device, beside what was last known there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// Which device.
    pub device: RecordKey,
    /// The twin version last observed at this hub, if any.
    pub last_version: Option<u64>,
    /// The twin version now; `None` when the hub lacks the device.
    pub version: Option<u64>,
    /// Whether the hub's generation id is the one last observed: the versions of a device that
    /// was made anew start over and prove nothing.
    pub same_generation: bool,
    /// Whether both hubs were once verified to hold the device.
    pub in_base: bool,
    /// Whether its deletion is known, by a tombstone or a delete event from this hub.
    pub deletion_known: bool,
}

/// Why one device shows that its hub was rewound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RewoundReason {
    /// The twin's version went back.
    VersionWentBack {
        /// The version last observed.
        from: u64,
        /// The version now.
        to: u64,
    },
    /// A device that the hub had is gone, and nobody deleted it.
    MissingWithoutDeletion,
}

/// The evidence that a hub was rewound. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewound {
    /// How many twins went back.
    pub versions_back: u64,
    /// How many devices are missing.
    pub missing: u64,
    /// Some of them, the first that were seen.
    pub sample: Vec<(RecordKey, RewoundReason)>,
}

/// Whether a hub was rewound; `None` when nothing says so. Reads the evidence once, keeps little.
pub fn is_rewound(evidence: impl IntoIterator<Item = Evidence>) -> Option<Rewound> {
    let mut found = Rewound {
        versions_back: 0,
        missing: 0,
        sample: vec![],
    };
    for item in evidence {
        let Some(reason) = reason_of(&item) else {
            continue;
        };
        match reason {
            RewoundReason::VersionWentBack { .. } => found.versions_back += 1,
            RewoundReason::MissingWithoutDeletion => found.missing += 1,
        }
        if found.sample.len() < SAMPLE {
            found.sample.push((item.device, reason));
        }
    }
    (found.versions_back + found.missing > 0).then_some(found)
}

fn reason_of(item: &Evidence) -> Option<RewoundReason> {
    match (item.last_version, item.version) {
        (Some(from), Some(to)) if item.same_generation && to < from => {
            Some(RewoundReason::VersionWentBack { from, to })
        }
        (_, None) if item.in_base && !item.deletion_known => {
            Some(RewoundReason::MissingWithoutDeletion)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence(last: Option<u64>, now: Option<u64>) -> Evidence {
        Evidence {
            device: RecordKey::new("d").unwrap(),
            last_version: last,
            version: now,
            same_generation: true,
            in_base: true,
            deletion_known: false,
        }
    }

    #[test]
    fn a_hub_that_went_on_is_not_rewound() {
        let recreated = Evidence {
            same_generation: false,
            ..evidence(Some(9), Some(1))
        };
        let deleted = Evidence {
            deletion_known: true,
            ..evidence(Some(9), None)
        };
        let unknown = Evidence {
            in_base: false,
            ..evidence(None, None)
        };
        let fine = [
            evidence(Some(3), Some(3)),
            evidence(Some(3), Some(8)),
            evidence(None, Some(1)),
            recreated,
            deleted,
            unknown,
        ];
        assert_eq!(is_rewound(fine), None);
    }

    #[test]
    fn one_version_that_went_back_or_one_missing_device_is_enough() {
        let back = is_rewound([evidence(Some(3), Some(3)), evidence(Some(3), Some(2))]).unwrap();
        assert_eq!((back.versions_back, back.missing), (1, 0));
        let gone = is_rewound(vec![evidence(Some(3), None); 50]).unwrap();
        assert_eq!((gone.versions_back, gone.missing), (0, 50));
        assert_eq!(gone.sample.len(), SAMPLE);
    }
}
