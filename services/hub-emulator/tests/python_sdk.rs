//! The unmodified Python SDK against the hub.
//!
//! Needs an interpreter with `azure-iot-hub==2.7.0` and `six`, named by `HUBSHIFT_SDK_PYTHON`.
//! Where it is not set the test is skipped, but not in CI: there it fails.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod common;

use std::path::Path;
use std::process::Command;

use common::hub;

const SCRIPT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../tests/sdk/registry_sdk.py"
);

#[tokio::test(flavor = "multi_thread")]
async fn the_python_sdk_works_against_the_hub() {
    let Some(python) = std::env::var_os("HUBSHIFT_SDK_PYTHON") else {
        let is_ci = std::env::var("CI").is_ok_and(|value| value == "true");
        assert!(
            !is_ci,
            "HUBSHIFT_SDK_PYTHON is not set; CI must run the SDK"
        );
        println!("skipped: HUBSHIFT_SDK_PYTHON is not set");
        return;
    };
    assert!(Path::new(SCRIPT).exists(), "{SCRIPT} is missing");
    let hub = hub().await;
    let dir = tempfile::tempdir().unwrap();
    let ca = dir.path().join("ca.pem");
    std::fs::write(&ca, &hub.running.ca_pem).unwrap();
    let connection = hub.running.connection_string().expose();
    let run = move || {
        Command::new(python)
            .arg(SCRIPT)
            .arg(connection)
            .env("REQUESTS_CA_BUNDLE", ca)
            .env("NO_PROXY", "*")
            .output()
    };
    let output = tokio::task::spawn_blocking(run).await.unwrap().unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    println!("{out}");
    assert!(output.status.success(), "{out}\n{err}");
    let operations = out
        .lines()
        .last()
        .and_then(|line| line.strip_suffix(" operations ok"));
    let operations: u32 = operations
        .and_then(|count| count.parse().ok())
        .unwrap_or_default();
    assert!(operations >= 30, "{out}");
}
