//! Bodies of responses: nothing, one piece, or one message of gRPC with its trailers. No box, no
//! channel; only what the router answers is boxed.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use hubshift_shell::{Front, RouterFront};
use hyper::body::{Body, Frame, SizeHint};

/// The body of what the router answers.
pub(super) type Rest = <RouterFront as Front>::Body;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The body of a response.
#[derive(Default)]
pub(crate) enum FrontBody {
    /// Nothing, or nothing any more.
    #[default]
    Empty,
    /// One piece, whose length is announced.
    Whole(Bytes),
    /// One message of gRPC; [`Self::Trailers`] follow.
    Message(Bytes),
    /// The end of a call that went well.
    Trailers,
    /// What the router answers.
    Rest(Pin<Box<Rest>>),
}

/// The trailers of a call that went well.
fn ok() -> HeaderMap {
    let mut trailers = HeaderMap::with_capacity(1);
    let name = HeaderName::from_static("grpc-status");
    trailers.insert(name, HeaderValue::from_static("0"));
    trailers
}

impl Body for FrontBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = self.get_mut();
        if let Self::Rest(rest) = this {
            return rest
                .as_mut()
                .poll_frame(cx)
                .map(|frame| frame.map(|frame| frame.map_err(Into::into)));
        }
        let (frame, next) = match std::mem::take(this) {
            Self::Whole(bytes) => (Frame::data(bytes), Self::Empty),
            Self::Message(bytes) => (Frame::data(bytes), Self::Trailers),
            Self::Trailers => (Frame::trailers(ok()), Self::Empty),
            Self::Empty | Self::Rest(_) => return Poll::Ready(None),
        };
        *this = next;
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Rest(rest) => rest.is_end_stream(),
            Self::Whole(_) | Self::Message(_) | Self::Trailers => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Rest(rest) => rest.size_hint(),
            // Of gRPC nobody announces a length.
            Self::Message(_) | Self::Trailers => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    #[tokio::test]
    async fn a_message_is_one_frame_and_its_trailers() {
        let mut body = FrontBody::Message(Bytes::from_static(b"m"));
        assert!(!body.is_end_stream() && body.size_hint().exact().is_none());
        let data = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(data, "m");
        assert!(!body.is_end_stream());
        let last = body.frame().await.unwrap().unwrap();
        assert_eq!(
            last.into_trailers().unwrap().get("grpc-status").unwrap(),
            "0"
        );
        assert!(body.is_end_stream() && body.frame().await.is_none());
    }

    #[tokio::test]
    async fn a_whole_body_announces_its_length() {
        let body = FrontBody::Whole(Bytes::from_static(b"{}"));
        assert_eq!(body.size_hint().exact(), Some(2));
        assert_eq!(body.collect().await.unwrap().to_bytes(), "{}");
        assert!(FrontBody::Empty.is_end_stream());
    }
}
