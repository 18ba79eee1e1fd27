//! Documents with their branches, and namespaces.

use hubshift_api::pb::merge as pb;
use serde::Serialize;
use serde_json::Value;

use super::{json_value, last_segment, time_text, value_name, yes};
use crate::output::{Block, Row, View, table};

/// A document.
#[derive(Debug, Serialize)]
pub(crate) struct DocumentView {
    name: String,
    value: Option<Value>,
    device: String,
    is_deleted: bool,
    version: String,
    has_conflicts: bool,
    branches: Vec<BranchView>,
    update_time: Option<String>,
}

/// One branch.
#[derive(Debug, Serialize)]
struct BranchView {
    value: Option<Value>,
    is_deleted: bool,
    version: String,
    origin_hub: String,
    epoch: u64,
}

impl From<pb::Branch> for BranchView {
    fn from(branch: pb::Branch) -> Self {
        Self {
            value: json_value(branch.value.as_ref()),
            is_deleted: branch.is_deleted,
            version: branch.version,
            origin_hub: branch.origin_hub,
            epoch: branch.epoch,
        }
    }
}

impl From<pb::Document> for DocumentView {
    fn from(document: pb::Document) -> Self {
        Self {
            value: json_value(document.value.as_ref()),
            update_time: time_text(document.update_time.as_ref()),
            branches: document
                .branches
                .into_iter()
                .map(BranchView::from)
                .collect(),
            name: document.name,
            device: document.device,
            is_deleted: document.is_deleted,
            version: document.version,
            has_conflicts: document.has_conflicts,
        }
    }
}

fn text(value: Option<&Value>, is_deleted: bool) -> String {
    match value {
        _ if is_deleted => "(deleted)".to_owned(),
        Some(value) => value.to_string(),
        None => String::new(),
    }
}

impl DocumentView {
    /// Namespace and key, from `fleets/{fleet}/namespaces/{namespace}/documents/{key}`.
    fn place(&self) -> (&str, &str) {
        let (parent, key) = self
            .name
            .split_once("/documents/")
            .unwrap_or(("", &self.name));
        (last_segment(parent), key)
    }
}

impl View for DocumentView {
    fn human(&self) -> String {
        let (namespace, key) = self.place();
        let block = Block::new()
            .line("namespace", namespace)
            .line("key", key)
            .line("value", text(self.value.as_ref(), self.is_deleted))
            .line("device", &self.device)
            .line("version", &self.version)
            .line("conflicts", yes(self.has_conflicts))
            .maybe("changed", self.update_time.as_ref());
        if self.branches.is_empty() {
            return block.text();
        }
        let rows = self.branches.iter().map(|branch| {
            vec![
                branch.origin_hub.clone(),
                branch.epoch.to_string(),
                branch.version.clone(),
                text(branch.value.as_ref(), branch.is_deleted),
            ]
        });
        format!(
            "{}\n\n{}",
            block.text(),
            table(&["branch of", "epoch", "version", "value"], rows)
        )
    }
}

impl Row for DocumentView {
    const LIST: &'static str = "documents";
    const HEADER: &'static [&'static str] = &[
        "namespace",
        "key",
        "device",
        "version",
        "conflicts",
        "value",
    ];

    fn cells(&self) -> Vec<String> {
        let (namespace, key) = self.place();
        vec![
            namespace.to_owned(),
            key.to_owned(),
            self.device.clone(),
            self.version.clone(),
            yes(self.has_conflicts).to_owned(),
            text(self.value.as_ref(), self.is_deleted),
        ]
    }
}

/// What became of a write.
#[derive(Debug, Serialize)]
pub(crate) struct PutView {
    document: Option<DocumentView>,
    is_branch: bool,
}

impl From<pb::PutDocumentResponse> for PutView {
    fn from(put: pb::PutDocumentResponse) -> Self {
        Self {
            document: put.document.map(DocumentView::from),
            is_branch: put.is_branch,
        }
    }
}

impl View for PutView {
    fn human(&self) -> String {
        let document = self.document.as_ref().map(View::human).unwrap_or_default();
        if self.is_branch {
            return format!("{document}\n\nkept as a branch: the next merge brings it in");
        }
        document
    }
}

/// A namespace's settings.
#[derive(Debug, Serialize)]
pub(crate) struct NamespaceView {
    name: String,
    policy: String,
}

impl From<pb::Namespace> for NamespaceView {
    fn from(namespace: pb::Namespace) -> Self {
        let policy = value_name(namespace.policy().as_str_name(), "NAMESPACE_POLICY_");
        Self {
            policy,
            name: namespace.name,
        }
    }
}

impl View for NamespaceView {
    fn human(&self) -> String {
        format!(
            "{}: branches meet by {}",
            last_segment(&self.name),
            self.policy
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_keeps_its_slashes() {
        let name = "fleets/acme/namespaces/sites/documents/oslo/roof".to_owned();
        let view = DocumentView::from(pb::Document {
            name,
            ..Default::default()
        });
        assert_eq!(view.place(), ("sites", "oslo/roof"));
    }

    #[test]
    fn a_write_that_became_a_branch_says_so() {
        let put = pb::PutDocumentResponse {
            document: None,
            is_branch: true,
        };
        assert!(PutView::from(put).human().contains("the next merge"));
    }
}
