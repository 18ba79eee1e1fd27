//! `WatchFleet` as the operator listener serves it: a request is read here and answered with a
//! [`WatchBody`], past the generated service, which would encode each message for each watcher
//! into a buffer of the stream's own.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, post};
use http::{HeaderValue, StatusCode, Version, header};
use hubshift_api::fault;
use hubshift_api::pb::concierge::WatchFleetRequest;
use hubshift_shell::grpc::LongLived;
use prost::Message as _;
use tonic::{Code, Status};

use super::Watchers;
use super::body::WatchBody;
use super::frames::PREFIX;

/// The method's path.
pub(crate) const PATH: &str = "/hubshift.concierge.v1.FleetService/WatchFleet";
/// No request is longer, bytes.
const MAX_REQUEST: usize = 16 * 1024;
/// A client that does not finish its request is not waited for longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Serves the method.
pub(crate) fn method(watchers: Watchers) -> MethodRouter {
    post(serve).with_state(watchers)
}

/// Over HTTP/1.1 a reader that takes nothing could not be ended, nor told why a watch ends.
async fn serve(State(watchers): State<Watchers>, version: Version, body: Body) -> Response {
    if version < Version::HTTP_2 {
        return (
            StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            "gRPC takes HTTP/2\n",
        )
            .into_response();
    }
    let opened = match read(body).await {
        Ok(request) => watchers.open(&request),
        Err(refused) => Err(refused),
    };
    match opened {
        Ok(body) => begin(body),
        Err(refused) => refused.into_http(),
    }
}

fn begin(body: WatchBody) -> Response {
    let mut response = Response::new(Body::new(body));
    let grpc = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert(header::CONTENT_TYPE, grpc);
    response.extensions_mut().insert(LongLived);
    response
}

async fn read(body: Body) -> Result<WatchFleetRequest, Status> {
    let read = tokio::time::timeout(PATIENCE, to_bytes(body, PREFIX + MAX_REQUEST));
    match read.await {
        Ok(Ok(bytes)) => decode(&bytes),
        Ok(Err(_)) => Err(invalid("the request broke off or is longer than 16 KiB")),
        Err(_) => {
            let text = format!("the request was not whole within {PATIENCE:?}");
            let code = Code::DeadlineExceeded;
            Err(fault::status(code, "DEADLINE_EXCEEDED", text))
        }
    }
}

/// The one message of a request.
fn decode(bytes: &[u8]) -> Result<WatchFleetRequest, Status> {
    let Some((prefix, message)) = bytes.split_first_chunk::<PREFIX>() else {
        return Err(invalid("the request has no message"));
    };
    let [compressed, length @ ..] = *prefix;
    if compressed != 0 {
        let text = "a compressed request is not taken";
        return Err(fault::status(Code::Unimplemented, "UNIMPLEMENTED", text));
    }
    if u32::from_be_bytes(length) as usize != message.len() {
        return Err(invalid("the request is not one message"));
    }
    WatchFleetRequest::decode(message).map_err(|_| invalid("the request does not decode"))
}

fn invalid(text: &str) -> Status {
    fault::status(Code::InvalidArgument, "INVALID_REQUEST", text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(compressed: u8, length: u32, message: &[u8]) -> Vec<u8> {
        [&[compressed][..], &length.to_be_bytes()[..], message].concat()
    }

    #[test]
    fn a_request_is_one_message_and_nothing_else() {
        let request = WatchFleetRequest {
            name: "fleets/acme".into(),
            revision: 7,
            ..WatchFleetRequest::default()
        };
        let message = request.encode_to_vec();
        let length = message.len() as u32;
        assert_eq!(decode(&framed(0, length, &message)).unwrap(), request);
        for (bytes, code) in [
            (framed(1, length, &message), Code::Unimplemented),
            (framed(0, length + 1, &message), Code::InvalidArgument),
            (framed(0, length - 1, &message), Code::InvalidArgument),
            (framed(0, 2, &[0x0a, 0xff]), Code::InvalidArgument),
            (vec![0, 0, 0], Code::InvalidArgument),
            (vec![], Code::InvalidArgument),
        ] {
            assert_eq!(decode(&bytes).unwrap_err().code(), code, "{bytes:?}");
        }
    }

    #[tokio::test]
    async fn a_request_that_is_too_long_is_refused() {
        let body = |length: usize| Body::from(framed(0, length as u32, &vec![7; length]));
        let refused = read(body(MAX_REQUEST + 1)).await.unwrap_err();
        assert!(refused.message().contains("16 KiB"), "{refused}");
        let refused = read(body(MAX_REQUEST)).await.unwrap_err();
        assert!(refused.message().contains("decode"), "{refused}");
    }
}
