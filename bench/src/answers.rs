//! What the concierge was seen to answer: every contender answers the same. Written into files,
//! because contenders are processes.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::probe::Page;

/// Headers that a server makes by itself.
const OWN: [&str; 4] = ["content-length", "date", "connection", "transfer-encoding"];

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Who {
    /// A device, by its name.
    Device,
    /// Nobody in particular: the answer is the same for all.
    Anyone,
}

/// The fleet that everybody asks about.
pub(crate) const FLEET: &str = "bench";
/// The device that asks.
pub(crate) const DEVICE: &str = "device-000001";
/// The hub that it says it is attached to.
pub(crate) const HUB: &str = "east";

impl Who {
    /// The path that is asked for over HTTP. `epoch` is the one that the device knows.
    pub(crate) fn path(self, epoch: u64) -> String {
        let path = format!("/v1/fleets/{FLEET}/endpoint");
        match self {
            Self::Device => format!("{path}?device={DEVICE}&epoch={epoch}&hub={HUB}"),
            Self::Anyone => path,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Anyone => "anyone",
        }
    }
}

/// What the answers to one asker are, and the request.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// The request over gRPC, without its frame.
    pub(crate) request: Bytes,
    /// The answer over gRPC, without its frame.
    pub(crate) message: Bytes,
    /// The answer over HTTP.
    pub(crate) page: Page,
}

/// What the concierge was seen to answer.
#[derive(Debug, Clone)]
pub(crate) struct Answers {
    /// The fleet's epoch.
    pub(crate) epoch: u64,
    /// To a device.
    pub(crate) device: Asked,
    /// To anyone.
    pub(crate) anyone: Asked,
    /// The first message to a watcher, without its frame.
    pub(crate) watched: Bytes,
}

impl Answers {
    /// Those to one asker.
    pub(crate) fn of(&self, who: Who) -> &Asked {
        match who {
            Who::Device => &self.device,
            Who::Anyone => &self.anyone,
        }
    }

    /// Writes everything that a process of ours or a tool reads.
    pub(crate) fn write(&self, dir: &Path) -> anyhow::Result<()> {
        for who in [Who::Device, Who::Anyone] {
            let asked = self.of(who);
            put(&message_file(dir, who), &asked.message)?;
            put(
                &request_file(dir, who),
                &crate::grpc::framed(&asked.request),
            )?;
            let page = serde_json::to_vec(&StaticPage::of(&asked.page))?;
            put(&page_file(dir, who), &page)?;
        }
        put(&watched_file(dir), &self.watched)
    }
}

/// The answer over gRPC, without its frame.
pub(crate) fn message_file(dir: &Path, who: Who) -> PathBuf {
    dir.join(format!("message-{}", who.name()))
}

/// The request over gRPC, with its frame.
pub(crate) fn request_file(dir: &Path, who: Who) -> PathBuf {
    dir.join(format!("request-{}", who.name()))
}

/// The answer over HTTP, a [`StaticPage`].
pub(crate) fn page_file(dir: &Path, who: Who) -> PathBuf {
    dir.join(format!("page-{}.json", who.name()))
}

/// The message to a watcher, without its frame.
pub(crate) fn watched_file(dir: &Path) -> PathBuf {
    dir.join("watched")
}

/// An answer over HTTP that is always the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StaticPage {
    /// Without those that a server makes by itself.
    pub(crate) headers: Vec<(String, String)>,
    /// As text.
    pub(crate) body: String,
}

impl StaticPage {
    fn of(page: &Page) -> Self {
        let is_given = |(name, _): &&(String, String)| !OWN.contains(&name.as_str());
        Self {
            headers: page.headers.iter().filter(is_given).cloned().collect(),
            body: String::from_utf8_lossy(&page.body).into_owned(),
        }
    }

    /// Reads one.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let json = std::fs::read(path).context("could not read the page")?;
        Ok(serde_json::from_slice(&json)?)
    }
}

fn put(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    std::fs::write(path, bytes).with_context(|| format!("could not write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_keeps_its_body_and_the_headers_that_are_not_the_servers_own() {
        let page = Page {
            status: http::StatusCode::OK,
            headers: [
                ("etag", "\"1\""),
                ("date", "today"),
                ("content-length", "2"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
            body: Bytes::from_static(b"{}"),
        };
        let expected = StaticPage {
            headers: vec![("etag".to_owned(), "\"1\"".to_owned())],
            body: "{}".to_owned(),
        };
        assert_eq!(StaticPage::of(&page), expected);
        assert_eq!(page.header("ETag"), Some("\"1\""));
    }

    #[test]
    fn a_device_says_who_it_is() {
        let path = Who::Device.path(1024);
        assert!(
            path.ends_with("?device=device-000001&epoch=1024&hub=east"),
            "{path}"
        );
        assert_eq!(Who::Anyone.path(1024), "/v1/fleets/bench/endpoint");
    }
}
