//! A response's body that tells its line how much it gave: what a client does not read is memory of
//! ours until the connection ends.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::line::Line;

pin_project! {
    /// A front's body.
    pub(super) struct Owing<B> {
        #[pin]
        body: B,
        // None: its client is trusted.
        line: Option<Rc<Line>>,
    }
}

impl<B> Owing<B> {
    pub(super) fn new(body: B, line: Option<Rc<Line>>) -> Self {
        Self { body, line }
    }
}

impl<B: Body<Data = Bytes>> Body for Owing<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.project();
        let frame = ready!(this.body.poll_frame(cx));
        if let Some(line) = this.line
            && let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            line.owes(data.len());
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
