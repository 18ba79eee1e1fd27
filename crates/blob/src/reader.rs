//! A blob, read one range after the other.
//!
//! Keeps true: all ranges are of the same state of the blob. One that is written meanwhile ends
//! the reading with an error.

use std::sync::Arc;

use bytes::Bytes;
use reqwest::{Method, StatusCode, Url};

use crate::error::ContainerError;
use crate::store::{Call, Reply, Store};

/// How much is fetched at a time.
const RANGE: u64 = 4 * 1024 * 1024;

/// A blob that is being read.
pub(crate) struct BlobReader {
    store: Arc<Store>,
    url: Url,
    etag: Option<String>,
    /// What is fetched and not yet given.
    first: Option<Bytes>,
    /// How much was given.
    at: u64,
    total: u64,
}

impl BlobReader {
    /// Fetches the first range. Nothing if there is no such blob.
    pub(crate) async fn open(
        store: &Arc<Store>,
        name: &str,
    ) -> Result<Option<Self>, ContainerError> {
        let url = store.address.blob(name, "")?;
        let reply = store.send(&range(&url, 0)).await?;
        let total = match reply.status {
            StatusCode::PARTIAL_CONTENT => part(&reply, 0)?,
            StatusCode::OK => reply.body.len() as u64,
            // No range of an empty blob can be had.
            StatusCode::RANGE_NOT_SATISFIABLE => 0,
            StatusCode::NOT_FOUND if is_blob_missing(&reply) => return Ok(None),
            _ => return Err(reply.refused()),
        };
        let etag = reply.header("etag").map(str::to_owned);
        let first = (total > 0 && !reply.body.is_empty()).then_some(reply.body);
        let store = Arc::clone(store);
        Ok(Some(Self {
            store,
            url,
            etag,
            first,
            at: 0,
            total,
        }))
    }

    /// The next piece, never an empty one. Nothing at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, ContainerError> {
        let piece = match self.first.take() {
            Some(first) => first,
            None if self.at >= self.total => return Ok(None),
            None => self.fetch().await?,
        };
        self.at += piece.len() as u64;
        Ok(Some(piece))
    }

    /// How many bytes were given, and how many there are.
    pub(crate) fn position(&self) -> (u64, u64) {
        (self.at, self.total)
    }

    async fn fetch(&self) -> Result<Bytes, ContainerError> {
        let call = range(&self.url, self.at);
        let call = match &self.etag {
            Some(etag) => call.header("if-match", etag),
            None => call,
        };
        let reply = self.store.send(&call).await?;
        match reply.status {
            StatusCode::PARTIAL_CONTENT if !reply.body.is_empty() => {
                part(&reply, self.at)?;
                Ok(reply.body)
            }
            StatusCode::PRECONDITION_FAILED | StatusCode::NOT_FOUND => {
                let text = "a blob changed while it was read".to_owned();
                Err(ContainerError::Failed(text))
            }
            _ => Err(reply.refused()),
        }
    }
}

fn range(url: &Url, start: u64) -> Call {
    let end = start + RANGE - 1;
    Call::new(Method::GET, url.clone()).header("range", format!("bytes={start}-{end}"))
}

/// The blob's size, of an answer with the part of it that begins at `start`.
fn part(reply: &Reply, start: u64) -> Result<u64, ContainerError> {
    let failed = |text: &str| ContainerError::Failed(text.to_owned());
    let (from, total) = reply
        .header("content-range")
        .and_then(content_range)
        .ok_or_else(|| failed("a range came without the blob's size"))?;
    if from != start {
        return Err(failed("a range came that was not asked for"));
    }
    Ok(total)
}

/// Where a part begins, and how large the whole is, from `bytes 0-9/1234`.
fn content_range(text: &str) -> Option<(u64, u64)> {
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (from, _) = range.split_once('-')?;
    Some((from.trim().parse().ok()?, total.trim().parse().ok()?))
}

/// The blob, and not the container.
fn is_blob_missing(reply: &Reply) -> bool {
    matches!(reply.code(), None | Some("BlobNotFound"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_says_where_it_begins_and_how_large_the_whole_is() {
        assert_eq!(
            content_range("bytes 4194304-8388607/9000000"),
            Some((4_194_304, 9_000_000))
        );
        for text in ["", "bytes */9", "bytes 0-9/*", "0-9/10", "bytes 5/10"] {
            assert_eq!(content_range(text), None, "{text}");
        }
    }
}
