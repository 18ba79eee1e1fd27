//! `EndpointService.GetEndpoint`, without tonic: the same bytes, statuses and words as tonic's.
//!
//! Not ours, and left to tonic: HTTP/1.1, and requests that name an encoding. A `grpc-timeout` is
//! not looked at: the answer is there as soon as the question is, and a client that waits no
//! longer resets its stream.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, Version, header};
use hubshift_api::fault;
use hubshift_api::pb::concierge::GetEndpointRequest;
use hubshift_shell::Refusal;
use hyper::body::{Body as _, Incoming};
use prost::Message as _;
use tokio::time::Sleep;
use tonic::{Code, Status};

use super::body::FrontBody;
use super::meter::Outcome;
use super::poll::Local;
use super::wire;
use crate::rpc::endpoint::MAX_REQUEST;
use crate::table::{Asked, Door};

const PATH: &str = "/hubshift.concierge.v1.EndpointService/GetEndpoint";
/// What stands before a message: whether it is compressed, and its length.
const HEAD: usize = 5;

/// Whether this is a poll in its usual form.
pub(super) fn is_poll<B>(request: &Request<B>) -> bool {
    request.uri().path() == PATH
        && request.method() == Method::POST
        && request.version() == Version::HTTP_2
        && is_plain_grpc(request.headers())
}

fn is_plain_grpc(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes);
    let rest = kind.and_then(|kind| kind.strip_prefix(b"application/grpc"));
    matches!(rest, Some([] | [b'+' | b';', ..])) && !headers.contains_key("grpc-encoding")
}

/// Answers the question in this message.
pub(super) fn respond(local: &Local, message: &[u8], begun: Instant) -> Response<FrontBody> {
    if let Some(asked) = wire::read(message) {
        return answer(local, &asked, begun);
    }
    match GetEndpointRequest::decode(message) {
        Ok(request) => answer(local, &wire::asked(&request), begun),
        Err(error) => refused(local, Status::internal(error.to_string()), begun),
    }
}

fn answer(local: &Local, asked: &Asked<'_>, begun: Instant) -> Response<FrontBody> {
    let frame = local.state.answer(begun, asked, |answer| answer.frame());
    let frame = match frame {
        Ok(frame) => frame,
        Err(status) => return refused(local, status, begun),
    };
    let mut response = Response::new(FrontBody::Message(frame));
    let kind = HeaderValue::from_static("application/grpc");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    local.meter.count(Door::Grpc, Outcome::Answered, begun);
    response
}

/// The response to a poll that is not looked at.
pub(super) fn shed(local: &Local, refusal: Refusal, begun: Instant) -> Response<FrontBody> {
    local.meter.count(Door::Grpc, Outcome::Overloaded, begun);
    local.refusals.rpc(refusal)
}

/// The response without an answer: headers alone.
fn refused(local: &Local, status: Status, begun: Instant) -> Response<FrontBody> {
    let outcome = Outcome::of(status.code());
    local.meter.count(Door::Grpc, outcome, begun);
    status.into_http()
}

/// A poll whose question is still on its way.
pub(super) struct Reading {
    local: Arc<Local>,
    body: Incoming,
    gathered: Gathered,
    begun: Instant,
    /// Made when there is something to wait for: mostly there is not.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl Reading {
    pub(super) fn new(local: Arc<Local>, body: Incoming, begun: Instant) -> Self {
        Self {
            local,
            body,
            gathered: Gathered::default(),
            begun,
            deadline: None,
        }
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Response<FrontBody>> {
        let read = ready!(self.poll_body(cx));
        let (local, begun) = (&*self.local, self.begun);
        Poll::Ready(match read.and_then(|()| self.gathered.message()) {
            Ok(message) => respond(local, message, begun),
            Err(status) => refused(local, status, begun),
        })
    }

    /// Reads up to the end of the body, as tonic does.
    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        while !self.body.is_end_stream() {
            let frame = match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => frame,
                Poll::Ready(Some(Err(_))) => return Poll::Ready(Err(gone())),
                Poll::Ready(None) => break,
                Poll::Pending => return self.poll_deadline(cx),
            };
            if let Ok(data) = frame.into_data()
                && let Err(status) = self.gathered.push(data)
            {
                return Poll::Ready(Err(status));
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        let allowed = self.local.body_deadline;
        let deadline = self.deadline.get_or_insert_with(|| {
            let at = self.begun + allowed;
            Box::pin(tokio::time::sleep_until(at.into()))
        });
        ready!(deadline.as_mut().poll(cx));
        let text = format!("the request did not come within {} ms", allowed.as_millis());
        let status = fault::status(Code::DeadlineExceeded, "DEADLINE_EXCEEDED", text);
        Poll::Ready(Err(status))
    }
}

fn gone() -> Status {
    Status::cancelled("the client has gone")
}

/// What has come of a body. Mostly it comes in one piece, which is kept as it is.
#[derive(Default)]
struct Gathered {
    first: Bytes,
    /// Everything, as soon as there is more than one piece.
    joined: Vec<u8>,
}

impl Gathered {
    fn push(&mut self, data: Bytes) -> Result<(), Status> {
        if self.bytes().is_empty() {
            self.first = data;
        } else {
            if self.joined.is_empty() {
                self.joined.extend_from_slice(&self.first);
            }
            self.joined.extend_from_slice(&data);
        }
        let announced = self.announced()?.unwrap_or_default();
        // More than one message is read as tonic does, and passed over, but not without end.
        match self.bytes().len() > HEAD + MAX_REQUEST {
            true => Err(too_large(announced.max(self.bytes().len() - HEAD))),
            false => Ok(()),
        }
    }

