//! `hubshift up` as a process, and the same program run against it.

use std::fs::File;
use std::net::TcpStream;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, ExitStatus, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hubshift_shell::shutdown::STOP_ON_STDIN_EOF;
use serde_json::Value;

use super::processes::signal;
use super::{Folder, PATIENCE, Ran, assert_gone, hubshift, run, until, wait_for};

/// How long a command may take: the longest follow a move to its end.
const COMMAND: Duration = Duration::from_secs(120);

/// A world that runs; it is killed with this value.
pub(crate) struct Up<'f> {
    folder: &'f Folder,
    command: Child,
}

impl<'f> Up<'f> {
    /// Starts a world in a folder, or the one that is there again, and waits until it is up.
    pub(crate) fn start(folder: &'f Folder, options: &str) -> Self {
        let log_file = folder.root().join("up.log");
        let log = File::create(&log_file).unwrap();
        let command = hubshift(folder.root())
            .args(["up", "--dir"])
            .arg(folder.world())
            .args(options.split_whitespace())
            // A test process that is killed takes the world along.
            .env(STOP_ON_STDIN_EOF, "1")
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut up = Self { folder, command };
        until("the world is up", PATIENCE, || {
            assert_eq!(up.command.try_wait().unwrap(), None, "it gave up");
            let said = std::fs::read_to_string(&log_file).unwrap();
            said.contains("the world is up").then_some(())
        });
        up
    }

    /// `127.0.0.1:PORT` of the `concierge`'s operator side, `registry` or `merge`.
    pub(crate) fn address(&self, service: &str) -> String {
        let url = self.folder.setting("context.toml", service);
        url.trim_start_matches("http://").to_owned()
    }

    /// `localhost:PORT` of the listener for devices.
    pub(crate) fn public(&self) -> String {
        let listen = self
            .folder
            .setting("config/concierge.toml", "public_listen");
        listen.replace("127.0.0.1", "localhost")
    }

    /// Who signed the certificate of the listener for devices.
    pub(crate) fn ca(&self) -> PathBuf {
        self.folder.world().join("tls/concierge/ca.pem")
    }

    /// Runs the program; words are separated by blanks.
    #[track_caller]
    pub(crate) fn hubshift(&self, line: &str) -> Ran {
        run(
            hubshift(self.folder.root()).args(line.split_whitespace()),
            COMMAND,
        )
    }

    /// Runs the program, which must end well, and reads what it prints.
    #[track_caller]
    pub(crate) fn json(&self, line: &str) -> Value {
        self.hubshift(&format!("--output json {line}")).ok().json()
    }

    /// Asks the concierge over HTTPS, as a device does: status and body.
    #[track_caller]
    pub(crate) fn ask(&self, path: &str) -> (u16, Value) {
        self.try_ask(path).unwrap()
    }

    /// The same of a concierge that may be gone.
    pub(crate) fn try_ask(&self, path: &str) -> Option<(u16, Value)> {
        let ca = reqwest::Certificate::from_pem(&std::fs::read(self.ca()).unwrap()).unwrap();
        let client = reqwest::Client::builder()
            .no_proxy()
            .add_root_certificate(ca);
        let client = client.timeout(PATIENCE).build().unwrap();
        let url = format!("https://{}{path}", self.public());
        wait_for(async {
            let answer = client.get(url).send().await.ok()?;
            Some((answer.status().as_u16(), answer.json().await.ok()?))
        })
    }

    /// The host that devices are told: somebody listens there.
    #[track_caller]
    pub(crate) fn told_host(&self) -> String {
        let (status, answer) = self.ask("/v1/fleets/acme/endpoint?device=thermostat-0001");
        assert_eq!(status, 200, "{answer}");
        let payload = answer["route"].as_str().unwrap().split('.').nth(1).unwrap();
        let payload = URL_SAFE_NO_PAD.decode(payload).unwrap();
        let route: Value = serde_json::from_slice(&payload).unwrap();
        let host = route["endpoints"][0]["host"].as_str().unwrap().to_owned();
        let reached = TcpStream::connect(&host);
        assert!(
            reached.is_ok(),
            "devices are told {host}, and nobody listens there"
        );
        host
    }

    /// Waits until a hub is a standby that was proven equal.
    #[track_caller]
    pub(crate) fn until_ready(&self, hub: &str) {
        until(&format!("{hub} is ready"), PATIENCE, || {
            let shown = self.json(&format!("hub get {hub}"));
            (shown["hub"]["state"] == "ready").then_some(())
        });
    }

    /// ^C: it winds down, ends well, and leaves no process.
    #[track_caller]
    pub(crate) fn interrupt(mut self) {
        signal("INT", self.command.id());
        let status = self.ended();
        assert!(status.success(), "{status}");
        assert_gone(self.folder);
    }

    /// SIGKILL: it leaves no process all the same.
    #[track_caller]
    pub(crate) fn kill(mut self) {
        signal("KILL", self.command.id());
        assert!(!self.ended().success());
        assert_gone(self.folder);
    }

    #[track_caller]
    fn ended(&mut self) -> ExitStatus {
        until("the command ends", PATIENCE, || {
            self.command.try_wait().unwrap()
        })
    }
}

impl Drop for Up<'_> {
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = self.command.kill();
        let _ = self.command.wait();
    }
}
