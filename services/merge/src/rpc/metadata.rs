//! `MetadataService` on the wire.

use hubshift_api::json::{from_value, to_value};
use hubshift_api::pb::merge as pb;
use hubshift_api::pb::merge::metadata_service_server::MetadataService;
use hubshift_api::validate::Checks;
use hubshift_api::{fault, times};
use hubshift_domain::epoch::Epoch;
use hubshift_domain::id::{self, FleetId};
use hubshift_domain::metadata::{Branch, NamespacePolicy};
use hubshift_shell::caller::Caller;
use hubshift_store::idem::Request as Replayed;
use hubshift_store::{StoreError, commit, page};
use sqlx::PgPool;
use tonic::{Code, Request, Response, Status};

use crate::app::documents::{self, DocumentError, PutDocument, parse_version, version_text};
use crate::store::document::{self, DocumentKey, StoredDocument};

/// At most this many bytes of JSON in a document.
const MAX_VALUE: usize = 64 * 1024;
const NAME: &str = "fleets/{fleet}/namespaces/{namespace}/documents/{key}";

/// The service over its database.
#[derive(Debug, Clone)]
pub(crate) struct MetadataRpc {
    pub(crate) pool: PgPool,
}

impl From<DocumentError> for Status {
    fn from(error: DocumentError) -> Self {
        let text = error.to_string();
        match error {
            DocumentError::NoFleet(_) => fault::status(Code::NotFound, "FLEET_NOT_FOUND", text),
            DocumentError::VersionMismatch(_) => {
                fault::status(Code::Aborted, "VERSION_MISMATCH", text)
            }
            DocumentError::EpochAhead { .. } => {
                fault::status(Code::FailedPrecondition, "EPOCH_AHEAD", text)
            }
            DocumentError::Store(store) => store.into(),
        }
    }
}

#[tonic::async_trait]
impl MetadataService for MetadataRpc {
    async fn get_document(
        &self,
        request: Request<pb::GetDocumentRequest>,
    ) -> Result<Response<pb::Document>, Status> {
        let mut checks = Checks::new();
        let at = document_key(&mut checks, "name", &request.get_ref().name);
        let at = checks.require(at)?;
        let mut tx = self.pool.begin().await.map_err(StoreError::from)?;
        let stored = document::lock(&mut tx, &at).await?;
        let Some(stored) = stored else {
            let text = format!("document {}/{} does not exist", at.namespace, at.key);
            return Err(fault::status(Code::NotFound, "DOCUMENT_NOT_FOUND", text));
        };
        Ok(Response::new(view(&at, &stored)))
    }

    async fn list_documents(
        &self,
        request: Request<pb::ListDocumentsRequest>,
    ) -> Result<Response<pb::ListDocumentsResponse>, Status> {
        let request = request.into_inner();
        let mut checks = Checks::new();
        let pattern = "fleets/{fleet}/namespaces/{namespace}";
        let parsed = id::parse_child(&request.parent, "namespaces", pattern);
        let parent = checks.take("parent", parsed);
        let size = checks.page_size(request.page_size);
        let list = format!("documents/{}", request.parent);
        let after = page::parse::<(String, String)>(&list, &request.page_token)
            .map_err(|error| checks.violation("page_token", error.to_string()))
            .ok()
            .flatten();
        let (fleet, namespace) = checks.require(parent)?;
        let namespace = (namespace != "-").then_some(namespace);
        let mut connection = self.pool.acquire().await.map_err(StoreError::from)?;
        let mut rows = document::page(&mut connection, &fleet, namespace, after, size + 1).await?;
        let more = rows.len() as i64 > size;
        rows.truncate(usize::try_from(size).unwrap_or(50));
        let next = rows.last().filter(|_| more);
        let next_page_token = next
            .map(|(at, _)| page::token(&list, &(&at.namespace, &at.key)))
            .unwrap_or_default();
        let documents = rows.iter().map(|(at, stored)| view(at, stored)).collect();
        Ok(Response::new(pb::ListDocumentsResponse {
            documents,
            next_page_token,
        }))
    }

    async fn put_document(
        &self,
        request: Request<pb::PutDocumentRequest>,
    ) -> Result<Response<pb::PutDocumentResponse>, Status> {
        let caller = Caller::of(&request).name;
        let request = request.into_inner();
        let (put, request_id) = wanted(&request)?;
        let replayed = Replayed::new(&caller, "PutDocument", request_id, &request);
        let mut tx = self.pool.begin().await.map_err(StoreError::from)?;
        if let Some(answer) = replayed.replay(&mut tx).await? {
            return Ok(Response::new(answer));
        }
        let at = put.at.clone();
        let (stored, is_branch) = documents::put(&mut tx, put).await?;
        let answer = pb::PutDocumentResponse {
            document: Some(view(&at, &stored)),
            is_branch,
        };
        if !replayed.record(&mut tx, &answer).await? {
            return Err(concurrent());
        }
        commit(tx).await?;
        Ok(Response::new(answer))
    }

