//! Merge of two records of the same incarnation, field class by field class.
//!
//! Per class: equal is taken, what one side changed is taken, and what both changed is chosen by
//! the class's rule and logged. Tags and desired properties do so per leaf.

use serde_json::{Map, Value};

use super::conflict::{Chosen, Conflict, ConflictKind, ConflictState, Stamps};
use super::policy::{Candidate, FieldClass, Policy, Rule};
use super::side::{Choice, HoldId, Live, Triple, hold_id, same_record};
use super::{Resolution, resolution_at};
use crate::identity::Record;
use crate::json_merge::{Clash, Decide, JsonPath, merge_leaves, same_member};

/// One merge of two records; collects the conflicts.
pub(super) struct Fields<'a> {
    pub(super) triple: &'a Triple,
    pub(super) policy: &'a Policy,
    pub(super) resolutions: &'a [Resolution],
    pub(super) primary: &'a Live,
    pub(super) secondary: &'a Live,
    /// The base, if it is of the same incarnation.
    pub(super) base: Option<&'a Live>,
    pub(super) conflicts: Vec<Conflict>,
    /// The hold that a conflict raised.
    pub(super) raised: Option<HoldId>,
}

impl Fields<'_> {
    /// The merged device, and the conflicts.
    pub(super) fn merge(mut self) -> (Live, Vec<Conflict>) {
        let mut record = self.primary.record.clone();
        for class in FieldClass::ALL {
            match class {
                FieldClass::Tags => record.tags = self.document(*class),
                FieldClass::Desired => record.desired = self.document(*class),
                _ => self.scalar(*class, &mut record),
            }
        }
        let stamp = match (
            same_record(&record, &self.primary.record),
            same_record(&record, &self.secondary.record),
        ) {
            (true, false) => &self.primary.stamp,
            (false, true) => &self.secondary.stamp,
            _ => (&self.primary.stamp).max(&self.secondary.stamp),
        };
        let live = Live {
            incarnation: self.primary.incarnation,
            record,
            stamp: stamp.clone(),
            hold: self.inherited_hold().or(self.raised),
        };
        (live, self.conflicts)
    }

    /// A hold of either side stays, until the path that it names is resolved.
    fn inherited_hold(&self) -> Option<HoldId> {
        let incarnation = self.primary.incarnation;
        let resolved = |hold: &HoldId| {
            let names = |resolution: &Resolution| hold_id(&resolution.path, incarnation) == *hold;
            self.resolutions.iter().any(names)
        };
        let holds = [&self.primary.hold, &self.secondary.hold];
        let open = holds.into_iter().flatten().filter(|hold| !resolved(hold));
        open.min().cloned()
    }

    fn scalar(&mut self, class: FieldClass, record: &mut Record) {
        let base = self.base.map(|base| class.value(&base.record));
        let primary = class.value(&self.primary.record);
        let secondary = class.value(&self.secondary.record);
        if primary == secondary {
            return;
        }
        let values = [base.as_ref(), Some(&primary), Some(&secondary)];
        let path = JsonPath::of(class.as_str());
        let choice = if let Some(choice) = resolution_at(self.resolutions, class.as_str()) {
            self.log(class, &path, values, choice, ConflictState::Resolved);
            choice
        } else if base.as_ref() == Some(&primary) {
            Choice::Secondary
        } else if base.as_ref() == Some(&secondary) {
            Choice::Primary
        } else {
            self.decide(class, &path, values)
        };
        class.copy(&self.side(choice).record, record);
    }

    fn document(&mut self, class: FieldClass) -> Map<String, Value> {
        let base = self.base.map(|base| class.value(&base.record));
        let primary = class.value(&self.primary.record);
        let secondary = class.value(&self.secondary.record);
        let sides = [Some(&primary), Some(&secondary)];
        let mut leaves = Leaves {
            fields: self,
            class,
        };
        let mut path = JsonPath::of(class.as_str());
        match merge_leaves(&mut path, base.as_ref(), &sides, &mut leaves) {
            Some(Value::Object(merged)) => merged,
            _ => Map::new(),
        }
    }

    /// Chooses by the class's rule, logs it, and raises a hold if the rule asks for one.
    fn decide(
        &mut self,
        class: FieldClass,
        path: &JsonPath,
        values: [Option<&Value>; 3],
    ) -> Choice {
        let rule = self.policy.rule(class);
        let primary = Candidate {
            value: values[1],
            stamp: &self.primary.stamp,
        };
        let secondary = Candidate {
            value: values[2],
            stamp: &self.secondary.stamp,
        };
        let choice = match rule.prefers(primary, secondary) {
            true => Choice::Primary,
            false => Choice::Secondary,
        };
        let mut state = ConflictState::Auto;
        if rule == Rule::Hold {
            state = ConflictState::Held;
            let hold = hold_id(&path.to_string(), self.primary.incarnation);
            let earlier = self.raised.take();
            self.raised = earlier.into_iter().chain([hold]).min();
        }
        self.log(class, path, values, choice, state);
        choice
    }

    fn log(
        &mut self,
        class: FieldClass,
        path: &JsonPath,
        values: [Option<&Value>; 3],
        choice: Choice,
        state: ConflictState,
    ) {
        let kind = match (class, self.base) {
            (FieldClass::Credential, _) => ConflictKind::AuthConflict,
            (_, None) => ConflictKind::CreateCreate,
            (_, Some(_)) => ConflictKind::FieldConflict,
        };
        let policy = match state {
            ConflictState::Resolved => Rule::Operator,
            _ => self.policy.rule(class),
        };
        let [base, primary, secondary] = values.map(|value| value.cloned());
        self.conflicts.push(Conflict {
            kind,
            path: path.to_string(),
            base,
            primary,
            secondary,
            stamps: Stamps::of(self.triple),
            chosen: Chosen::from(choice),
            policy,
            state,
        });
    }

    fn side(&self, choice: Choice) -> &Live {
        match choice {
            Choice::Primary => self.primary,
            Choice::Secondary => self.secondary,
        }
    }
}

/// Decides the leaves of one document; side 0 is the primary.
struct Leaves<'f, 'a> {
    fields: &'f mut Fields<'a>,
    class: FieldClass,
}

fn values_of<'a>(clash: &Clash<'a>) -> [Option<&'a Value>; 3] {
    let at = |i: usize| clash.values.get(i).copied().flatten();
    [clash.base, at(0), at(1)]
}

fn index_of(choice: Choice) -> usize {
    match choice {
        Choice::Primary => 0,
        Choice::Secondary => 1,
    }
}

impl Decide for Leaves<'_, '_> {
    fn forced(&mut self, clash: &Clash<'_>) -> Option<usize> {
        let choice = resolution_at(self.fields.resolutions, &clash.path.to_string())?;
        let [base, primary, secondary] = values_of(clash);
        let dropped = match choice {
            Choice::Primary => secondary,
            Choice::Secondary => primary,
        };
        if !same_member(dropped, base) {
            let values = [base, primary, secondary];
            let state = ConflictState::Resolved;
            self.fields
                .log(self.class, clash.path, values, choice, state);
        }
        Some(index_of(choice))
    }

    fn choose(&mut self, clash: &Clash<'_>) -> usize {
        index_of(self.fields.decide(self.class, clash.path, values_of(clash)))
    }
}
