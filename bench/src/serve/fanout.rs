//! A bare tonic broadcast: every stream gets the state that is, then what comes over a broadcast
//! channel, as bytes that are encoded already. Cheaper than generated messages, which every stream
//! would encode anew.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use anyhow::Context as _;
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{self, Stream, StreamExt as _};
use hubshift_api::pb::concierge::{Fleet, UpdateFleetRequest};
use tokio::sync::broadcast;
use tokio_stream::wrappers::BroadcastStream;
use tonic::body::Body;
use tonic::server::{Grpc, NamedService, ServerStreamingService, UnaryService};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;
use tower::Service;

use super::Served;
use crate::{grpc, marker};

/// Changes that a stream may be behind.
const ROOM: usize = 16;

type Messages = Pin<Box<dyn Stream<Item = Result<Bytes, Status>> + Send>>;

/// The state, and the channel that tells of the next one.
#[derive(Clone)]
struct Fanout {
    latest: Arc<Mutex<Bytes>>,
    changes: broadcast::Sender<Bytes>,
}

impl Fanout {
    fn change(&self, fleet: &Fleet) -> Option<()> {
        let change = marker::find(fleet.display_name.as_bytes())?;
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        *latest = marker::replace(&latest, change)?;
        // Nobody may watch.
        let _watchers = self.changes.send(latest.clone());
        Some(())
    }

    fn messages(&self) -> Messages {
        let latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let changes = BroadcastStream::new(self.changes.subscribe());
        let changes = changes.map(|change| {
            change.map_err(|_| Status::resource_exhausted("this stream is too far behind"))
        });
        let first = stream::iter([Ok(latest.clone())]);
        Box::pin(first.chain(changes))
    }
}

/// `WatchFleet`.
struct Watch(Fanout);

impl ServerStreamingService<Bytes> for Watch {
    type Response = Bytes;
    type ResponseStream = Messages;
    type Future = std::future::Ready<Result<Response<Messages>, Status>>;

    fn call(&mut self, _request: Request<Bytes>) -> Self::Future {
        std::future::ready(Ok(Response::new(self.0.messages())))
    }
}

/// `UpdateFleet`: the display name is the change.
struct Update(Fanout);

impl UnaryService<UpdateFleetRequest> for Update {
    type Response = Fleet;
    type Future = std::future::Ready<Result<Response<Fleet>, Status>>;

    fn call(&mut self, request: Request<UpdateFleetRequest>) -> Self::Future {
        let fleet = request.into_inner().fleet.unwrap_or_default();
        let changed = self.0.change(&fleet);
        let answer = changed.map(|()| Response::new(fleet));
        std::future::ready(answer.ok_or_else(|| Status::invalid_argument("no marker")))
    }
}

impl NamedService for Fanout {
    const NAME: &'static str = "hubshift.concierge.v1.FleetService";
}

impl Service<http::Request<Body>> for Fanout {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let fanout = self.clone();
        Box::pin(async move {
            if request.uri().path() == grpc::WATCH_FLEET {
                let mut grpc = Grpc::new(grpc::RawCodec);
                return Ok(grpc.server_streaming(Watch(fanout), request).await);
            }
            let codec = ProstCodec::<Fleet, UpdateFleetRequest>::default();
            Ok(Grpc::new(codec).unary(Update(fanout), request).await)
        })
    }
}

/// Serves it.
pub(super) async fn serve(served: &Served) -> anyhow::Result<()> {
    let state = std::fs::read(&served.answer).context("could not read the state")?;
    let fanout = Fanout {
        latest: Arc::new(Mutex::new(state.into())),
        changes: broadcast::Sender::new(ROOM),
    };
    tonic::transport::Server::builder()
        .add_service(fanout)
        .serve(served.listen)
        .await?;
    Ok(())
}
