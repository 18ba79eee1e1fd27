//! Which rule decides a conflict in which fields: data, with the defaults of the specification.
//!
//! A rule chooses one of two values by what they are and who wrote them, never by which hub they
//! came from, never the base's value, and never a value that nobody wrote.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::breakers::Breakers;
use crate::epoch::Epoch;
use crate::hub_state::named;
use crate::identity::{Record, Stamp};
use crate::json_merge::rank;

named!(
    /// Fields that are merged by one rule.
    FieldClass {
        /// The status, and its reason, which rides along.
        Access = "status",
        /// The credential: one atomic unit.
        Credential = "credential",
        /// Whether the device is an edge gateway; of a module, who manages it.
        Capability = "iotEdge",
        /// The parent gateway.
        Hierarchy = "parent",
        /// Tags, by leaf path.
        Tags = "tags",
        /// Desired properties, by leaf path.
        Desired = "desired",
    }
);

named!(
    /// How a conflict is decided.
    Rule {
        /// A disabled device stays disabled; then the higher epoch, then the larger hash.
        DisabledDominates = "disabled_dominates",
        /// The later stamp (epoch, sequence, origin), then the larger hash.
        HigherStamp = "higher_stamp",
        /// The higher epoch, then the larger hash.
        HigherEpoch = "higher_epoch",
        /// An operator; until then the later stamp stands, under a hold.
        Hold = "hold",
        /// The later life of the device id.
        HigherIncarnation = "higher_incarnation",
        /// Deletion if it revoked or if nothing changed, else a hold.
        DeleteOrHold = "delete_or_hold",
        /// A tombstone that both hubs had verified stands.
        VerifiedDeletion = "verified_deletion",
        /// What is missing without a tombstone is made again.
        RestoreMissing = "restore_missing",
        /// Nothing is done while a hold is open.
        OpenHold = "open_hold",
        /// What a hub would refuse is not written.
        Limits = "limits",
        /// What no hub shows or takes stays as it is at the active one.
        OutOfReach = "out_of_reach",
        /// The hierarchy of gateways must be whole.
        WholeHierarchy = "whole_hierarchy",
        /// An operator said so.
        Operator = "operator",
    }
);

/// The rule for each class of fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldRules {
    /// For the status.
    pub access: Rule,
    /// For the credential.
    pub credential: Rule,
    /// For the edge capability.
    pub capability: Rule,
    /// For the parent.
    pub hierarchy: Rule,
    /// For a leaf of the tags.
    pub tags: Rule,
    /// For a leaf of the desired properties.
    pub desired: Rule,
}

/// What a hub can store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// The size of all tags, in bytes of names and values.
    pub tags_bytes: usize,
    /// The size of all desired properties, in bytes of names and values.
    pub desired_bytes: usize,
    /// How deep objects may be nested, the outermost members being at depth 1.
    pub depth: usize,
}

/// Everything that decides a merge but the facts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Names this policy; any change to it takes another version. Part of every plan's id.
    pub version: u32,
    /// The rules by class of fields.
    pub rules: FieldRules,
    /// What the hubs can store.
    pub limits: Limits,
    /// From which size on a plan needs a second approval.
    pub breakers: Breakers,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            version: 1,
            rules: FieldRules {
                access: Rule::DisabledDominates,
                credential: Rule::HigherStamp,
                capability: Rule::Hold,
                hierarchy: Rule::HigherEpoch,
                tags: Rule::HigherEpoch,
                desired: Rule::HigherEpoch,
            },
            limits: Limits {
                tags_bytes: 8 * 1024,
                desired_bytes: 32 * 1024,
                depth: 10,
            },
            breakers: Breakers::default(),
        }
    }
}

impl Policy {
    /// The rule for a class of fields.
    pub fn rule(&self, class: FieldClass) -> Rule {
        match class {
            FieldClass::Access => self.rules.access,
            FieldClass::Credential => self.rules.credential,
            FieldClass::Capability => self.rules.capability,
            FieldClass::Hierarchy => self.rules.hierarchy,
            FieldClass::Tags => self.rules.tags,
            FieldClass::Desired => self.rules.desired,
        }
    }
}

