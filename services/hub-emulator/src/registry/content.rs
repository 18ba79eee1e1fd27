//! What a configuration sets: which contents a hub takes, and what one makes of a device's modules.
//!
//! Names are paths: `properties.desired` is all of the desired properties, and
//! `properties.desired.routes.up` one property inside them, as layered deployments use it.

use hubshift_azure::{ConfigurationContent, ErrorCode};
use serde_json::{Map, Value};
use time::OffsetDateTime;

use super::module::{EDGE, SYSTEM_MODULES};
use super::modules::check_count;
use super::{ModuleBody, ModuleRecord, Record, Registry, TwinChange};
use crate::answer::Refusal;

const DESIRED: &str = "properties.desired";

/// Checks that there is one content and that it sets desired properties and nothing else.
pub(super) fn check(content: &ConfigurationContent) -> Result<(), Refusal> {
    let ConfigurationContent {
        device_content,
        modules_content,
        module_content,
    } = content;
    match (device_content, modules_content, module_content) {
        (Some(paths), None, None) | (None, None, Some(paths)) => desired(paths).map(|_| ()),
        (None, Some(modules), None) => desired_of_modules(modules).map(|_| ()),
        _ => Err(invalid(
            "content has one of deviceContent, modulesContent and moduleContent",
        )),
    }
}

impl Registry {
    /// Sets the desired properties of an Edge device's modules, as one change. Modules that are
    /// named and not there are made, as the real hub makes those of a manifest; none is removed.
    pub(crate) fn apply_content(
        &mut self,
        id: &str,
        content: &ConfigurationContent,
    ) -> Result<(), Refusal> {
        let mut record: Record = self.get(id)?.clone();
        if !record.iot_edge {
            let words = "content is applied to Edge devices only";
            return Err(Refusal::new(ErrorCode::ArgumentInvalid, words));
        }
        check(content)?;
        let modules = content
            .modules_content
            .as_ref()
            .ok_or_else(|| invalid("modulesContent is missing"))?;
        for (module_id, desired) in desired_of_modules(modules)? {
            let module = match record.modules.get(module_id) {
                Some(module) => module.clone(),
                None => self.created_module((id, module_id), edge_body(), TwinChange::default())?,
            };
            let module = with_desired(module, desired)?;
            record.modules.insert(module_id.to_owned(), module);
        }
        check_count(record.modules.len())?;
        self.commit(record)
    }
}

fn edge_body() -> ModuleBody {
    ModuleBody {
        managed_by: Some(EDGE.to_owned()),
        ..ModuleBody::default()
    }
}

fn with_desired(
    module: ModuleRecord,
    desired: Map<String, Value>,
) -> Result<ModuleRecord, Refusal> {
    let change = TwinChange {
        tags: Some(module.twin.tags.clone()),
        desired: Some(desired),
        reported: None,
    };
    let twin = module.twin.replaced(change, OffsetDateTime::now_utc())?;
    Ok(ModuleRecord { twin, ..module })
}

/// A module's id and the desired properties that it is to have.
type Wanted<'a> = (&'a str, Map<String, Value>);

/// The desired properties of each module that is named. The Edge agent must be.
fn desired_of_modules(modules: &Map<String, Value>) -> Result<Vec<Wanted<'_>>, Refusal> {
    let [agent, _] = SYSTEM_MODULES;
    if !modules.contains_key(agent) {
        return Err(invalid("modulesContent has no $edgeAgent"));
    }
    modules
        .iter()
        .map(|(module_id, paths)| match paths {
            Value::Object(paths) => Ok((module_id.as_str(), desired(paths)?)),
            _ => Err(invalid("modulesContent has a module that is no object")),
        })
        .collect()
}

/// The desired properties that paths stand for.
fn desired(paths: &Map<String, Value>) -> Result<Map<String, Value>, Refusal> {
    let mut desired = Map::new();
    for (path, value) in paths {
        let below = path
            .strip_prefix(DESIRED)
            .ok_or_else(|| invalid("content sets something other than properties.desired"))?;
        let is_set = match (below.strip_prefix('.'), value) {
            (Some(path), value) => {
                let names: Vec<&str> = path.split('.').collect();
                set(&mut desired, &names, value)
            }
            (None, Value::Object(all)) if below.is_empty() => {
                desired.extend(all.clone());
                true
            }
            (None, _) => false,
        };
        if !is_set {
            return Err(invalid("content has a path that cannot be set"));
        }
    }
    Ok(desired)
}

/// Sets one property inside others. Not if one on the way is no object.
fn set(target: &mut Map<String, Value>, names: &[&str], value: &Value) -> bool {
    match names {
        [] => false,
        [name] => {
            target.insert((*name).to_owned(), value.clone());
            true
        }
        [name, rest @ ..] => {
            let inner = target
                .entry(*name)
                .or_insert_with(|| Value::Object(Map::new()));
            inner
                .as_object_mut()
                .is_some_and(|inner| set(inner, rest, value))
        }
    }
}

fn invalid(words: &str) -> Refusal {
    Refusal::new(ErrorCode::InvalidConfigurationContent, words)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn content(json: Value) -> ConfigurationContent {
        ConfigurationContent::from_value(json).unwrap()
    }

    fn paths(json: Value) -> Option<Value> {
        desired(json.as_object().unwrap()).ok().map(Value::Object)
    }

    #[test]
    fn there_is_one_content_and_it_is_desired() {
        let agent = json!({"$edgeAgent": {"properties.desired": {"a": 1}}});
        let good = [
            json!({"deviceContent": {"properties.desired.a": 1}}),
            json!({"moduleContent": {"properties.desired": {"a": 1}}}),
            json!({"modulesContent": agent}),
            json!({"modulesContent": {"$edgeAgent": {}}}),
        ];
        for json in good {
            assert!(check(&content(json.clone())).is_ok(), "{json}");
        }
        let bad = [
            json!({}),
            json!({"deviceContent": {}, "modulesContent": agent}),
            json!({"deviceContent": {"tags.a": 1}}),
            json!({"deviceContent": {"properties.desiredA": 1}}),
            json!({"deviceContent": {"properties.desired": 1}}),
            json!({"modulesContent": {"$edgeHub": {}}}),
            json!({"modulesContent": {"$edgeAgent": 1}}),
        ];
        for json in bad {
            let refusal = check(&content(json.clone())).unwrap_err();
            assert_eq!(
                refusal.code,
                ErrorCode::InvalidConfigurationContent,
                "{json}"
            );
        }
    }

    #[test]
    fn paths_lead_into_the_properties() {
        let found = paths(json!({
            "properties.desired": {"routes": {"a": 1}},
            "properties.desired.routes.b": 2,
            "properties.desired.new.deep": [3],
        }));
        let expected = json!({"routes": {"a": 1, "b": 2}, "new": {"deep": [3]}});
        assert_eq!(found, Some(expected));
        let through_a_number = json!({"properties.desired": {"a": 1}, "properties.desired.a.b": 2});
        assert_eq!(paths(through_a_number), None);
    }
}
