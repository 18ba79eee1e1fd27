//! A real Azurite (Microsoft's local Azure Storage) and containers in it.
//!
//! `HUBSHIFT_AZURITE` names the script of its blob service. Where it is not set, tests that need
//! it are skipped, but not in CI: there they fail.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use hubshift_azure::path;
use reqwest::{Client, Method};
use sha2::Sha256;

const VARIABLE: &str = "HUBSHIFT_AZURITE";

/// An account of the test's own, with a key of 32 zero bytes.
const ACCOUNT: &str = "hubshift";
const KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// The version that signatures are made for, and a time that no test lives to see.
const VERSION: &str = "2019-12-12";
const EXPIRY: &str = "2099-01-01T00:00:00Z";

/// Everything that an import or export job needs of a container.
pub(crate) const ALL: &str = "racwdl";

/// An Azurite that runs; it ends with the value.
pub(crate) struct Azurite {
    child: Child,
    endpoint: String,
    http: Client,
    _dir: tempfile::TempDir,
}

/// A container and the signature that opens it.
pub(crate) struct Container {
    url: String,
    signature: String,
    http: Client,
}

impl Azurite {
    /// Starts one, if there is one to start.
    pub(crate) fn start() -> Option<Self> {
        let Some(script) = std::env::var_os(VARIABLE) else {
            let is_ci = std::env::var("CI").is_ok_and(|value| value == "true");
            assert!(!is_ci, "{VARIABLE} is not set; CI must run Azurite");
            println!("skipped: {VARIABLE} is not set");
            return None;
        };
        let dir = tempfile::tempdir().unwrap();
        let mut child = command(script)
            .current_dir(dir.path())
            .spawn()
            .expect("node runs");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let endpoint = lines.find_map(|line| {
            let line = line.unwrap();
            let (_, url) = line.split_once("successfully listens on ")?;
            Some(url.trim().to_owned())
        });
        // What it says later must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self {
            child,
            endpoint: endpoint.expect("Azurite says where it listens"),
            http: Client::builder().no_proxy().build().unwrap(),
            _dir: dir,
        })
    }

    /// Makes a container; its signature permits this (see [`ALL`]).
    pub(crate) async fn container(&self, name: &str, permissions: &str) -> Container {
        let url = format!("{}/{ACCOUNT}/{name}", self.endpoint);
        let make = format!("{url}?restype=container&{}", account_signature());
        let made = self.http.put(make).body("").send().await.unwrap();
        assert_eq!(made.status().as_u16(), 201, "the container is made");
        Container {
            url,
            signature: container_signature(name, permissions),
            http: self.http.clone(),
        }
    }
}

impl Drop for Azurite {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// On a free port, nothing on disk, no telemetry.
fn command(script: OsString) -> Command {
    let mut command = Command::new("node");
    command
        .arg(script)
        .args(["--blobHost", "127.0.0.1", "--blobPort", "0"])
        .args(["--inMemoryPersistence", "--skipApiVersionCheck"])
        .args(["--disableTelemetry", "--silent"])
        .env("AZURITE_ACCOUNTS", format!("{ACCOUNT}:{KEY}"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    command
}

impl Container {
    /// The container's URI with its signature, as jobs take it.
    pub(crate) fn uri(&self) -> String {
        format!("{}?{}", self.url, self.signature)
    }

    /// A blob's text, if the blob is there.
    pub(crate) async fn read(&self, name: &str) -> Option<String> {
        let response = self.send(Method::GET, name, String::new()).await;
        match response.status().as_u16() {
            200 => Some(response.text().await.unwrap()),
            404 => None,
            other => panic!("reading {name}: {other}"),
        }
    }

    /// Writes a blob.
    pub(crate) async fn write(&self, name: &str, text: String) {
        let response = self.send(Method::PUT, name, text).await;
        assert_eq!(response.status().as_u16(), 201, "writing {name}");
    }

    async fn send(&self, method: Method, name: &str, body: String) -> reqwest::Response {
        let url = format!("{}/{name}?{}", self.url, self.signature);
        let request = self.http.request(method, url);
        let request = request.header("x-ms-blob-type", "BlockBlob").body(body);
        request.send().await.unwrap()
    }
}

/// An account SAS that makes containers.
fn account_signature() -> String {
    // Account, permissions, services, resource types, start, expiry, addresses, protocols, version.
    let fields = [ACCOUNT, "c", "b", "c", "", EXPIRY, "", "", VERSION, ""];
    let signature = sign(&fields.join("\n"));
    query(&[("ss", "b"), ("srt", "c"), ("sp", "c")], &signature)
}

/// A service SAS for one container.
fn container_signature(name: &str, permissions: &str) -> String {
    let resource = format!("/blob/{ACCOUNT}/{name}");
    // Permissions, start, expiry, resource, identifier, addresses, protocols, version, kind of
    // resource, snapshot, and five headers of answers.
    let fields = [
        permissions,
        "",
        EXPIRY,
        &resource,
        "",
        "",
        "",
        VERSION,
        "c",
        "",
        "",
        "",
        "",
        "",
        "",
    ];
    let signature = sign(&fields.join("\n"));
    query(&[("sr", "c"), ("sp", permissions)], &signature)
}

fn sign(text: &str) -> String {
    let key = STANDARD.decode(KEY).unwrap();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    mac.update(text.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

fn query(more: &[(&str, &str)], signature: &str) -> String {
    let common = [("sv", VERSION), ("se", EXPIRY), ("sig", signature)];
    let pairs = common.iter().chain(more);
    pairs
        .map(|(name, value)| format!("{name}={}", path::encode_segment(value)))
        .collect::<Vec<_>>()
        .join("&")
}
