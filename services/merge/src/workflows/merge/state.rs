//! What a merge remembers between its steps. Stored as JSON; fields are only ever added.

use std::collections::BTreeMap;

use hubshift_domain::epoch::Epoch;
use hubshift_domain::merge::HubSize;
use serde::{Deserialize, Serialize};

use crate::store::merge::NewMerge;

/// The steps, in their order; [`Step::Verify`] and [`Step::Apply`] may lead back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Step {
    /// Both hubs are read.
    Scan,
    /// What differs is compared and planned.
    Plan,
    /// A person looks.
    Review,
    /// Both hubs are written.
    Apply,
    /// Documents, late events and back ends' own stores.
    Documents,
    /// Both hubs are read once more.
    Verify,
    /// The accounts are made.
    Close,
}

/// What a merge remembers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct State {
    /// The recovered hub.
    pub(crate) primary: String,
    /// The active hub.
    pub(crate) secondary: String,
    /// The fleet's epoch when it was started.
    pub(crate) epoch: Epoch,
    /// Back ends' own stores.
    #[serde(default)]
    pub(crate) sources: Vec<String>,
    /// How often it was planned again because something had changed meanwhile.
    #[serde(default)]
    pub(crate) round: i32,
    /// Whether a person approved: later rounds go on by themselves.
    #[serde(default)]
    pub(crate) is_approved: bool,
    /// Whether the last step found that there is more to do.
    #[serde(default)]
    pub(crate) goes_back: bool,
    /// Work at registry-sync.
    #[serde(default)]
    pub(crate) tasks: BTreeMap<String, TaskRef>,
    /// What the newest scans found.
    #[serde(default)]
    pub(crate) primary_scan: Scan,
    /// What the newest scans found.
    #[serde(default)]
    pub(crate) secondary_scan: Scan,
    /// Whether the recovered hub is reseeded instead of merged.
    #[serde(default)]
    pub(crate) is_rewound: bool,
    /// Why.
    #[serde(default)]
    pub(crate) rewound_evidence: String,
    /// Rounds with the store that is merged now.
    #[serde(default)]
    pub(crate) source_rounds: u32,
    /// Stores that are merged.
    #[serde(default)]
    pub(crate) sources_done: usize,
}

/// A finished scan.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Scan {
    /// Its id at registry-sync.
    pub(crate) snapshot: String,
    /// Devices that it found.
    pub(crate) devices: u64,
    /// Modules and configurations that it found.
    pub(crate) others: u64,
    /// Digest of what it found.
    pub(crate) digest: String,
}

impl Scan {
    /// How large the hub is. What it takes is not known.
    pub(crate) fn size(&self) -> HubSize {
        HubSize {
            devices: self.devices,
            others: self.others,
            quota: None,
        }
    }
}

/// A task at registry-sync.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TaskRef {
    /// Its name; `None` before it is known to have been started.
    pub(crate) name: Option<String>,
    /// Rises when a task was lost and another one is started in its place.
    #[serde(default)]
    pub(crate) round: u32,
    /// How often it was looked at.
    #[serde(default)]
    pub(crate) polls: u32,
}

impl State {
    /// What a merge starts with.
    pub(crate) fn new(merge: &NewMerge<'_>) -> Self {
        Self {
            primary: merge.primary.to_string(),
            secondary: merge.secondary.to_string(),
            epoch: merge.epoch,
            sources: merge.sources.to_vec(),
            round: 0,
            is_approved: false,
            goes_back: false,
            tasks: BTreeMap::new(),
            primary_scan: Scan::default(),
            secondary_scan: Scan::default(),
            is_rewound: false,
            rewound_evidence: String::new(),
            source_rounds: 0,
            sources_done: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_of_an_older_binary_reads() {
        let stored = serde_json::json!({"primary": "east", "secondary": "west", "epoch": 2049});
        let state: State = serde_json::from_value(stored).unwrap();
        assert_eq!((state.epoch, state.round), (Epoch(2049), 0));
    }
}
