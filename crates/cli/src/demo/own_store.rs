//! The back end's own store, as a `MetadataSource`: Hubshift asks it for branches and hands back
//! what they became.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use hubshift_api::json::{from_value, to_value};
use hubshift_api::pb::merge;
use hubshift_api::pb::merge::metadata_source_service_server::{
    MetadataSourceService, MetadataSourceServiceServer,
};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

/// One document of the store: as it was last equal in both regions, and as it is in each.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sides {
    pub(crate) base: Option<Value>,
    pub(crate) east: Option<Value>,
    pub(crate) west: Option<Value>,
    version: u64,
}

impl Sides {
    /// A document that both regions have.
    pub(crate) fn new(base: Value, east: Value, west: Value) -> Self {
        Self {
            base: Some(base),
            east: Some(east),
            west: Some(west),
            version: 1,
        }
    }
}

/// The store, shared with the story.
#[derive(Debug, Clone, Default)]
pub(crate) struct OwnStore(Arc<Mutex<BTreeMap<String, Sides>>>);

impl OwnStore {
    /// Sets a document.
    pub(crate) fn set(&self, key: &str, sides: Sides) {
        self.lock().insert(key.to_owned(), sides);
    }

    /// What both regions have, when they have the same.
    pub(crate) fn agreed(&self, key: &str) -> Option<Value> {
        self.lock()
            .get(key)
            .filter(|sides| sides.east == sides.west)?
            .west
            .clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Sides>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serves the store on a free loopback port until the program ends.
    pub(crate) async fn serve(&self) -> anyhow::Result<SocketAddr> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let addr = listener.local_addr()?;
        let service = MetadataSourceServiceServer::new(self.clone());
        let server = tonic::transport::Server::builder()
            .add_service(service)
            .serve_with_incoming(TcpListenerStream::new(listener));
        tokio::spawn(server);
        Ok(addr)
    }
}

type Branches =
    tokio_stream::Iter<std::vec::IntoIter<Result<merge::StreamBranchesResponse, Status>>>;

#[tonic::async_trait]
impl MetadataSourceService for OwnStore {
    type StreamBranchesStream = Branches;

    async fn stream_branches(
        &self,
        request: Request<merge::StreamBranchesRequest>,
    ) -> Result<Response<Branches>, Status> {
        let east_is_primary = request.get_ref().primary_hub == "east";
        let differing: Vec<_> = self
            .lock()
            .iter()
            .filter(|(_, sides)| sides.east != sides.west)
            .map(|(key, sides)| {
                let (primary, secondary) = if east_is_primary {
                    (&sides.east, &sides.west)
                } else {
                    (&sides.west, &sides.east)
                };
                Ok(merge::StreamBranchesResponse {
                    key: key.clone(),
                    policy: "json_leaf".into(),
                    base: sides.base.as_ref().map(to_value),
                    primary: primary.as_ref().map(to_value),
                    secondary: secondary.as_ref().map(to_value),
                    version: sides.version.to_string(),
                })
            })
            .collect();
        Ok(Response::new(tokio_stream::iter(differing)))
    }

    async fn apply_merged(
        &self,
        request: Request<merge::ApplyMergedRequest>,
    ) -> Result<Response<merge::ApplyMergedResponse>, Status> {
        let mut stale_keys = Vec::new();
        let mut documents = self.lock();
        for merged in request.into_inner().documents {
            let value = merged.value.as_ref().map(from_value);
            match documents.get_mut(&merged.key) {
                Some(sides) if sides.version.to_string() == merged.version => {
                    (sides.base, sides.east, sides.west) = (value.clone(), value.clone(), value);
                    sides.version += 1;
                }
                // Applying one twice changes nothing.
                Some(sides) if sides.east == value && sides.west == value => {}
                _ => stale_keys.push(merged.key),
            }
        }
        Ok(Response::new(merge::ApplyMergedResponse { stale_keys }))
    }
}
