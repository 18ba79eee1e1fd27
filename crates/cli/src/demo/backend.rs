//! The demo's back end: it writes devices, documents and events through Hubshift, and has a small
//! store of its own that takes part in the merge.
//!
//! It lives as docs/back-end.md says: every write has a request id that is kept until it is
//! acknowledged, and names the hub and epoch that it lives by.

use anyhow::Context as _;
use hubshift_api::json::{from_value, to_struct, to_value};
use hubshift_api::pb::concierge::fleet_service_client::FleetServiceClient;
use hubshift_api::pb::merge::inbox_service_client::InboxServiceClient;
use hubshift_api::pb::merge::metadata_service_client::MetadataServiceClient;
use hubshift_api::pb::registry::device_service_client::DeviceServiceClient;
use hubshift_api::pb::{concierge, merge, registry};
use hubshift_shell::grpc::GrpcChannel;
use serde_json::{Map, Value};
use uuid::Uuid;

use super::operator::retried;
use super::seed::object;
use crate::world::{FLEET, World};

/// The hub and epoch that a back end lives by.
#[derive(Debug, Clone)]
pub(crate) struct Footing {
    pub(crate) hub: String,
    pub(crate) epoch: u64,
}

/// The back end's clients.
#[derive(Clone)]
pub(crate) struct BackEnd {
    fleets: FleetServiceClient<GrpcChannel>,
    devices: DeviceServiceClient<GrpcChannel>,
    documents: MetadataServiceClient<GrpcChannel>,
    inbox: InboxServiceClient<GrpcChannel>,
}

fn request_id() -> String {
    Uuid::now_v7().to_string()
}

fn device_name(device: &str) -> String {
    format!("fleets/{FLEET}/devices/{device}")
}

/// What a write does to a device.
#[derive(Debug, Clone, Default)]
pub(crate) struct Edit {
    pub(crate) enabled: Option<bool>,
    pub(crate) tags: Map<String, Value>,
    pub(crate) desired: Map<String, Value>,
}

impl BackEnd {
    /// Connects to the world's services.
    pub(crate) fn of(world: &World) -> anyhow::Result<Self> {
        Ok(Self {
            fleets: FleetServiceClient::new(world.concierge()?),
            devices: DeviceServiceClient::new(world.registry()?),
            documents: MetadataServiceClient::new(world.merge()?),
            inbox: InboxServiceClient::new(world.merge()?),
        })
    }

    /// Reads where the fleet is and says that this back end acts on it.
    pub(crate) async fn take_footing(&self) -> anyhow::Result<Footing> {
        let request = concierge::GetFleetRequest {
            name: format!("fleets/{FLEET}"),
        };
        let call = || {
            let (mut client, request) = (self.fleets.clone(), request.clone());
            async move { client.get_fleet(request).await }
        };
        let fleet = retried(call).await?;
        let request = concierge::AcknowledgeEpochRequest {
            name: fleet.name,
            back_end: "demo-back-end".into(),
            epoch: fleet.epoch,
            request_id: request_id(),
        };
        let call = || {
            let (mut client, request) = (self.fleets.clone(), request.clone());
            async move { client.acknowledge_epoch(request).await }
        };
        retried(call).await?;
        Ok(Footing {
            hub: fleet.active_hub,
            epoch: fleet.epoch,
        })
    }

    /// Creates a device, sending the request twice as a nervous client would.
    pub(crate) async fn create(&self, device: &str, edit: &Edit) -> anyhow::Result<()> {
        let request = registry::CreateDeviceRequest {
            parent: format!("fleets/{FLEET}"),
            device_id: device.into(),
            device: Some(registry::Device {
                enabled: edit.enabled,
                tags: Some(to_struct(&edit.tags)),
                desired: Some(to_struct(&edit.desired)),
                ..Default::default()
            }),
            credentials: None,
            request_id: request_id(),
        };
        for _ in 0..2 {
            let call = || {
                let (mut client, request) = (self.devices.clone(), request.clone());
                async move { client.create_device(request).await }
            };
            retried(call)
                .await
                .with_context(|| format!("{device} could not be created"))?;
        }
        Ok(())
    }

    /// Changes a device: tags and desired are read, edited and written whole.
    pub(crate) async fn edit(&self, device: &str, edit: &Edit) -> anyhow::Result<()> {
        let request = registry::GetDeviceRequest {
            name: device_name(device),
        };
        let call = || {
            let (mut client, request) = (self.devices.clone(), request.clone());
            async move { client.get_device(request).await }
        };
        let seen = retried(call).await?;
        let merged = |old: &Option<prost_types::Struct>, new: &Map<String, Value>| {
            let mut all = old
                .as_ref()
                .map(hubshift_api::json::from_struct)
                .unwrap_or_default();
            all.extend(new.clone());
            (!new.is_empty()).then(|| to_struct(&all))
        };
        let request = registry::UpdateDeviceRequest {
            device: Some(registry::Device {
                name: device_name(device),
                enabled: edit.enabled,
                tags: merged(&seen.tags, &edit.tags),
                desired: merged(&seen.desired, &edit.desired),
                ..Default::default()
            }),
            credentials: None,
            etag: String::new(),
            request_id: request_id(),
        };
        let call = || {
            let (mut client, request) = (self.devices.clone(), request.clone());
            async move { client.update_device(request).await }
        };
        retried(call)
            .await
            .with_context(|| format!("{device} could not be changed"))?;
        Ok(())
    }

