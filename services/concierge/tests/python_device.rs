//! `examples/python`: a device on Microsoft's own SDK follows a signed route.
//!
//! Needs an interpreter with the packages of `examples/python/requirements.txt`, named by
//! `HUBSHIFT_SDK_PYTHON`. Where it is not set the test is skipped, but not in CI: there it fails.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::process::Command;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

#[test]
fn the_python_example_connects_where_the_route_says() {
    let Some(python) = std::env::var_os("HUBSHIFT_SDK_PYTHON") else {
        let is_ci = std::env::var("CI").is_ok_and(|value| value == "true");
        assert!(!is_ci, "HUBSHIFT_SDK_PYTHON is not set; CI must run it");
        println!("skipped: HUBSHIFT_SDK_PYTHON is not set");
        return;
    };
    let mut command = Command::new(python);
    command
        .arg(format!("{ROOT}/tests/sdk/device_example.py"))
        .arg(ROOT)
        .env("NO_PROXY", "*");
    let output = command.output().unwrap();
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    println!("{out}");
    assert!(output.status.success(), "{out}\n{err}");
    let checks = out
        .lines()
        .last()
        .and_then(|line| line.strip_suffix(" checks ok"));
    let checks: u32 = checks
        .and_then(|count| count.parse().ok())
        .unwrap_or_default();
    assert!(checks >= 25, "{out}");
}
