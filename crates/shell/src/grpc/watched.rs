//! A response body that tells its [`Call`] how the response ended.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::response::Response;
use http_body::{Frame, SizeHint};
use tonic::Code;

use super::observe::Call;

/// The body of an observed response. Streams do their work when polled, hence in the call's span.
pub(super) struct Watched {
    body: Body,
    call: Call,
}

impl Watched {
    /// Wraps the body of a response; a status in its headers ends the call at once.
    pub(super) fn wrap(response: Response, mut call: Call) -> Response {
        call.end_with(response.headers());
        response.map(|body| Body::new(Self { body, call }))
    }
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        let polled = this
            .call
            .span()
            .in_scope(|| Pin::new(&mut this.body).poll_frame(cx));
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(trailers) = frame.trailers_ref() {
                    this.call.end_with(trailers);
                }
            }
            Poll::Ready(Some(Err(_)) | None) => this.call.end(Code::Unknown),
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
