//! The registry as export files while the hub runs, keys included: what seeds can be made of.
//!
//! Devices are those of one moment. The hub goes on while they are sent, piece by piece.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::vec::IntoIter;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use hyper::body::{Body as HttpBody, Frame};

use crate::app::App;
use crate::dump;
use crate::registry::Record;

/// How many devices go at once.
const PIECE: usize = 100;

pub(super) async fn devices(State(app): State<Arc<App>>) -> Response {
    let records = app.registry().snapshot().into_iter();
    text(Body::new(Lines(records)))
}

pub(super) async fn configurations(State(app): State<Arc<App>>) -> Result<Response, StatusCode> {
    let mut lines = Vec::new();
    dump::configurations(&app.registry(), &mut lines)
        .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(text(Body::from(lines)))
}

fn text(body: Body) -> Response {
    let kind = [(header::CONTENT_TYPE, "text/plain; charset=utf-8")];
    (kind, body).into_response()
}

/// The lines of devices that are still to be sent.
struct Lines(IntoIter<Arc<Record>>);

impl HttpBody for Lines {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let mut lines = Vec::new();
        for record in self.0.by_ref().take(PIECE) {
            if let Err(error) = dump::device(&record, &mut lines) {
                return Poll::Ready(Some(Err(error)));
            }
        }
        let frame = (!lines.is_empty()).then(|| Frame::data(Bytes::from(lines)));
        Poll::Ready(frame.map(Ok))
    }
}
