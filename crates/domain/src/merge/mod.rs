//! Merge of two hubs' registries, one device at a time: a pure function of what both hubs once
//! had (base), what the recovered hub has (primary), what the active hub has (secondary), the
//! policy and the operator's decisions.
//!
//! Kept true, and tested over random and over all small inputs: equal sides stay, one-sided
//! changes are taken, the hubs may be swapped, a merge that was applied in part comes out the
//! same again (I12), no device is lost (I7), no deleted one returns (I8), no value is made up
//! (I9), and every value that is dropped can be restored (I13).

mod along;
mod breakers;
mod conflict;
mod fields;
mod lifecycle;
mod limits;
mod plan;
mod policy;
mod reseed;
mod restore;
mod rewind;
mod scope;
mod side;
mod value;

pub use along::{Along, go_along, out_of_reach, withhold_held};
pub use breakers::{Breaker, Breakers, HubSize, Tripped};
pub use conflict::{Chosen, Conflict, ConflictKind, ConflictState, MergedKey, Resolution, Stamps};
pub use lifecycle::merge_key;
pub use limits::{check_limits, size};
pub use plan::{
    Counts, HubCounts, OtherCounts, Plan, PlanError, PlanId, PlanItem, Planner, item_op_id,
    side_digest,
};
pub use policy::{Candidate, FieldClass, FieldRules, Limits, Policy, Rule};
pub use reseed::{Rescue, RescueReason, Reseed, reseed};
pub use restore::restore;
pub use rewind::{Evidence, Rewound, RewoundReason, is_rewound};
pub use scope::{hold_scope, scope_faults};
pub use side::{
    Action, Choice, HoldId, Live, Side, Tombstone, TombstoneReason, Triple, hold_id, same_record,
};
pub use value::{BadValue, record_value, side_from_value, side_value};

/// The operator's decision for exactly this path.
fn resolution_at(resolutions: &[Resolution], path: &str) -> Option<Choice> {
    let found = resolutions
        .iter()
        .find(|resolution| resolution.path == path);
    found.map(|resolution| resolution.choice)
}
