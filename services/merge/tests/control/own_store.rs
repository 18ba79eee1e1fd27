//! A back end's own store, in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};

use futures::Stream;
use hubshift_api::json::{from_value, to_value};
use hubshift_api::pb::merge as pb;
use hubshift_api::pb::merge::metadata_source_service_server::{
    MetadataSourceService, MetadataSourceServiceServer,
};
use serde_json::Value;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

/// The store. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct OwnStore(Arc<Mutex<Script>>);

/// What it holds.
#[derive(Debug, Default)]
pub(crate) struct Script {
    open: BTreeMap<String, pb::StreamBranchesResponse>,
    /// What was handed over.
    pub(crate) merged: BTreeMap<String, Option<Value>>,
    /// Keys whose version moves between reading and handing over, once.
    pub(crate) moves_once: BTreeSet<String>,
}

impl OwnStore {
    pub(crate) fn script(&self) -> MutexGuard<'_, Script> {
        self.0.lock().unwrap()
    }

    /// Puts a document with base, primary and secondary.
    pub(crate) fn put(&self, key: &str, policy: &str, sides: [Option<Value>; 3]) {
        let [base, primary, secondary] = sides.map(|side| side.as_ref().map(to_value));
        let document = pb::StreamBranchesResponse {
            key: key.to_owned(),
            policy: policy.to_owned(),
            base,
            primary,
            secondary,
            version: "1".into(),
        };
        self.script().open.insert(key.to_owned(), document);
    }

    /// Serves on a free port until the process ends.
    pub(crate) async fn serve(&self) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tonic::transport::Server::builder()
            .add_service(MetadataSourceServiceServer::new(self.clone()))
            .serve_with_incoming(TcpListenerStream::new(listener));
        tokio::spawn(server);
        address
    }
}

#[tonic::async_trait]
impl MetadataSourceService for OwnStore {
    type StreamBranchesStream =
        Pin<Box<dyn Stream<Item = Result<pb::StreamBranchesResponse, Status>> + Send>>;

    async fn stream_branches(
        &self,
        _: Request<pb::StreamBranchesRequest>,
    ) -> Result<Response<Self::StreamBranchesStream>, Status> {
        let open: Vec<_> = self.script().open.values().cloned().map(Ok).collect();
        Ok(Response::new(Box::pin(futures::stream::iter(open))))
    }

    async fn apply_merged(
        &self,
        request: Request<pb::ApplyMergedRequest>,
    ) -> Result<Response<pb::ApplyMergedResponse>, Status> {
        let mut script = self.script();
        let mut stale_keys = Vec::new();
        for document in request.into_inner().documents {
            if script.moves_once.remove(&document.key)
                && let Some(open) = script.open.get_mut(&document.key)
            {
                open.version = "2".into();
            }
            let version = script
                .open
                .get(&document.key)
                .map(|open| open.version.clone());
            if version.is_some_and(|version| version != document.version) {
                stale_keys.push(document.key);
                continue;
            }
            script.open.remove(&document.key);
            let value = document.value.as_ref().map(from_value);
            script.merged.insert(document.key, value);
        }
        Ok(Response::new(pb::ApplyMergedResponse { stale_keys }))
    }
}
