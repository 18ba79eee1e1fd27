//! Makes the compiler run every SQL macro against a database as the migrations make it, and say
//! what it learnt.
//!
//! The macros run when a crate is compiled, and what decides whether one is compiled again doesn't
//! know about the database. A target directory of our own, thrown away each time, would do, but
//! costs every dependency again. So the workspace's crates alone are compiled apart: cargo keeps
//! what came through a workspace wrapper (here `env`, which just runs the compiler) separately from
//! everything else, and shares the dependencies with clippy. What it kept is removed afterwards, so
//! that the next time compiles again; no source file is touched, no other build is disturbed.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use hubshift_testkit::pg::{Database, Role};
use serde_json::Value;
use tempfile::TempDir;

use crate::context::Context;
use crate::process::cargo;

/// Does nothing but run what it is given.
const WRAPPER: &str = "/usr/bin/env";

/// Query data of the whole workspace, a file for each query. All targets: a test's query needs its
/// data as well, and clippy has checked just the same dependencies.
pub(super) async fn collect(context: &mut Context) -> anyhow::Result<TempDir> {
    let server = context.server().await?;
    let database = Database::on(&server).await?;
    loop {
        let data = tempfile::tempdir()?;
        let mut check = cargo(&context.root);
        check
            .args(["check", "--workspace", "--all-targets"])
            .arg("--message-format=json-render-diagnostics")
            .env("RUSTC_WORKSPACE_WRAPPER", WRAPPER)
            .env("SQLX_OFFLINE", "false")
            .env("SQLX_OFFLINE_DIR", data.path())
            .env("DATABASE_URL", database.url(Role::Superuser));
        let units = compile(&mut check)?;
        for path in units.iter().flat_map(|unit| &unit.metadata) {
            std::fs::remove_file(path)
                .with_context(|| format!("could not remove {}", path.display()))?;
        }
        // Left over from a run that was killed: its macros did not run now.
        if units.iter().all(|unit| !unit.kept) {
            return Ok(data);
        }
    }
}

/// One compilation of a crate of the workspace.
#[derive(Debug, PartialEq, Eq)]
struct Unit {
    /// Not compiled now, because what was there still fits.
    kept: bool,
    /// What the compiler wrote for the crates that use this one.
    metadata: Vec<PathBuf>,
}

fn compile(check: &mut Command) -> anyhow::Result<Vec<Unit>> {
    let output = check
        .stderr(Stdio::inherit())
        .output()
        .context("could not run cargo")?;
    if !output.status.success() {
        bail!("a query does not fit the migrations, or the workspace does not compile");
    }
    Ok(String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(unit)
        .collect())
}

/// What a line of cargo's messages says about a crate of the workspace.
fn unit(line: &str) -> Option<Unit> {
    let message: Value = serde_json::from_str(line).ok()?;
    let ours = message["package_id"].as_str()?.starts_with("path+file:");
    if message["reason"] != "compiler-artifact" || !ours {
        return None;
    }
    let files = message["filenames"]
        .as_array()?
        .iter()
        .filter_map(Value::as_str);
    let metadata: Vec<_> = files
        .map(PathBuf::from)
        .filter(|path| path.extension() == Some("rmeta".as_ref()))
        .collect();
    // A build script has none; it runs no macro that matters here.
    (!metadata.is_empty()).then(|| Unit {
        kept: message["fresh"] == true,
        metadata,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sees_the_workspace_and_leaves_dependencies_alone() {
        let ours = r#"{"reason": "compiler-artifact", "fresh": true,
            "package_id": "path+file:///src/store#hubshift-store@0.1.0",
            "filenames": ["/t/libhubshift_store-1.rmeta"]}"#;
        let metadata = vec![PathBuf::from("/t/libhubshift_store-1.rmeta")];
        assert_eq!(
            unit(ours),
            Some(Unit {
                kept: true,
                metadata
            })
        );
        assert_eq!(unit(&ours.replace("path+file:", "registry+https:")), None);
        assert_eq!(unit(&ours.replace(".rmeta", "")), None);
        assert_eq!(unit("   Compiling hubshift-store"), None);
    }
}
