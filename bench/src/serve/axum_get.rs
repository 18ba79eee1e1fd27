//! Bare axum: one route that answers the same page, or 304 to who has it.

use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::serve::ListenerExt as _;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use tokio::net::TcpListener;

use super::Served;
use crate::answers::StaticPage;

/// A page, ready to be answered.
#[derive(Debug)]
pub(super) struct Page {
    /// Its headers.
    pub(super) headers: HeaderMap,
    /// Its body.
    pub(super) body: Bytes,
}

impl Page {
    /// Reads the file with the page.
    pub(super) fn read(path: &std::path::Path) -> anyhow::Result<Self> {
        let page = StaticPage::read(path)?;
        let mut headers = HeaderMap::new();
        for (name, value) in &page.headers {
            headers.append(
                name.parse::<HeaderName>()?,
                HeaderValue::from_str(value).context("a header that is none")?,
            );
        }
        Ok(Self {
            headers,
            body: page.body.into(),
        })
    }
}

/// Serves it.
pub(super) async fn serve(served: &Served) -> anyhow::Result<()> {
    let page = Arc::new(Page::read(&served.answer)?);
    let router = Router::new()
        .route("/v1/fleets/{fleet}/endpoint", get(answer))
        .with_state(page);
    let listener = TcpListener::bind(served.listen).await?;
    let listener = listener.tap_io(|stream| {
        // A connection that is gone is noticed when it is read.
        let _set = stream.set_nodelay(true);
    });
    axum::serve(listener, router).await?;
    Ok(())
}

async fn answer(State(page): State<Arc<Page>>, asked: HeaderMap) -> Response {
    let known = asked.get(header::IF_NONE_MATCH);
    let is_known = known.is_some() && known == page.headers.get(header::ETAG);
    let mut response = if is_known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        page.body.clone().into_response()
    };
    *response.headers_mut() = page.headers.clone();
    response
}
