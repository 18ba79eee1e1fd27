//! The policies that bring concurrent values together.
//!
//! Each looks at the set of values, their stamps and the base. A value of a type that a policy
//! has no rule for, and a deletion beside a write, become a clash: one value is taken whole, the
//! others are reported.

use std::collections::BTreeMap;

use serde_json::{Number, Value};

use super::document::{Branch, DocumentClash, Dropped, NamespacePolicy};
use crate::identity::{Stamp, canonical_json};
use crate::json_merge::{Clash, Decide, JsonPath, exact_rank, merge_leaves};

/// The value of all branches together; `None` when it is deleted.
pub(super) struct Joined {
    pub(super) value: Option<Value>,
    pub(super) clashes: Vec<DocumentClash>,
}

pub(super) fn join_values(
    base: Option<&Value>,
    heads: &[Branch],
    policy: NamespacePolicy,
) -> Joined {
    if policy == NamespacePolicy::Lww {
        let all: Vec<&Branch> = heads.iter().collect();
        return take_one(base, &all, |branch| {
            (branch.stamp.clone(), exact_rank(branch.live_value()))
        });
    }
    let live: Vec<&Branch> = heads.iter().filter(|branch| !branch.deleted).collect();
    if live.is_empty() {
        return Joined {
            value: None,
            clashes: vec![],
        };
    }
    let mut joined = join_live(base, &live, policy);
    let deleted: Vec<_> = heads.iter().filter(|branch| branch.deleted).collect();
    if !deleted.is_empty() {
        joined.clashes.push(DocumentClash {
            path: String::new(),
            base: base.cloned(),
            taken: joined.value.clone(),
            dropped: deleted.into_iter().map(dropped).collect(),
        });
    }
    joined
}

fn join_live(base: Option<&Value>, live: &[&Branch], policy: NamespacePolicy) -> Joined {
    let values: Vec<&Value> = live.iter().map(|branch| &branch.value).collect();
    if let [only] = values.as_slice() {
        return Joined {
            value: Some((*only).clone()),
            clashes: vec![],
        };
    }
    let value = match policy {
        NamespacePolicy::SetUnion => set_union(base, &values),
        NamespacePolicy::Counter => counter(base, &values),
        NamespacePolicy::Max => extreme(&values, true),
        NamespacePolicy::Min => extreme(&values, false),
        NamespacePolicy::JsonLeaf
        | NamespacePolicy::Lww
        | NamespacePolicy::Siblings
        | NamespacePolicy::Manual => return json_leaf(base, live),
    };
    match value {
        Some(value) => Joined {
            value: Some(value),
            clashes: vec![],
        },
        None => take_one(base, live, |branch| {
            (branch.stamp.epoch, exact_rank(Some(&branch.value)))
        }),
    }
}

/// Takes the branch with the greatest order whole, and reports the others.
fn take_one<O: Ord>(
    base: Option<&Value>,
    branches: &[&Branch],
    order: impl Fn(&Branch) -> O,
) -> Joined {
    let winner = (0..branches.len()).max_by_key(|i| order(branches[*i]));
    let others = |i: &usize| Some(*i) != winner;
    let rest = (0..branches.len()).filter(others);
    let value = winner.and_then(|i| branches[i].live_value().cloned());
    let clash = DocumentClash {
        path: String::new(),
        base: base.cloned(),
        taken: value.clone(),
        dropped: rest.map(|i| dropped(branches[i])).collect(),
    };
    Joined {
        value,
        clashes: vec![clash],
    }
}

fn dropped(branch: &Branch) -> Dropped {
    Dropped {
        value: branch.live_value().cloned(),
        stamp: branch.stamp.clone(),
    }
}

fn json_leaf(base: Option<&Value>, live: &[&Branch]) -> Joined {
    let sides: Vec<_> = live.iter().map(|branch| Some(&branch.value)).collect();
    let mut leaves = Leaves {
        stamps: live.iter().map(|branch| &branch.stamp).collect(),
        clashes: vec![],
    };
    let value = merge_leaves(&mut JsonPath::root(), base, &sides, &mut leaves);
    Joined {
        value: Some(value.unwrap_or(Value::Null)),
        clashes: leaves.clashes,
    }
}

/// Higher epoch, then larger hash.
struct Leaves<'a> {
    stamps: Vec<&'a Stamp>,
    clashes: Vec<DocumentClash>,
}

