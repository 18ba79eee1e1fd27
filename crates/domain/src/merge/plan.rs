//! A plan: what a merge would do, named by a hash of everything that it depends on.
//!
//! The same facts and the same policy version give the same plan id and the same bytes, on any
//! machine and in whatever order the devices arrived (I11). Items are ordered by the bytes of
//! the device id.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::conflict::{ConflictKind, ConflictState, MergedKey};
use super::policy::Policy;
use super::side::{Action, Choice, Side, Triple};
use super::value::side_value;
use crate::id::{RecordKey, is_device};
use crate::identity::canonical_json;

/// Why no plan can be made of these items.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Items come in ascending order of the bytes of their ids, each once.
    #[error("`{0}` does not come after the one before it, by the bytes of their ids")]
    OutOfOrder(RecordKey),
}

/// Names a plan: a SHA-256 over its inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlanId(pub [u8; 32]);

impl fmt::Display for PlanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// One device of a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanItem {
    /// Which device.
    pub device: RecordKey,
    /// What was known of it.
    pub triple: Triple,
    /// What the merge makes of it.
    pub outcome: MergedKey,
}

impl PlanItem {
    /// The item's canonical text: what a plan consists of, and holds no secret.
    pub fn canonical(&self) -> String {
        let key = &self.outcome;
        canonical_json(&json!({
            "device": self.device.as_str(),
            "base": side_value(&self.triple.base),
            "primary": side_value(&self.triple.primary),
            "secondary": side_value(&self.triple.secondary),
            "merged": side_value(&key.merged),
            "onPrimary": key.on_primary.as_str(),
            "onSecondary": key.on_secondary.as_str(),
            "withheld": key.withheld,
            "conflicts": key.conflicts,
        }))
    }
}

/// What happens at one hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HubCounts {
    /// Devices that are created.
    pub create: u64,
    /// Devices that are changed.
    pub update: u64,
    /// Devices that are deleted.
    pub delete: u64,
    /// Of those that are changed, how many get another credential.
    pub auth_change: u64,
    /// What of it is not of devices: of modules and configurations.
    #[serde(default)]
    pub others: OtherCounts,
}

/// What happens at one hub to what is no device. It is in [`HubCounts`] too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OtherCounts {
    /// How many are created.
    pub create: u64,
    /// How many are deleted.
    pub delete: u64,
    /// How many get another credential.
    pub auth_change: u64,
}

/// What a plan would do, in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Devices in the plan: those that differ anywhere.
    pub devices: u64,
    /// At the recovered hub.
    pub primary: HubCounts,
    /// At the active hub.
    pub secondary: HubCounts,
    /// Conflicts by kind, held ones included.
    pub conflicts: BTreeMap<ConflictKind, u64>,
    /// Conflicts that wait for an operator.
    pub held_conflicts: u64,
    /// Devices that wait for an operator.
    pub held_devices: u64,
    /// Devices at which nothing is written because of an open hold or a limit.
    pub withheld: u64,
    /// Devices that both hubs deleted: no conflict.
    pub both_deleted: u64,
    /// Devices that both hubs changed alike: no conflict.
    pub both_changed_alike: u64,
}

impl Counts {
    /// Adds one device.
    pub fn add(&mut self, device: &RecordKey, triple: &Triple, key: &MergedKey) {
        self.devices += 1;
        let is_other = !is_device(device.as_str());
        let hubs = [
            (&mut self.primary, &triple.primary, key.on_primary),
            (&mut self.secondary, &triple.secondary, key.on_secondary),
        ];
        for (counts, before, action) in hubs {
            count_hub(counts, before, action, &key.merged);
            if is_other {
                count_other(&mut counts.others, before, action, &key.merged);
            }
        }
        for conflict in &key.conflicts {
            *self.conflicts.entry(conflict.kind).or_default() += 1;
            self.held_conflicts += u64::from(conflict.state == ConflictState::Held);
        }
        self.held_devices += u64::from(key.is_held());
        self.withheld += u64::from(key.withheld);
        if triple.primary.same(&triple.secondary) && !triple.primary.same(&triple.base) {
            let deleted = triple.primary.tombstone().is_some();
            let changed = triple.primary.live().is_some();
            self.both_deleted += u64::from(deleted);
            self.both_changed_alike += u64::from(changed);
        }
    }
}

