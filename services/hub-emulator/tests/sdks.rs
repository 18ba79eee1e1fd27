//! Microsoft's two service SDKs, unmodified, against the command on `127.0.0.2:443`.
//!
//! The Node SDK takes no port. Where 443 is not ours to bind (anyone but root), hub and client
//! run in a network namespace of their own; Azurite is not there, so that import and export are
//! left out. Needs `HUBSHIFT_SDK_PYTHON` and `HUBSHIFT_SDK_NODE` (see `cargo xtask test`); where
//! one is not set its client is skipped, but not in CI: there the test fails.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod blobs;
mod common;

use std::ffi::{OsStr, OsString};
use std::io::ErrorKind;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use blobs::Azurite;
use common::key;
use hubshift_azure::ConnectionString;

const ADDRESS: &str = "127.0.0.2:443";
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/sdk");

/// Starts a hub, waits until it says where it listens, and runs the client against it.
const RUN: &str = r#"
set -eu
mkfifo "$DIR/ready"
"$HUB" --listen 127.0.0.2:443 --hostname 127.0.0.2 --tls-dir "$DIR/tls" > "$DIR/ready" &
hub=$!
trap 'kill "$hub"' EXIT
read -r listening < "$DIR/ready"
"$@"
"#;

/// A client: how it is run and how it learns whom to trust.
struct Client {
    name: &'static str,
    variable: &'static str,
    script: &'static str,
    trust: &'static str,
}

static CLIENTS: [Client; 2] = [
    Client {
        name: "azure-iot-hub 2.7.0 (Python)",
        variable: "HUBSHIFT_SDK_PYTHON",
        script: "registry_sdk.py",
        trust: "REQUESTS_CA_BUNDLE",
    },
    Client {
        name: "azure-iothub 1.16.6 (Node)",
        variable: "HUBSHIFT_SDK_NODE",
        script: "registry_sdk.js",
        trust: "NODE_EXTRA_CA_CERTS",
    },
];

/// In turn, because there is one port.
#[tokio::test]
async fn microsofts_clients_work_against_the_hub_on_port_443() {
    let has_port = has_port();
    let azurite = has_port.then(Azurite::start).flatten();
    let mut failures = Vec::new();
    for (number, client) in CLIENTS.iter().enumerate() {
        let Some(tool) = tool(client) else { continue };
        let container = match &azurite {
            Some(azurite) => Some(
                azurite
                    .container(&format!("sdk-{number}"), blobs::ALL)
                    .await,
            ),
            None => None,
        };
        let uri = container.map(|container| container.uri());
        let run = move || run(client, &tool, has_port, uri.as_deref());
        let output = tokio::task::spawn_blocking(run).await.unwrap();
        if let Err(text) = judge(&output) {
            failures.push(format!("{}: {text}", client.name));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// The interpreter, or the directory with the packages.
fn tool(client: &Client) -> Option<OsString> {
    let tool = std::env::var_os(client.variable);
    if tool.is_none() {
        let is_ci = std::env::var("CI").is_ok_and(|value| value == "true");
        assert!(!is_ci, "{} is not set; CI must run it", client.variable);
        println!("skipped: {} is not set", client.variable);
    }
    tool
}

/// Whether we may listen on it; that it is taken is nothing that a namespace should hide.
fn has_port() -> bool {
    match TcpListener::bind(ADDRESS) {
        Ok(_) => true,
        Err(error) if error.kind() == ErrorKind::PermissionDenied => false,
        Err(error) => panic!("{ADDRESS} cannot be listened on: {error}"),
    }
}

fn run(client: &Client, tool: &OsStr, has_port: bool, container: Option<&str>) -> Output {
    let dir = tempfile::tempdir().unwrap();
    let mut command = if has_port {
        let mut shell = Command::new("sh");
        shell.args(["-c", RUN]);
        shell
    } else {
        let mut unshare = Command::new("unshare");
        let script = format!("ip link set lo up\n{RUN}");
        unshare.args(["-rn", "sh", "-c", &script]);
        unshare
    };
    let owner = key('A');
    let policy = format!("iothubowner:{}", owner.expose());
    let connection = ConnectionString {
        host: "127.0.0.2".to_owned(),
        policy: "iothubowner".to_owned(),
        key: owner,
    };
    command
        .arg("sdks")
        .args(program(client, tool))
        .arg(Path::new(SCRIPTS).join(client.script))
        .arg(connection.expose())
        .env("DIR", dir.path())
        .env("HUB", env!("CARGO_BIN_EXE_hub-emulator"))
        .env("HUB_EMULATOR_POLICY", policy)
        .env(client.trust, dir.path().join("tls/ca.pem"))
        .env("NO_PROXY", "*")
        .env_remove("HUBSHIFT_BLOB_SAS_URI")
        .stdin(Stdio::null());
    if let Some(container) = container {
        command.env("HUBSHIFT_BLOB_SAS_URI", container);
    }
    command.output().unwrap()
}

/// The interpreter and what it needs before the script.
fn program(client: &Client, tool: &OsStr) -> Vec<OsString> {
    if client.script.ends_with(".py") {
        return vec![tool.to_owned()];
    }
    let mut packages = OsString::from("NODE_PATH=");
    packages.push(Path::new(tool).join("node_modules"));
    vec!["env".into(), packages, "node".into()]
}

/// At least 30 operations, all of them right.
fn judge(output: &Output) -> Result<(), String> {
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    println!("{out}");
    let last = out.lines().last().unwrap_or_default();
    let count = last.strip_suffix(" operations ok").unwrap_or_default();
    match count.parse::<u32>() {
        Ok(30..) if output.status.success() => Ok(()),
        _ => Err(format!("{}, last line: {last}\n{err}", output.status)),
    }
}
