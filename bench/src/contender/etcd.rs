//! etcd: one node, its data in memory, one thread of Go. What is said to it is written here by
//! hand, as far as it is used.

use anyhow::Context as _;
use bytes::Bytes;
use prost::Message as _;

use crate::grpc;
use crate::ports;
use crate::process::Process;
use crate::tools;
use crate::world::World;

/// Reads a key; linearizable unless it says otherwise.
pub(crate) const RANGE: &str = "/etcdserverpb.KV/Range";
/// Watches a key.
pub(crate) const WATCH: &str = "/etcdserverpb.Watch/Watch";
const PUT: &str = "/etcdserverpb.KV/Put";
const KEY: &[u8] = b"fleets/bench";

/// `RangeRequest` of one key.
#[derive(Clone, PartialEq, prost::Message)]
struct RangeRequest {
    #[prost(bytes = "vec", tag = "1")]
    key: Vec<u8>,
}

/// `PutRequest`.
#[derive(Clone, PartialEq, prost::Message)]
struct PutRequest {
    #[prost(bytes = "vec", tag = "1")]
    key: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

/// `WatchCreateRequest` of one key.
#[derive(Clone, PartialEq, prost::Message)]
struct WatchCreateRequest {
    #[prost(bytes = "vec", tag = "1")]
    key: Vec<u8>,
}

/// `WatchRequest` that creates a watch.
#[derive(Clone, PartialEq, prost::Message)]
struct WatchRequest {
    #[prost(message, optional, tag = "1")]
    create_request: Option<WatchCreateRequest>,
}

/// Asks for the key.
pub(crate) fn range() -> Bytes {
    let key = KEY.to_vec();
    RangeRequest { key }.encode_to_vec().into()
}

/// Watches the key.
pub(crate) fn watch() -> Bytes {
    let key = KEY.to_vec();
    let create_request = Some(WatchCreateRequest { key });
    WatchRequest { create_request }.encode_to_vec().into()
}

/// Sets the key.
pub(crate) fn put(value: &[u8]) -> Bytes {
    let (key, value) = (KEY.to_vec(), value.to_vec());
    PutRequest { key, value }.encode_to_vec().into()
}

/// Sends what [`put`] made.
pub(crate) async fn send_put(
    channel: &tonic::transport::Channel,
    request: Bytes,
) -> anyhow::Result<()> {
    let answered = grpc::unary(channel, PUT, request).await;
    answered.context("etcd did not take the value")?;
    Ok(())
}

/// Starts it, with a new data directory; the key is not set.
pub(super) async fn start(world: &World) -> anyhow::Result<Process> {
    let data = world.place.memory.path().join("etcd");
    match std::fs::remove_dir_all(&data) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    let client = ports::local(ports::ETCD);
    let urls = [client, ports::local(ports::ETCD_PEER)].map(|addr| format!("http://{addr}"));
    let [client_url, peer_url] = &urls;
    let program = tools::find("etcd")?;
    let (core, logs) = (world.place.options.server_core, world.place.disk.path());
    let mut process = Process::start("etcd", core, logs, &program, |command| {
        command.arg("--data-dir").arg(&data);
        command.args(["--name", "bench", "--logger", "zap", "--log-level", "error"]);
        command.args(["--listen-client-urls", client_url]);
        command.args(["--advertise-client-urls", client_url]);
        command.args(["--listen-peer-urls", peer_url]);
        command.args(["--initial-advertise-peer-urls", peer_url]);
        command.args(["--initial-cluster", &format!("bench={peer_url}")]);
        command.env("GOMAXPROCS", "1");
    })?;
    process.until_open(client).await?;
    Ok(process)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_as_etcd_was_seen_to_take_them() {
        assert_eq!(range(), b"\x0a\x0cfleets/bench".as_slice());
        assert_eq!(watch(), b"\x0a\x0e\x0a\x0cfleets/bench".as_slice());
        assert_eq!(put(b"v"), b"\x0a\x0cfleets/bench\x12\x01v".as_slice());
    }
}
