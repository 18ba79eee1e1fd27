//! The command itself: what survives SIGKILL, and what it says when it cannot start.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod common;

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use common::{VERSION, answer, client, key};
use hubshift_azure::sas;
use serde_json::{Value, json};
use time::OffsetDateTime;

struct Process {
    child: Child,
    host: String,
    ca_pem: String,
}

fn command(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hub-emulator"));
    let policy = format!("iothubowner:{}", key('A').expose());
    command.args(["--listen", "127.0.0.1:0", "--policy", &policy]);
    command.arg("--tls-dir").arg(dir.join("tls"));
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn start(dir: &Path, more: &[&str]) -> Process {
    let mut child = command(dir)
        .arg("--data")
        .arg(dir.join("hub.jsonl"))
        .args(more)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let listening = lines.find_map(|line| {
        line.unwrap()
            .strip_prefix("listening https://")
            .map(str::to_owned)
    });
    let host = listening.expect("the command says where it listens");
    let ca_pem = std::fs::read_to_string(dir.join("tls/ca.pem")).unwrap();
    Process {
        child,
        host,
        ca_pem,
    }
}

impl Process {
    async fn call(&self, method: &str, path: &str, body: Option<Value>) -> common::Answer {
        let expiry = OffsetDateTime::now_utc() + time::Duration::MINUTE;
        let token = sas::token(&self.host, &key('A'), Some("iothubowner"), expiry).unwrap();
        let url = format!("https://{}{path}?{VERSION}", self.host);
        let request = client(&self.ca_pem).request(method.parse().unwrap(), url);
        let request = request.header("authorization", token.expose());
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        answer(request.send().await.unwrap()).await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_sigkill() {
    let dir = tempfile::tempdir().unwrap();
    let mut before = Vec::new();
    {
        let hub = start(dir.path(), &[]);
        for n in 0..20 {
            let path = format!("/devices/d{n}");
            let made = hub
                .call("PUT", &path, Some(json!({"deviceId": format!("d{n}")})))
                .await;
            assert_eq!(made.code(), 200);
        }
        let patch = json!({"tags": {"a": 1}, "properties": {"desired": {"b": 2}}});
        hub.call("PATCH", "/twins/d7", Some(patch)).await;
        for n in 0..20 {
            before.push(hub.call("GET", &format!("/devices/d{n}"), None).await.body);
        }
        before.push(hub.call("GET", "/twins/d7", None).await.body);
        // Dropped here: SIGKILL.
    }
    let hub = start(dir.path(), &[]);
    for (n, expected) in before.iter().take(20).enumerate() {
        assert_eq!(
            &hub.call("GET", &format!("/devices/d{n}"), None).await.body,
            expected
        );
    }
    assert_eq!(
        Some(&hub.call("GET", "/twins/d7", None).await.body),
        before.last()
    );
}

#[tokio::test]
async fn a_seed_fills_an_empty_registry_only() {
    let dir = tempfile::tempdir().unwrap();
    let seed = dir.path().join("devices.txt");
    std::fs::write(&seed, "{\"id\":\"a\",\"status\":\"disabled\"}\n").unwrap();
    let args = ["--seed", seed.to_str().unwrap()];
    {
        let hub = start(dir.path(), &args);
        assert_eq!(
            hub.call("GET", "/devices/a", None).await.body["status"],
            "disabled"
        );
        let body = json!({"deviceId": "a", "status": "enabled"});
        let body = hub
            .call("PATCH", "/twins/a", Some(json!({"tags": body})))
            .await;
        assert_eq!(body.code(), 200);
    }
    let hub = start(dir.path(), &args);
    assert_eq!(
        hub.call("GET", "/twins/a", None).await.body["tags"]["status"],
        "enabled"
    );
}

/// Runs a command that must not start and returns its exit code and what it said.
fn refused(command: &mut Command) -> (i32, String) {
    let Output { status, stderr, .. } = command.output().unwrap();
    (status.code().unwrap(), String::from_utf8(stderr).unwrap())
}

#[test]
fn a_bad_seed_is_told_with_its_line_and_loads_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let seed = dir.path().join("devices.txt");
    std::fs::write(
        &seed,
        "{\"id\":\"a\",\"status\":\"enabled\"}\n{\"id\":\"b\"\n",
    )
    .unwrap();
    let data = dir.path().join("hub.jsonl");
    let mut command = command(dir.path());
    let (code, text) = refused(command.arg("--seed").arg(&seed).arg("--data").arg(&data));
    assert_eq!(code, 64, "{text}");
    assert!(text.contains("line 2: not a JSON object"), "{text}");
    assert!(!data.exists());
}

#[tokio::test]
async fn a_dump_does_not_take_the_place_of_the_data() {
    let dir = tempfile::tempdir().unwrap();
    {
        let hub = start(dir.path(), &[]);
        let made = hub.call("PUT", "/devices/d", Some(json!({"deviceId": "d"})));
        assert_eq!(made.await.code(), 200);
    }
    let data = dir.path().join("hub.jsonl");
    let same = dir.path().join("tls/../hub.jsonl");
    let before = std::fs::read(&data).unwrap();
    let mut command = command(dir.path());
    let (code, text) = refused(command.arg("--data").arg(&data).arg("--dump").arg(&same));
    assert_eq!(code, 64, "{text}");
    assert!(text.contains("is the data file"), "{text}");
    assert_eq!(std::fs::read(&data).unwrap(), before);
}

#[test]
fn a_taken_port_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap().to_string();
    let policy = format!("iothubowner:{}", key('A').expose());
    let mut command = Command::new(env!("CARGO_BIN_EXE_hub-emulator"));
    command
        .args(["--listen", &addr, "--policy", &policy])
        .current_dir(dir.path());
    let (code, text) = refused(&mut command);
    assert_eq!(code, 69, "{text}");
    assert!(text.contains("the port is taken"), "{text}");
}

#[test]
fn certificates_that_nobody_can_get_at_are_told() {
    let policy = format!("iothubowner:{}", key('A').expose());
    let mut command = Command::new(env!("CARGO_BIN_EXE_hub-emulator"));
    command.args(["--listen", "127.0.0.1:0", "--policy", &policy]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.env_remove("RUST_LOG").spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut lines = lines.map(Result::unwrap);
    assert!(lines.any(|line| line.starts_with("listening https://")));
    child.kill().unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("--tls-dir"), "{text}");
}

#[test]
fn data_in_use_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let _first = start(dir.path(), &[]);
    let (code, text) = refused(
        command(dir.path())
            .arg("--data")
            .arg(dir.path().join("hub.jsonl")),
    );
    assert_eq!(code, 69, "{text}");
    assert!(text.contains("in use by another hub-emulator"), "{text}");
}

#[test]
fn wrong_options_are_told_without_the_key() {
    let bin = env!("CARGO_BIN_EXE_hub-emulator");
    let cases: [(&[&str], &str); 5] = [
        (&["--policy", "iothubowner:canary!"], "is not base64"),
        (&["--policy", "canary"], "NAME:BASE64KEY"),
        (&[], "at least one --policy"),
        (
            &["--policy", "iothubowner:AAAA", "--admin", "192.0.2.1:1"],
            "not a loopback",
        ),
        (
            &["--policy", "iothubowner:AAAA", "--hostname", "https://x"],
            "--hostname",
        ),
    ];
    for (args, expected) in cases {
        let mut command = Command::new(bin);
        let (code, text) = refused(command.args(["--listen", "127.0.0.1:0"]).args(args));
        assert_eq!(code, 64, "{text}");
        assert!(text.contains(expected), "{text}");
        assert!(!text.contains("canary"), "{text}");
    }
    let (code, _) = refused(Command::new(bin).arg("--nonsense"));
    assert_eq!(code, 64);
}
