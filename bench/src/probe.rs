//! One request to a contender, to see what it answers.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use http::{StatusCode, header};

/// No answer takes longer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// An answer over HTTP.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    /// Its status.
    pub(crate) status: StatusCode,
    /// Its headers, as far as they are text.
    pub(crate) headers: Vec<(String, String)>,
    /// Its body.
    pub(crate) body: Bytes,
}

impl Page {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers
            .find(|(given, _)| given.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// Which HTTP is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2 without TLS, from the first byte.
    Http2,
}

/// Gets a page; with an entity tag: asks whether it changed.
pub(crate) async fn get(
    addr: SocketAddr,
    path: &str,
    version: Version,
    etag: Option<&str>,
) -> anyhow::Result<Page> {
    let builder = reqwest::Client::builder().no_proxy().timeout(TIMEOUT);
    let client = match version {
        Version::Http1 => builder.http1_only(),
        Version::Http2 => builder.http2_prior_knowledge(),
    };
    let mut request = client.build()?.get(format!("http://{addr}{path}"));
    if let Some(etag) = etag {
        request = request.header(header::IF_NONE_MATCH, etag);
    }
    let response = request
        .send()
        .await
        .with_context(|| format!("no answer from {addr}{path}"))?;
    let headers = response.headers().iter();
    let text = headers.filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?)));
    let headers = text.map(|(name, value)| (name, value.to_owned())).collect();
    Ok(Page {
        status: response.status(),
        headers,
        body: response.bytes().await?,
    })
}
