//! The law that a merge of documents loses nothing, as a function over any merge, and wrong merges
//! that break it.

use hubshift_domain::json_merge::JsonPath;
use hubshift_domain::metadata::{
    Branch, DocumentClash, Dominance, MergedDocument, NamespacePolicy, VersionVector,
    merge_branches,
};
use serde_json::Value;

/// The branches of one document, and what they have in common.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) base: Option<Branch>,
    pub(crate) branches: Vec<Branch>,
    pub(crate) policy: NamespacePolicy,
}

/// A merge of one document.
pub(crate) type Merge = fn(&Case) -> MergedDocument;

pub(crate) fn right(case: &Case) -> MergedDocument {
    merge_branches(case.base.as_ref(), &case.branches, case.policy, None)
}

/// What no other branch has seen is in the merge, stands beside others, is parked or is reported.
/// Policies that lose values on purpose are let off the values.
pub(crate) fn nothing_is_lost(merge: Merge, case: &Case) -> Result<(), String> {
    let merged = merge(case);
    let current = case.branches.iter().map(|branch| branch.incarnation).max();
    let (alive, dead): (Vec<&Branch>, Vec<&Branch>) = case
        .branches
        .iter()
        .partition(|branch| Some(branch.incarnation) == current);
    let lost = |branch: &Branch| format!("{branch:#?}\nis lost in {merged:#?}");
    if let Some(forgotten) = dead.into_iter().find(|dead| !merged.parked.contains(dead)) {
        return Err(lost(forgotten));
    }
    let heads = heads(&alive);
    let base = case.base.as_ref();
    let base = base.filter(|base| Some(base.incarnation) == current);
    let known = Known {
        base: base.and_then(Branch::live_value),
        heads: &heads,
        merged: &merged,
        policy: case.policy,
    };
    match heads.iter().find(|head| !known.keeps(head)) {
        Some(head) => Err(lost(head)),
        None => Ok(()),
    }
}

fn heads<'a>(alive: &[&'a Branch]) -> Vec<&'a Branch> {
    let is_seen = |branch: &Branch| {
        let mut others = alive.iter();
        others.any(|other| other.version.compare(&branch.version) == Dominance::Dominates)
    };
    let heads = alive.iter().copied();
    heads.filter(|branch| !is_seen(branch)).collect()
}

/// What a head is looked for in.
struct Known<'a> {
    base: Option<&'a Value>,
    heads: &'a [&'a Branch],
    merged: &'a MergedDocument,
    policy: NamespacePolicy,
}

