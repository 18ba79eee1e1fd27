//! Conflicts: a key, or a part of one, that both sides changed.

use hubshift_api::pb::merge as pb;
use serde::Serialize;
use serde_json::Value;

use crate::output::views::{json_value, last_segment, time_text, value_name};
use crate::output::{Block, Row, View};

/// A conflict. Values that are secret come as fingerprints.
#[derive(Debug, Serialize)]
pub(crate) struct ConflictView {
    name: String,
    merge: String,
    key: String,
    kind: String,
    path: String,
    base: Option<Value>,
    primary: Option<Value>,
    secondary: Option<Value>,
    chosen: String,
    policy: String,
    state: String,
    resolver: String,
    create_time: Option<String>,
    resolve_time: Option<String>,
}

impl From<pb::Conflict> for ConflictView {
    fn from(conflict: pb::Conflict) -> Self {
        let (chosen, state) = (conflict.chosen(), conflict.state());
        Self {
            chosen: value_name(chosen.as_str_name(), "CHOICE_"),
            state: value_name(state.as_str_name(), "CONFLICT_STATE_"),
            base: json_value(conflict.base.as_ref()),
            primary: json_value(conflict.primary.as_ref()),
            secondary: json_value(conflict.secondary.as_ref()),
            create_time: time_text(conflict.create_time.as_ref()),
            resolve_time: time_text(conflict.resolve_time.as_ref()),
            name: conflict.name,
            merge: conflict.merge,
            key: conflict.key,
            kind: conflict.kind,
            path: conflict.path,
            policy: conflict.policy,
            resolver: conflict.resolver,
        }
    }
}

/// A value as text; what is not there is a dash.
fn text(value: Option<&Value>) -> String {
    value.map_or_else(|| "-".to_owned(), Value::to_string)
}

impl View for ConflictView {
    fn human(&self) -> String {
        Block::new()
            .line("conflict", last_segment(&self.name))
            .line("key", &self.key)
            .line("kind", &self.kind)
            .line("path", &self.path)
            .line("before", text(self.base.as_ref()))
            .line("primary", text(self.primary.as_ref()))
            .line("secondary", text(self.secondary.as_ref()))
            .line("taken", &self.chosen)
            .line("policy", &self.policy)
            .line("state", &self.state)
            .line("resolved by", &self.resolver)
            .text()
    }
}

impl Row for ConflictView {
    const LIST: &'static str = "conflicts";
    const HEADER: &'static [&'static str] = &[
        "conflict",
        "key",
        "path",
        "kind",
        "primary",
        "secondary",
        "taken",
        "state",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            last_segment(&self.name).to_owned(),
            self.key.clone(),
            self.path.clone(),
            self.kind.clone(),
            text(self.primary.as_ref()),
            text(self.secondary.as_ref()),
            self.chosen.clone(),
            self.state.clone(),
        ]
    }
}