fn count_hub(counts: &mut HubCounts, before: &Side, action: Action, after: &Side) {
    match action {
        Action::Keep => {}
        Action::Create => counts.create += 1,
        Action::Delete => counts.delete += 1,
        Action::Update => {
            counts.update += 1;
            counts.auth_change += u64::from(is_auth_change(before, after));
        }
    }
}

fn count_other(counts: &mut OtherCounts, before: &Side, action: Action, after: &Side) {
    match action {
        Action::Keep => {}
        Action::Create => counts.create += 1,
        Action::Delete => counts.delete += 1,
        Action::Update => counts.auth_change += u64::from(is_auth_change(before, after)),
    }
}

fn is_auth_change(before: &Side, after: &Side) -> bool {
    let credential = |side: &Side| side.live().map(|live| live.record.credential.clone());
    credential(before) != credential(after)
}

/// Makes a plan from a stream of devices, holding none of them.
#[derive(Debug, Clone)]
pub struct Planner {
    hasher: Sha256,
    last: Option<RecordKey>,
    counts: Counts,
}

impl Planner {
    /// An empty plan under a policy.
    pub fn new(policy: &Policy) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(b"hubshift plan 1\0");
        hasher.update(policy.version.to_be_bytes());
        Self {
            hasher,
            last: None,
            counts: Counts::default(),
        }
    }

    /// Adds the next device; devices come in ascending order of the bytes of their ids.
    pub fn push(
        &mut self,
        device: &RecordKey,
        triple: &Triple,
        outcome: &MergedKey,
    ) -> Result<(), PlanError> {
        if self.last.as_ref().is_some_and(|last| last >= device) {
            return Err(PlanError::OutOfOrder(device.clone()));
        }
        self.last = Some(device.clone());
        self.hasher
            .update((device.as_str().len() as u64).to_be_bytes());
        self.hasher.update(device.as_str());
        for side in [&triple.base, &triple.primary, &triple.secondary] {
            self.hasher.update(side_digest(side));
        }
        self.counts.add(device, triple, outcome);
        Ok(())
    }

    /// The plan's id and numbers.
    pub fn finish(self) -> (PlanId, Counts) {
        (PlanId(self.hasher.finalize().into()), self.counts)
    }
}

/// A whole plan in memory, for fleets that fit.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Names it.
    pub id: PlanId,
    /// What it would do, in numbers.
    pub counts: Counts,
    /// Its devices, ordered.
    pub items: Vec<PlanItem>,
}

impl Plan {
    /// The plan of these items, which may come in any order, each device once.
    pub fn of(mut items: Vec<PlanItem>, policy: &Policy) -> Result<Self, PlanError> {
        items.sort_by(|a, b| a.device.cmp(&b.device));
        let mut planner = Planner::new(policy);
        for item in &items {
            planner.push(&item.device, &item.triple, &item.outcome)?;
        }
        let (id, counts) = planner.finish();
        Ok(Self { id, counts, items })
    }
}

/// The digest of all that is known at one place: a merge depends on nothing else.
pub fn side_digest(side: &Side) -> [u8; 32] {
    let text = canonical_json(&side_value(side).unwrap_or(Value::Null));
    Sha256::digest(text).into()
}

/// The id of one write of a plan: repeating a plan repeats its ids, so that a write that was
/// made already is recognised.
pub fn item_op_id(plan: &PlanId, device: &RecordKey, target: Choice) -> Uuid {
    let mut hasher = Sha256::new();
    hasher.update(b"hubshift item 1\0");
    hasher.update(plan.0);
    hasher.update(target.as_str());
    hasher.update(b"\0");
    hasher.update(device.as_str());
    let full: [u8; 32] = hasher.finalize().into();
    let mut cut = [0; 16];
    cut.copy_from_slice(&full[..16]);
    uuid::Builder::from_custom_bytes(cut).into_uuid()
}