impl Known<'_> {
    fn keeps(&self, head: &Branch) -> bool {
        let stands = self.merged.branches.contains(head);
        match self.policy {
            _ if self.heads.len() < 2 => stands,
            NamespacePolicy::Siblings | NamespacePolicy::Manual => stands,
            NamespacePolicy::Lww | NamespacePolicy::Max | NamespacePolicy::Min => true,
            NamespacePolicy::JsonLeaf | NamespacePolicy::SetUnion | NamespacePolicy::Counter => {
                self.keeps_value(head.live_value())
            }
        }
    }

    fn keeps_value(&self, mine: Option<&Value>) -> bool {
        let Some(shown) = self.merged.shown().map(Branch::live_value) else {
            return false;
        };
        if shown == mine || self.is_dropped(&[], mine) {
            return true;
        }
        let (Some(mine), Some(shown)) = (mine, shown) else {
            return false;
        };
        match self.policy {
            NamespacePolicy::SetUnion => self.keeps_elements(mine, shown),
            NamespacePolicy::Counter => self.adds_up(shown),
            _ => self.keeps_leaves(mine, shown),
        }
    }

    /// Whether a clash reports this value at this path, or in a value around it.
    fn is_dropped(&self, path: &[String], mine: Option<&Value>) -> bool {
        let reports = |clash: &DocumentClash| {
            let around = JsonPath::parse(&clash.path);
            let Some(rest) = path.strip_prefix(around.names()) else {
                return false;
            };
            let mut dropped = clash.dropped.iter();
            dropped.any(|dropped| at(dropped.value.as_ref(), rest) == mine)
        };
        self.merged.clashes.iter().any(reports)
    }

    /// Every leaf that was changed or removed. Empty objects say nothing.
    fn keeps_leaves(&self, mine: &Value, shown: &Value) -> bool {
        let mut paths = vec![];
        leaves(mine, &mut vec![], &mut paths);
        if let Some(base) = self.base {
            leaves(base, &mut vec![], &mut paths);
        }
        paths.iter().all(|path| {
            let leaf = at(Some(mine), path);
            leaf.is_some_and(Value::is_object)
                || leaf == at(self.base, path)
                || leaf == at(Some(shown), path)
                || self.is_dropped(path, leaf)
        })
    }

    /// Every element that was added is there, and none that was removed.
    fn keeps_elements(&self, mine: &Value, shown: &Value) -> bool {
        let elements = |value: &Value| value.as_array().cloned();
        let (Some(mine), Some(shown)) = (elements(mine), elements(shown)) else {
            return false;
        };
        let base = self.base.and_then(elements).unwrap_or_default();
        let mut added = mine.iter().filter(|element| !base.contains(element));
        let mut removed = base.iter().filter(|element| !mine.contains(element));
        added.all(|element| shown.contains(element))
            && !removed.any(|element| shown.contains(element))
    }

    /// The base and what each head added to it.
    fn adds_up(&self, shown: &Value) -> bool {
        let values = || self.heads.iter().filter_map(|head| head.live_value());
        let base = self.base.filter(|base| base.is_number());
        let whole = |value: &Value| {
            value
                .as_i64()
                .map(i128::from)
                .or(value.as_u64().map(i128::from))
        };
        let start = base.map_or(Some(0), whole);
        if let (Some(start), Some(values)) =
            (start, values().map(whole).collect::<Option<Vec<_>>>())
        {
            let added: i128 = values.iter().map(|value| value - start).sum();
            return whole(shown) == Some(start + added);
        }
        let start = base.and_then(Value::as_f64).unwrap_or(0.0);
        let added: f64 = values()
            .filter_map(Value::as_f64)
            .map(|value| value - start)
            .sum();
        let difference = shown.as_f64().map(|shown| (start + added - shown).abs());
        difference.is_some_and(|difference| difference <= 1e-9 * added.abs().max(1.0))
    }
}

fn leaves(value: &Value, path: &mut Vec<String>, paths: &mut Vec<Vec<String>>) {
    let Value::Object(members) = value else {
        return paths.push(path.clone());
    };
    for (name, member) in members {
        path.push(name.clone());
        leaves(member, path, paths);
        path.pop();
    }
}

fn at<'a>(value: Option<&'a Value>, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(value?, |value, name| value.get(name))
}

/// A wrong merge.
pub(crate) struct Mutant {
    pub(crate) name: &'static str,
    pub(crate) merge: Merge,
}

pub(crate) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "what lost is not reported",
        merge: report_nothing,
    },
    Mutant {
        name: "the latest branch wins whole",
        merge: latest_wins,
    },
    Mutant {
        name: "the latest branch has seen all others",
        merge: latest_has_seen_all,
    },
    Mutant {
        name: "only the branch that is shown is kept",
        merge: keep_the_shown_one,
    },
    Mutant {
        name: "branches of another life are forgotten",
        merge: park_nothing,
    },
];

fn report_nothing(case: &Case) -> MergedDocument {
    MergedDocument {
        clashes: vec![],
        ..right(case)
    }
}

fn latest_wins(case: &Case) -> MergedDocument {
    report_nothing(&Case {
        policy: NamespacePolicy::Lww,
        ..case.clone()
    })
}

fn latest_has_seen_all(case: &Case) -> MergedDocument {
    let all = case.branches.iter().map(|branch| &branch.version);
    let version = all.fold(VersionVector::new(), |all, one| all.join(one));
    let mut case = case.clone();
    if let Some(latest) = case.branches.iter_mut().max_by_key(|one| one.stamp.clone()) {
        latest.version = version;
    }
    right(&case)
}

fn keep_the_shown_one(case: &Case) -> MergedDocument {
    let mut merged = right(case);
    merged.branches.truncate(1);
    merged
}

fn park_nothing(case: &Case) -> MergedDocument {
    MergedDocument {
        parked: vec![],
        ..right(case)
    }
}
