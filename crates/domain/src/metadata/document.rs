//! What a document is made of, and what a merge of it gives.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::vector::VersionVector;
use crate::hub_state::named;
use crate::identity::{Incarnation, Stamp};

named!(
    /// How concurrent branches of the documents of a namespace are brought together.
    NamespacePolicy {
        /// By leaf path against the base; a leaf that several changed: higher epoch, then larger
        /// hash. The default.
        JsonLeaf = "json_leaf",
        /// The latest stamp: the others' writes are lost, by choice.
        Lww = "lww",
        /// Arrays as sets: added by any and removed by none.
        SetUnion = "set_union",
        /// Numbers: the base plus what each branch added.
        Counter = "counter",
        /// The largest number or text.
        Max = "max",
        /// The smallest number or text.
        Min = "min",
        /// All branches are kept; a deterministic one is shown.
        Siblings = "siblings",
        /// All branches are kept until an operator or a back end decides.
        Manual = "manual",
    }
);

/// One line of writes of a document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Branch {
    /// The document; null when it is deleted.
    pub value: Value,
    /// Whether it was deleted.
    pub deleted: bool,
    /// The writes that this branch has seen, its own last one included.
    pub version: VersionVector,
    /// Who wrote it last, in our own order.
    pub stamp: Stamp,
    /// The life of the device that it belongs to; 0 for a document of no device.
    pub incarnation: Incarnation,
}

impl Branch {
    /// The value, unless it is deleted.
    pub fn live_value(&self) -> Option<&Value> {
        (!self.deleted).then_some(&self.value)
    }
}

/// A value that a merge did not take.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dropped {
    /// The value; `None` where it was removed.
    pub value: Option<Value>,
    /// Who wrote the branch that it stands in.
    pub stamp: Stamp,
}

/// A path at which branches differed beyond what the policy can bring together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DocumentClash {
    /// Where: `site.floor`, or empty for the whole document.
    pub path: String,
    /// What the base has there.
    pub base: Option<Value>,
    /// What the merge took.
    pub taken: Option<Value>,
    /// What it did not take; with these rows nothing is lost.
    pub dropped: Vec<Dropped>,
}

/// A document after a merge.
#[derive(Debug, Clone, PartialEq)]
pub struct MergedDocument {
    /// What is stored: one branch when all came together, else all concurrent ones, in an order
    /// that is the same everywhere. The first is the one to show. Empty when all are parked.
    pub branches: Vec<Branch>,
    /// Branches of a life of the device that is over: kept, not applied.
    pub parked: Vec<Branch>,
    /// Values that were not taken.
    pub clashes: Vec<DocumentClash>,
    /// Whether a reader must be told that values compete or were dropped.
    pub has_conflicts: bool,
}

impl MergedDocument {
    /// The branch that a read shows.
    pub fn shown(&self) -> Option<&Branch> {
        self.branches.first()
    }

    /// What a write must name as seen: the writes of all stored branches.
    pub fn version(&self) -> VersionVector {
        joined_version(&self.branches)
    }
}

pub(super) fn joined_version<'a>(branches: impl IntoIterator<Item = &'a Branch>) -> VersionVector {
    let none = VersionVector::new();
    let versions = branches.into_iter().map(|branch| &branch.version);
    versions.fold(none, |joined, version| joined.join(version))
}
