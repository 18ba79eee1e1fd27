//! Merge of JSON by leaf path, for any number of sides that changed a common base.
//!
//! Per path: what only one side changed is taken, what all changed alike is taken, objects are
//! merged member by member, and anything else is a clash that the caller decides. Arrays and
//! changes of type are atomic. Every value of the result stands in the base or in a side, and no
//! rule looks at the order of the sides, so the result is as symmetric as the caller's decisions.

mod path;
mod value;

use std::collections::BTreeSet;

use serde_json::{Map, Value};

pub use path::{JsonPath, set_member};
pub use value::{exact_rank, rank, same_map, same_member, same_value, without_nulls};

/// A path at which sides changed the base to different values.
#[derive(Debug)]
pub struct Clash<'a> {
    /// Where.
    pub path: &'a JsonPath,
    /// What the base has there.
    pub base: Option<&'a Value>,
    /// What each side has there, in the order of the sides.
    pub values: &'a [Option<&'a Value>],
    /// Which sides differ from the base: the only ones that may be chosen.
    pub changed: &'a [usize],
}

/// Decides what the three-way rule leaves open. Must not depend on the order of the sides.
pub trait Decide {
    /// Whether a null member is the same as an absent one, as it is to a hub. The result then
    /// has none.
    const NULLS_ARE_ABSENT: bool = true;

    /// The side whose value is taken at `path` whatever the rule says: an operator's resolution.
    /// Asked only where sides differ.
    fn forced(&mut self, _clash: &Clash<'_>) -> Option<usize> {
        None
    }

    /// The side whose value is taken where the rule can't tell: one of `clash.changed`.
    fn choose(&mut self, clash: &Clash<'_>) -> usize;
}

/// Merges what `sides` made of `base` at `path`; `None` stands for an absent value.
pub fn merge_leaves<D: Decide>(
    path: &mut JsonPath,
    base: Option<&Value>,
    sides: &[Option<&Value>],
    decide: &mut D,
) -> Option<Value> {
    let base = seen::<D>(base);
    let sides: Vec<_> = sides.iter().map(|side| seen::<D>(*side)).collect();
    let first = sides.first().copied().flatten();
    if sides.iter().all(|side| same::<D>(*side, first)) {
        return taken::<D>(&sides, 0);
    }
    let differs = |side: &Option<&Value>| !same::<D>(*side, base);
    let changed: Vec<usize> = (0..sides.len()).filter(|i| differs(&sides[*i])).collect();
    let clash = Clash {
        path,
        base,
        values: &sides,
        changed: &changed,
    };
    if let Some(index) = decide.forced(&clash) {
        return taken::<D>(&sides, index);
    }
    let lead = changed.first().copied().unwrap_or(0);
    if changed.iter().all(|i| same::<D>(sides[*i], sides[lead])) {
        return taken::<D>(&sides, lead);
    }
    if changed.iter().all(|i| is_object(sides[*i])) {
        return Some(Value::Object(merge_members(path, base, &sides, decide)));
    }
    let index = decide.choose(&clash);
    taken::<D>(&sides, index)
}

fn merge_members<D: Decide>(
    path: &mut JsonPath,
    base: Option<&Value>,
    sides: &[Option<&Value>],
    decide: &mut D,
) -> Map<String, Value> {
    let base = base.and_then(Value::as_object);
    let maps: Vec<_> = sides
        .iter()
        .map(|side| side.and_then(Value::as_object))
        .collect();
    let names: BTreeSet<&String> = maps.iter().flatten().flat_map(|map| map.keys()).collect();
    let mut merged = Map::new();
    for name in names {
        let values: Vec<_> = maps
            .iter()
            .map(|map| map.and_then(|map| map.get(name)))
            .collect();
        path.push(name);
        let value = merge_leaves(path, base.and_then(|map| map.get(name)), &values, decide);
        path.pop();
        if let Some(value) = value {
            merged.insert(name.clone(), value);
        }
    }
    merged
}

fn seen<D: Decide>(value: Option<&Value>) -> Option<&Value> {
    match D::NULLS_ARE_ABSENT {
        true => value::present(value),
        false => value,
    }
}

fn same<D: Decide>(a: Option<&Value>, b: Option<&Value>) -> bool {
    match D::NULLS_ARE_ABSENT {
        true => same_member(a, b),
        false => value::same_exactly(a, b),
    }
}

fn taken<D: Decide>(sides: &[Option<&Value>], index: usize) -> Option<Value> {
    let value = sides.get(index).copied().flatten()?;
    Some(match D::NULLS_ARE_ABSENT {
        true => value::stripped(value),
        false => value.clone(),
    })
}

fn is_object(value: Option<&Value>) -> bool {
    value.is_some_and(Value::is_object)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Chooses the highest rank and remembers where.
    #[derive(Default)]
    struct Highest(Vec<String>);

    impl Decide for Highest {
        fn choose(&mut self, clash: &Clash<'_>) -> usize {
            self.0.push(clash.path.to_string());
            let ranked = clash.changed.iter().map(|i| (rank(clash.values[*i]), *i));
            ranked.max().map_or(0, |(_, i)| i)
        }
    }

    fn merged(base: &Value, sides: &[&Value]) -> (Value, Vec<String>) {
        let mut decide = Highest::default();
        let sides: Vec<_> = sides.iter().map(|side| Some(*side)).collect();
        let value = merge_leaves(&mut JsonPath::root(), Some(base), &sides, &mut decide);
        (value.unwrap_or(Value::Null), decide.0)
    }

    #[test]
    fn changes_of_different_leaves_meet_without_a_clash() {
        let base = json!({"a": 1, "b": {"c": 1, "d": 1}, "e": [1]});
        let p = json!({"a": 2, "b": {"c": 1}, "e": [1]});
        let s = json!({"a": 1, "b": {"c": 5, "d": 1}, "e": [1, 2], "new": null});
        let expected = json!({"a": 2, "b": {"c": 5}, "e": [1, 2]});
        assert_eq!(merged(&base, &[&p, &s]), (expected.clone(), vec![]));
        assert_eq!(merged(&base, &[&s, &p, &base]), (expected, vec![]));
    }

    #[test]
    fn arrays_and_changes_of_type_are_atomic() {
        let base = json!({"a": [1], "b": {"c": 1}});
        let p = json!({"a": [1, 2], "b": 7});
        let s = json!({"a": [3], "b": {"c": 2}});
        let (value, clashes) = merged(&base, &[&p, &s]);
        assert_eq!(clashes, ["a", "b"]);
        assert!(value["a"] == p["a"] || value["a"] == s["a"]);
        assert!(value["b"] == p["b"] || value["b"] == s["b"]);
    }

    #[test]
    fn a_type_that_all_sides_changed_to_an_object_is_merged_by_member() {
        let (value, clashes) = merged(&json!(5), &[&json!({"x": 1}), &json!({"y": 2})]);
        assert_eq!((value, clashes.len()), (json!({"x": 1, "y": 2}), 0));
    }
}
