//! A row of the conflict log: what two hubs said of one thing, and what became of it.
//!
//! Nothing that a hub changed is dropped without a row that holds it, so that
//! [`restore`](super::restore) can bring it back. Rows hold no secrets: a credential is its kind
//! and fingerprint.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::policy::Rule;
use super::side::{Action, Choice, Side, Triple};
use super::value::{side_from_value, side_value};
use crate::hub_state::named;
use crate::identity::Stamp;
use crate::json_merge::{same_member, without_nulls};

named!(
    /// What kind of conflict it is; named as other systems name them.
    ConflictKind {
        /// Both hubs created the device, and differently.
        CreateCreate = "create_create",
        /// Both changed a field, and differently.
        FieldConflict = "field_conflict",
        /// Both changed the credential, and differently.
        AuthConflict = "auth_conflict",
        /// One deleted what the other changed.
        DeleteModify = "delete_modify",
        /// A hub lacks, without a tombstone, what both had.
        ModifyMissing = "modify_missing",
        /// The hubs hold different lives of the device id.
        Recreated = "recreated",
        /// The parent does not exist after the merge.
        ScopeMissing = "scope_missing",
        /// The parents form a circle after the merge.
        ScopeCycle = "scope_cycle",
        /// The merged tags or desired properties are more than a hub stores.
        Oversize = "oversize",
        /// There are more devices after the merge than a hub takes.
        OverQuota = "over_quota",
        /// Both changed a field that we don't know.
        SchemaUnknown = "schema_unknown",
        /// Something changed after its merge, or while a hold was open.
        LateChange = "late_change",
    }
);

impl PartialOrd for ConflictKind {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ConflictKind {
    fn cmp(&self, other: &Self) -> Ordering {
        (*self as u8).cmp(&(*other as u8))
    }
}

named!(
    /// Whose value stands in the merge.
    Chosen {
        /// The recovered hub's.
        Primary = "primary",
        /// The active hub's.
        Secondary = "secondary",
        /// What both hubs once had.
        Base = "base",
        /// Nobody's: nothing is written.
        Neither = "neither",
    }
);

impl From<Choice> for Chosen {
    fn from(hub: Choice) -> Self {
        match hub {
            Choice::Primary => Chosen::Primary,
            Choice::Secondary => Chosen::Secondary,
        }
    }
}

named!(
    /// How far a conflict is decided.
    ConflictState {
        /// A rule decided it.
        Auto = "auto",
        /// It waits for an operator.
        Held = "held",
        /// An operator decided it.
        Resolved = "resolved",
        /// A later conflict took its place.
        Superseded = "superseded",
    }
);

/// Who wrote what the three places have.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Stamps {
    /// Of the base.
    pub base: Option<Stamp>,
    /// Of the recovered hub's side.
    pub primary: Option<Stamp>,
    /// Of the active hub's side.
    pub secondary: Option<Stamp>,
}

impl Stamps {
    /// The stamps of a triple.
    pub fn of(triple: &Triple) -> Self {
        Self {
            base: triple.base.stamp().cloned(),
            primary: triple.primary.stamp().cloned(),
            secondary: triple.secondary.stamp().cloned(),
        }
    }
}

/// A row of the conflict log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Conflict {
    /// What kind of conflict it is.
    pub kind: ConflictKind,
    /// Where: `tags.site`, `credential`, or empty for the whole record.
    pub path: String,
    /// What the base has there; `None` for nothing.
    pub base: Option<Value>,
    /// What the recovered hub has there.
    pub primary: Option<Value>,
    /// What the active hub has there.
    pub secondary: Option<Value>,
    /// Who wrote them.
    pub stamps: Stamps,
    /// Whose value stands in the merge.
    pub chosen: Chosen,
    /// The rule that chose.
    pub policy: Rule,
    /// How far it is decided.
    pub state: ConflictState,
}

impl Conflict {
    /// A row for the whole record.
    pub fn whole(triple: &Triple, kind: ConflictKind, chosen: Chosen, policy: Rule) -> Self {
        Self {
            kind,
            path: String::new(),
            base: side_value(&triple.base),
            primary: side_value(&triple.primary),
            secondary: side_value(&triple.secondary),
            stamps: Stamps::of(triple),
            chosen,
            policy,
            state: ConflictState::Auto,
        }
    }

    /// Whether the row is about these values: base, primary, secondary. Who wrote them does not
    /// matter.
    pub fn is_about(&self, values: [Option<&Value>; 3]) -> bool {
        let own = [&self.base, &self.primary, &self.secondary];
        let same = match self.path.is_empty() {
            true => same_side,
            false => same_member,
        };
        let mut pairs = own.into_iter().map(Option::as_ref).zip(values);
        pairs.all(|(own, value)| same(own, value))
    }

    /// The same row, in another state.
    pub fn with_state(mut self, state: ConflictState) -> Self {
        self.state = state;
        self
    }
}

/// Whether two whole records differ in nothing but stamps.
fn same_side(a: Option<&Value>, b: Option<&Value>) -> bool {
    match (side_from_value(a), side_from_value(b)) {
        (Ok(a), Ok(b)) => a.same(&b),
        (Err(_), _) | (_, Err(_)) => false,
    }
}

/// An operator's decision of one conflict of one device, made against the triple that the
/// conflict came from: for another triple of the device it means nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resolution {
    /// The conflict's path. An object's path takes the whole object, and the empty one the whole
    /// record, from the chosen hub.
    pub path: String,
    /// Whose value is taken. Choosing a hub that lacks the device deletes it.
    pub choice: Choice,
}

/// What a merge makes of one device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MergedKey {
    /// What both hubs should hold.
    pub merged: Side,
    /// What the recovered hub must do.
    pub on_primary: Action,
    /// What the active hub must do.
    pub on_secondary: Action,
    /// Every changed value that isn't in `merged`, and what waits for an operator.
    pub conflicts: Vec<Conflict>,
    /// Nothing is written: a hold was open before, or the result is more than a hub stores.
    pub withheld: bool,
}

impl MergedKey {
    /// The result `merged`, with what each hub must do for it. A hub stores no null members, so
    /// the result has none.
    pub fn new(triple: &Triple, merged: Side, conflicts: Vec<Conflict>) -> Self {
        let merged = stored(merged);
        Self {
            on_primary: Action::between(&triple.primary, &merged),
            on_secondary: Action::between(&triple.secondary, &merged),
            merged,
            conflicts,
            withheld: false,
        }
    }

    /// The same result, but nothing is written at either hub because of `conflicts`.
    pub fn withhold(mut self, conflicts: Vec<Conflict>) -> Self {
        self.on_primary = Action::Keep;
        self.on_secondary = Action::Keep;
        self.withheld = true;
        self.conflicts.extend(conflicts);
        self
    }

    /// Whether something of this device waits for an operator.
    pub fn is_held(&self) -> bool {
        let open = |conflict: &Conflict| conflict.state == ConflictState::Held;
        self.merged.is_held() || self.conflicts.iter().any(open)
    }
}

fn stored(mut side: Side) -> Side {
    if let Side::Live(live) = &mut side {
        live.record.tags = without_nulls(&live.record.tags);
        live.record.desired = without_nulls(&live.record.desired);
    }
    side
}