    fn bytes(&self) -> &[u8] {
        if self.joined.is_empty() {
            &self.first
        } else {
            &self.joined
        }
    }

    /// The length of the message, once its head is there.
    fn announced(&self) -> Result<Option<usize>, Status> {
        let Some(([flag, length @ ..], _)) = self.bytes().split_first_chunk::<HEAD>() else {
            return Ok(None);
        };
        match *flag {
            0 => {}
            1 => return Err(Status::internal(COMPRESSED)),
            other => return Err(Status::internal(bad_flag(other))),
        }
        let length = u32::from_be_bytes(*length) as usize;
        match length > MAX_REQUEST {
            true => Err(too_large(length)),
            false => Ok(Some(length)),
        }
    }

    /// The whole message.
    fn message(&self) -> Result<&[u8], Status> {
        if self.bytes().is_empty() {
            return Err(Status::internal("Missing request message."));
        }
        let announced = self.announced()?;
        announced
            .and_then(|length| self.bytes().get(HEAD..HEAD + length))
            .ok_or_else(|| Status::internal("Unexpected EOF decoding stream."))
    }
}

// tonic's words, for whoever looks them up.
const COMPRESSED: &str =
    "protocol error: received message with compressed-flag but no grpc-encoding was specified";

fn bad_flag(flag: u8) -> String {
    format!(
        "protocol error: received message with invalid compression flag: {flag} (valid flags are \
         0 and 1), while sending request"
    )
}

fn too_large(found: usize) -> Status {
    Status::out_of_range(format!(
        "Error, decoded message length too large: found {found} bytes, the limit is: {MAX_REQUEST} \
         bytes"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gathered(pieces: &[&[u8]]) -> Result<Vec<u8>, Status> {
        let mut gathered = Gathered::default();
        for piece in pieces {
            gathered.push(Bytes::copy_from_slice(piece))?;
        }
        gathered.message().map(<[u8]>::to_vec)
    }

    #[test]
    fn a_message_is_the_same_in_any_number_of_pieces() {
        let frame = [0, 0, 0, 0, 3, b'a', b'b', b'c'];
        let bytes: Vec<&[u8]> = frame.chunks(1).collect();
        let halves: Vec<&[u8]> = frame.chunks(6).collect();
        for pieces in [&[&frame[..]][..], &halves[..], &bytes[..]] {
            assert_eq!(gathered(pieces).unwrap(), b"abc");
        }
        let two = [&frame[..], &frame[..]].concat();
        assert_eq!(gathered(&[&two]).unwrap(), b"abc", "as tonic does");
        assert_eq!(gathered(&[&[0; HEAD]]).unwrap(), b"");
    }

    #[test]
    fn what_is_no_message_is_refused_in_tonics_words() {
        let refused = |pieces: &[&[u8]]| gathered(pieces).unwrap_err().code();
        assert_eq!(refused(&[]), Code::Internal);
        for cut in [&[0][..], &[0, 0, 0, 0, 3, b'a']] {
            assert_eq!(refused(&[cut]), Code::Internal);
        }
        for flag in [1, 2] {
            assert_eq!(refused(&[&[flag, 0, 0, 0, 0]]), Code::Internal);
        }
    }

    #[test]
    fn a_message_that_is_too_large_is_refused_before_it_has_come() {
        let longest = u32::try_from(MAX_REQUEST).unwrap();
        let head = |length: u32| [&[0][..], &length.to_be_bytes()[..]].concat();
        let refused = |pieces: &[&[u8]]| gathered(pieces).unwrap_err().code();
        assert_eq!(refused(&[&head(longest + 1)]), Code::OutOfRange);
        let whole = vec![7; MAX_REQUEST];
        assert_eq!(gathered(&[&head(longest), &whole]).unwrap(), whole);
        assert_eq!(refused(&[&head(longest), &whole, &[7]]), Code::OutOfRange);
        assert_eq!(refused(&[&head(1), &whole, &[7]]), Code::OutOfRange);
    }

    #[test]
    fn only_plain_grpc_is_ours() {
        let request = |path: &str, kind: &'static str, encoding: Option<&'static str>| {
            let mut request = Request::new(());
            *request.method_mut() = Method::POST;
            *request.version_mut() = Version::HTTP_2;
            *request.uri_mut() = path.parse().unwrap();
            let headers = request.headers_mut();
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
            if let Some(encoding) = encoding {
                headers.insert("grpc-encoding", HeaderValue::from_static(encoding));
            }
            request
        };
        for kind in ["application/grpc", "application/grpc+proto"] {
            assert!(is_poll(&request(PATH, kind, None)), "{kind}");
            assert!(!is_poll(&request(PATH, kind, Some("gzip"))), "{kind}");
            assert!(!is_poll(&request("/a.B/C", kind, None)), "{kind}");
        }
        for kind in ["application/json", "application/grpc-web", "text/html"] {
            assert!(!is_poll(&request(PATH, kind, None)), "{kind}");
        }
        let mut old = request(PATH, "application/grpc", None);
        *old.version_mut() = Version::HTTP_11;
        assert!(!is_poll(&old));
    }
}