    async fn update_namespace(
        &self,
        request: Request<pb::UpdateNamespaceRequest>,
    ) -> Result<Response<pb::Namespace>, Status> {
        let caller = Caller::of(&request).name;
        let request = request.into_inner();
        let namespace = request.namespace.clone().unwrap_or_default();
        let mut checks = Checks::new();
        let pattern = "fleets/{fleet}/namespaces/{namespace}";
        let parsed = id::parse_child(&namespace.name, "namespaces", pattern);
        let parent = checks.take("namespace.name", parsed);
        let request_id = checks.request_id(&request.request_id);
        let policy = from_policy(namespace.policy());
        let ((fleet, id), request_id) = checks.require(parent.zip(request_id))?;
        let replayed = Replayed::new(&caller, "UpdateNamespace", request_id, &request);
        let mut tx = self.pool.begin().await.map_err(StoreError::from)?;
        if let Some(answer) = replayed.replay(&mut tx).await? {
            return Ok(Response::new(answer));
        }
        document::set_policy(&mut tx, &fleet, id, policy).await?;
        if !replayed.record(&mut tx, &namespace).await? {
            return Err(concurrent());
        }
        commit(tx).await?;
        Ok(Response::new(namespace))
    }
}

/// An equal request is being done at this moment: its answer can be had by repeating.
fn concurrent() -> Status {
    let wait = std::time::Duration::from_millis(100);
    let text = "an equal request is being done; repeat with the same request_id";
    fault::retry(Code::Unavailable, "REQUEST_IN_PROGRESS", text, wait)
}

fn document_key(checks: &mut Checks, field: &str, name: &str) -> Option<DocumentKey> {
    let parsed = parse_name(name);
    if parsed.is_none() {
        checks.violation(field, format!("`{name}` is not of the form `{NAME}`"));
    }
    parsed
}

fn parse_name(name: &str) -> Option<DocumentKey> {
    let rest = name.strip_prefix("fleets/")?;
    let (fleet, rest) = rest.split_once("/namespaces/")?;
    let (namespace, key) = rest.split_once("/documents/")?;
    let legal = |text: &str| !text.is_empty() && text.len() <= 256 && !text.contains('/');
    let fleet = FleetId::new(fleet).ok()?;
    (legal(namespace) && legal(key)).then(|| DocumentKey {
        fleet,
        namespace: namespace.to_owned(),
        key: key.to_owned(),
    })
}

fn wanted(request: &pb::PutDocumentRequest) -> Result<(PutDocument, uuid::Uuid), Status> {
    let document = request.document.clone().unwrap_or_default();
    let mut checks = Checks::new();
    let at = document_key(&mut checks, "document.name", &document.name);
    let origin = checks.hub("origin_hub", &request.origin_hub);
    let request_id = checks.request_id(&request.request_id);
    if request.epoch == 0 {
        checks.violation("epoch", "is required: the epoch that the back end lives by");
    }
    let expected = parse_version(&request.expected_version);
    if expected.is_none() {
        checks.violation("expected_version", "is not a version that was read");
    }
    let value = document.value.as_ref().map(from_value).unwrap_or_default();
    if value.to_string().len() > MAX_VALUE {
        checks.violation("document.value", "is larger than 64 KB");
    }
    let all = at.zip(origin).zip(request_id).zip(expected);
    let (((at, origin), request_id), expected) = checks.require(all)?;
    let put = PutDocument {
        at,
        value: (!document.is_deleted).then_some(value),
        device: document.device,
        origin,
        epoch: Epoch(request.epoch),
        expected,
    };
    Ok((put, request_id))
}

fn view(at: &DocumentKey, stored: &StoredDocument) -> pb::Document {
    let name = format!(
        "fleets/{}/namespaces/{}/documents/{}",
        at.fleet, at.namespace, at.key
    );
    let branches = if stored.aside.is_empty() {
        Vec::new()
    } else {
        stored.branches()
    };
    pb::Document {
        name,
        value: stored.main.live_value().map(to_value),
        device: stored.device.clone(),
        is_deleted: stored.main.deleted,
        version: version_text(&stored.main.version),
        has_conflicts: stored.has_conflicts,
        branches: branches.iter().map(branch_view).collect(),
        update_time: Some(times::timestamp(stored.update_time)),
    }
}

fn branch_view(branch: &Branch) -> pb::Branch {
    pb::Branch {
        value: branch.live_value().map(to_value),
        is_deleted: branch.deleted,
        version: version_text(&branch.version),
        origin_hub: branch.stamp.origin.to_string(),
        epoch: branch.stamp.epoch.0,
    }
}

fn from_policy(policy: pb::NamespacePolicy) -> NamespacePolicy {
    match policy {
        pb::NamespacePolicy::Unspecified | pb::NamespacePolicy::JsonLeaf => {
            NamespacePolicy::JsonLeaf
        }
        pb::NamespacePolicy::Lww => NamespacePolicy::Lww,
        pb::NamespacePolicy::SetUnion => NamespacePolicy::SetUnion,
        pb::NamespacePolicy::Counter => NamespacePolicy::Counter,
        pb::NamespacePolicy::Max => NamespacePolicy::Max,
        pb::NamespacePolicy::Min => NamespacePolicy::Min,
        pb::NamespacePolicy::Siblings => NamespacePolicy::Siblings,
        pb::NamespacePolicy::Manual => NamespacePolicy::Manual,
    }
}