    /// Deletes a device.
    pub(crate) async fn delete(&self, device: &str) -> anyhow::Result<()> {
        let request = registry::DeleteDeviceRequest {
            name: device_name(device),
            request_id: request_id(),
            ..Default::default()
        };
        let call = || {
            let (mut client, request) = (self.devices.clone(), request.clone());
            async move { client.delete_device(request).await }
        };
        retried(call)
            .await
            .with_context(|| format!("{device} could not be deleted"))?;
        Ok(())
    }

    /// Sets how a namespace's branches meet.
    pub(crate) async fn namespace(
        &self,
        name: &str,
        policy: merge::NamespacePolicy,
    ) -> anyhow::Result<()> {
        let request = merge::UpdateNamespaceRequest {
            namespace: Some(merge::Namespace {
                name: format!("fleets/{FLEET}/namespaces/{name}"),
                policy: policy.into(),
            }),
            request_id: request_id(),
        };
        let call = || {
            let (mut client, request) = (self.documents.clone(), request.clone());
            async move { client.update_namespace(request).await }
        };
        retried(call).await?;
        Ok(())
    }

    /// Writes a document from a footing; `true` when it was kept as a branch for the merge. The
    /// request is sent twice.
    pub(crate) async fn put(
        &self,
        footing: &Footing,
        namespace: &str,
        key: &str,
        value: &Value,
    ) -> anyhow::Result<bool> {
        let name = format!("fleets/{FLEET}/namespaces/{namespace}/documents/{key}");
        let version = match self.document(&name).await {
            Ok(document) => document.version,
            Err(_) => String::new(),
        };
        let request = merge::PutDocumentRequest {
            document: Some(merge::Document {
                name,
                value: Some(to_value(value)),
                ..Default::default()
            }),
            origin_hub: footing.hub.clone(),
            epoch: footing.epoch,
            expected_version: version,
            request_id: request_id(),
        };
        let mut is_branch = false;
        for _ in 0..2 {
            let call = || {
                let (mut client, request) = (self.documents.clone(), request.clone());
                async move { client.put_document(request).await }
            };
            is_branch = retried(call).await?.is_branch;
        }
        Ok(is_branch)
    }

    async fn document(&self, name: &str) -> Result<merge::Document, tonic::Status> {
        let request = merge::GetDocumentRequest {
            name: name.to_owned(),
        };
        let call = || {
            let (mut client, request) = (self.documents.clone(), request.clone());
            async move { client.get_document(request).await }
        };
        retried(call).await
    }

    /// A document's value; null when there is none.
    pub(crate) async fn value(&self, namespace: &str, key: &str) -> anyhow::Result<Value> {
        let name = format!("fleets/{FLEET}/namespaces/{namespace}/documents/{key}");
        let document = self.document(&name).await?;
        Ok(document.value.as_ref().map_or(Value::Null, from_value))
    }

    /// Hands in events; the answers are in their order.
    pub(crate) async fn record(
        &self,
        events: Vec<merge::Event>,
    ) -> anyhow::Result<Vec<merge::EventOutcome>> {
        let request = merge::RecordEventsRequest {
            fleet: format!("fleets/{FLEET}"),
            events,
            request_id: request_id(),
        };
        let call = || {
            let (mut client, request) = (self.inbox.clone(), request.clone());
            async move { client.record_events(request).await }
        };
        Ok(retried(call).await?.outcomes().collect())
    }

    /// What events built.
    pub(crate) async fn event_state(&self, device: &str, key: &str) -> anyhow::Result<Value> {
        let request = merge::GetEventStateRequest {
            fleet: format!("fleets/{FLEET}"),
            device: device.into(),
            key: key.into(),
        };
        let call = || {
            let (mut client, request) = (self.inbox.clone(), request.clone());
            async move { client.get_event_state(request).await }
        };
        Ok(retried(call)
            .await?
            .value
            .as_ref()
            .map_or(Value::Null, from_value))
    }
}

/// One count of a device's messages, as an event.
pub(crate) fn counted(footing: &Footing, device: &str, seq: u64) -> merge::Event {
    merge::Event {
        origin_hub: footing.hub.clone(),
        producer: "demo-back-end".into(),
        origin_seq: seq,
        event_id: format!("{}-{seq}", footing.hub),
        epoch: footing.epoch,
        device: device.into(),
        key: "message-count".into(),
        key_version: seq,
        kind: merge::EventKind::Delta.into(),
        payload: Some(to_value(&Value::Object(object(
            serde_json::json!({"add": 1}),
        )))),
    }
}