impl FieldClass {
    /// The record's value of these fields, as conflicts show it: no secret is in it.
    pub fn value(self, record: &Record) -> Value {
        match self {
            FieldClass::Access => serde_json::json!({
                "enabled": record.enabled,
                "statusReason": record.status_reason,
            }),
            FieldClass::Credential => serde_json::json!({
                "kind": record.credential.kind.as_str(),
                "fingerprint": record.credential.fingerprint.to_string(),
            }),
            FieldClass::Capability => capability(record),
            FieldClass::Hierarchy => record.parent.clone().map_or(Value::Null, Value::String),
            FieldClass::Tags => Value::Object(record.tags.clone()),
            FieldClass::Desired => Value::Object(record.desired.clone()),
        }
    }

    /// Copies these fields from one record to another.
    pub fn copy(self, from: &Record, to: &mut Record) {
        match self {
            FieldClass::Access => {
                to.enabled = from.enabled;
                to.status_reason.clone_from(&from.status_reason);
            }
            FieldClass::Credential => to.credential = from.credential.clone(),
            FieldClass::Capability => {
                to.iot_edge = from.iot_edge;
                to.managed_by.clone_from(&from.managed_by);
            }
            FieldClass::Hierarchy => to.parent.clone_from(&from.parent),
            FieldClass::Tags => to.tags.clone_from(&from.tags),
            FieldClass::Desired => to.desired.clone_from(&from.desired),
        }
    }
}

/// Devices are not managed by anybody: theirs is the bare fact that it always was.
fn capability(record: &Record) -> Value {
    match &record.managed_by {
        None => Value::Bool(record.iot_edge),
        Some(managed_by) => serde_json::json!({
            "iotEdge": record.iot_edge,
            "managedBy": managed_by,
        }),
    }
}

/// A value that takes part in a conflict.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// The value; `None` where it was removed.
    pub value: Option<&'a Value>,
    /// Who wrote the record that it stands in.
    pub stamp: &'a Stamp,
}

impl<'a> Candidate<'a> {
    fn is_disabled(self) -> bool {
        self.value.and_then(|value| value.get("enabled")) == Some(&Value::Bool(false))
    }

    fn by_stamp(self) -> (&'a Stamp, Option<[u8; 32]>) {
        (self.stamp, rank(self.value))
    }

    fn by_epoch(self) -> (Epoch, Option<[u8; 32]>) {
        (self.stamp.epoch, rank(self.value))
    }
}

impl Rule {
    /// Whether `a` wins over `b`. For different values exactly one of `a`, `b` wins over the
    /// other, whichever is asked first.
    pub fn prefers(self, a: Candidate<'_>, b: Candidate<'_>) -> bool {
        match self {
            Rule::DisabledDominates if a.is_disabled() != b.is_disabled() => a.is_disabled(),
            Rule::HigherStamp | Rule::Hold => a.by_stamp() > b.by_stamp(),
            _ => a.by_epoch() > b.by_epoch(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::HubId;
    use serde_json::json;

    fn stamp(epoch: u64, sequence: i64) -> Stamp {
        Stamp {
            epoch: Epoch(epoch),
            sequence,
            origin: HubId::new("east").unwrap(),
        }
    }

    #[test]
    fn every_rule_prefers_exactly_one_of_two_values() {
        let (old, new) = (stamp(1, 9), stamp(2, 1));
        let (on, off) = (json!({"enabled": true}), json!({"enabled": false}));
        for rule in Rule::ALL {
            for (p, s) in [(&old, &new), (&old, &old)] {
                let on = Candidate {
                    value: Some(&on),
                    stamp: p,
                };
                let off = Candidate {
                    value: Some(&off),
                    stamp: s,
                };
                assert_ne!(rule.prefers(on, off), rule.prefers(off, on), "{rule}");
            }
        }
    }

    #[test]
    fn disabled_dominates_a_later_stamp_and_an_epoch_dominates_a_sequence() {
        let (old, new) = (stamp(1, 9), stamp(2, 1));
        let (on, off) = (json!({"enabled": true}), json!({"enabled": false}));
        let late = Candidate {
            value: Some(&on),
            stamp: &new,
        };
        let early = Candidate {
            value: Some(&off),
            stamp: &old,
        };
        assert!(Rule::DisabledDominates.prefers(early, late));
        assert!(Rule::HigherStamp.prefers(late, early));
        assert!(Rule::HigherEpoch.prefers(late, early));
    }
}
