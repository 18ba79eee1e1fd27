//! The same watch as messages, for who calls the generated service within the process: the
//! listener itself takes the bytes as they are.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures::Stream;
use hubshift_api::fault;
use hubshift_api::pb::concierge::WatchFleetResponse;
use prost::Message as _;
use tonic::Status;

use super::body::{Part, WatchBody};
use super::frames::PREFIX;

/// A watcher's stream, decoded.
pub(crate) struct FleetStream(WatchBody);

impl From<WatchBody> for FleetStream {
    fn from(body: WatchBody) -> Self {
        Self(body)
    }
}

impl Stream for FleetStream {
    type Item = Result<WatchFleetResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_part(cx.waker()).map(|part| Some(item(part?)))
    }
}

fn item(part: Part) -> Result<WatchFleetResponse, Status> {
    match part {
        Part::Message(frame) => {
            let message = WatchFleetResponse::decode(frame.slice(PREFIX..));
            message.map_err(|_| fault::internal())
        }
        Part::End(status) => Err(status),
    }
}