impl Decide for Leaves<'_> {
    const NULLS_ARE_ABSENT: bool = false;

    fn choose(&mut self, clash: &Clash<'_>) -> usize {
        let order = |i: &&usize| (self.stamps[**i].epoch, exact_rank(clash.values[**i]));
        let winner = clash.changed.iter().max_by_key(order).copied().unwrap_or(0);
        let rest = clash.changed.iter().filter(|i| **i != winner);
        let dropped = rest.map(|i| Dropped {
            value: clash.values[*i].cloned(),
            stamp: self.stamps[*i].clone(),
        });
        self.clashes.push(DocumentClash {
            path: clash.path.to_string(),
            base: clash.base.cloned(),
            taken: clash.values[winner].cloned(),
            dropped: dropped.collect(),
        });
        winner
    }
}

/// Elements by their canonical text; `None` if it isn't an array.
fn elements(value: &Value) -> Option<BTreeMap<String, &Value>> {
    let items = value.as_array()?.iter();
    Some(items.map(|item| (canonical_json(item), item)).collect())
}

/// What any branch added to the base, and what of the base no branch removed; in the order of
/// the elements' canonical text.
fn set_union(base: Option<&Value>, values: &[&Value]) -> Option<Value> {
    let base = base.and_then(elements).unwrap_or_default();
    let sets = values.iter().map(|value| elements(value));
    let sets: Vec<_> = sets.collect::<Option<_>>()?;
    let in_all = |text: &String| sets.iter().all(|set| set.contains_key(text));
    let every: BTreeMap<&String, &Value> = sets
        .iter()
        .flatten()
        .map(|(text, item)| (text, *item))
        .collect();
    let stays = |text: &String| !base.contains_key(text) || in_all(text);
    let kept = every.into_iter().filter(|(text, _)| stays(text));
    Some(Value::Array(kept.map(|(_, item)| item.clone()).collect()))
}

/// The base plus what each branch added to it. Exact for whole numbers.
fn counter(base: Option<&Value>, values: &[&Value]) -> Option<Value> {
    let base = base.filter(|value| value.is_number());
    let whole: Option<Vec<i128>> = values.iter().map(|value| integer(value)).collect();
    let whole_base = base.map_or(Some(0), integer);
    if let (Some(values), Some(base)) = (whole, whole_base) {
        let added: i128 = values.iter().map(|value| value - base).sum();
        return number(base + added);
    }
    let base = base.and_then(Value::as_f64).unwrap_or(0.0);
    let values: Option<Vec<f64>> = values.iter().map(|value| value.as_f64()).collect();
    let mut added: Vec<f64> = values?.iter().map(|value| value - base).collect();
    added.sort_by(f64::total_cmp);
    let sum = added.iter().fold(base, |sum, value| sum + value);
    Number::from_f64(sum).map(Value::Number)
}

fn integer(value: &Value) -> Option<i128> {
    let signed = value.as_i64().map(i128::from);
    signed.or_else(|| value.as_u64().map(i128::from))
}

fn number(value: i128) -> Option<Value> {
    let signed = i64::try_from(value).ok().map(Number::from);
    let number = signed.or_else(|| u64::try_from(value).ok().map(Number::from));
    number.map(Value::Number)
}

/// The largest or smallest of numbers only or of texts only.
fn extreme(values: &[&Value], largest: bool) -> Option<Value> {
    let numbers: Option<Vec<f64>> = values.iter().map(|value| value.as_f64()).collect();
    let texts: Option<Vec<&str>> = values.iter().map(|value| value.as_str()).collect();
    let indices = 0..values.len();
    let ascending: Vec<usize> = match (numbers, texts) {
        (Some(numbers), _) => sorted(indices, |a, b| numbers[a].total_cmp(&numbers[b])),
        (_, Some(texts)) => sorted(indices, |a, b| texts[a].cmp(texts[b])),
        (None, None) => return None,
    };
    let index = if largest {
        ascending.last()
    } else {
        ascending.first()
    };
    index.map(|i| values[*i].clone())
}

fn sorted(
    indices: std::ops::Range<usize>,
    order: impl Fn(usize, usize) -> std::cmp::Ordering,
) -> Vec<usize> {
    let mut indices: Vec<usize> = indices.collect();
    indices.sort_by(|a, b| order(*a, *b));
    indices
}
