//! A gdnsd as a foreground process of this user, on a port and in a folder of its own.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::concierges::{EAST, NAME, Place, WEST};
use crate::dns;

/// Which probe the name rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Probe {
    /// gdnsd's own.
    Http,
    /// curl's, through TLS.
    Https,
}

/// The program; `None` when the tests are to be skipped.
pub(crate) fn program() -> Option<OsString> {
    let program = std::env::var_os("HUBSHIFT_GDNSD");
    if program.is_none() {
        let is_ci = std::env::var("CI").is_ok_and(|value| value == "true");
        assert!(!is_ci, "HUBSHIFT_GDNSD is not set; CI must run gdnsd");
        println!("skipped: HUBSHIFT_GDNSD is not set");
    }
    program
}

/// The folder of the configuration that is shipped.
pub(crate) fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/gdnsd")
}

/// What gdnsd says of a configuration; it must be good.
pub(crate) fn check(program: &OsStr, dir: &Path) -> String {
    let mut command = Command::new(program);
    let output = command.arg("-c").arg(dir).arg("checkconf").output();
    let output = output.unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    said
}

/// A gdnsd; it ends with this value.
pub(crate) struct Gdnsd {
    child: Child,
    server: SocketAddr,
    dir: TempDir,
}

impl Gdnsd {
    /// Starts it with the shipped configuration, put into the place of this test.
    pub(crate) fn start(program: &OsStr, place: &Place) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let server = free_port();
        let zones = dir.path().join("zones");
        fs::create_dir(&zones).unwrap();
        let zone = "hubshift.example.com";
        fs::copy(shipped().join("zones").join(zone), zones.join(zone)).unwrap();
        let text = render(place, dir.path(), server);
        fs::write(dir.path().join("config"), text).unwrap();
        check(program, dir.path());
        let log = fs::File::create(dir.path().join("log")).unwrap();
        let child = Command::new(program)
            .arg("-c")
            .arg(dir.path())
            .arg("start")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        Self { child, server, dir }
    }

    /// The concierges that it names, and for how long.
    pub(crate) async fn ask(&self) -> Vec<(Ipv4Addr, u32)> {
        dns::addresses(self.server, NAME).await
    }

    /// What it said.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Gdnsd {
    fn drop(&mut self) {
        // An orderly end takes its helper along. Already gone is as good.
        let _ = Command::new("kill")
            .arg(self.child.id().to_string())
            .status();
        let _ = self.child.wait();
    }
}

/// The shipped text with this test's addresses, port, folders and pace.
fn render(place: &Place, dir: &Path, server: SocketAddr) -> String {
    let (run, state) = (dir.join("run"), dir.join("state"));
    let service = match place.probe {
        Probe::Http => "service_types => concierge_http,",
        Probe::Https => "service_types => concierge_https,",
    };
    let changes = [
        ("192.0.2.53", server.to_string()),
        ("/run/gdnsd", run.display().to_string()),
        ("/var/lib/gdnsd", state.display().to_string()),
        (
            "/etc/hubshift/concierge-ca.pem",
            place.ca.display().to_string(),
        ),
        ("example.com:8443", format!("example.com:{}", place.port)),
        ("port => 8443", format!("port => {}", place.port)),
        ("192.0.2.10", EAST.to_string()),
        ("198.51.100.10", WEST.to_string()),
        ("service_types => concierge_https,", service.to_owned()),
        // As fast as gdnsd goes.
        ("interval => 5", "interval => 2".to_owned()),
        ("timeout => 3", "timeout => 1".to_owned()),
        ("timeout => 4", "timeout => 1".to_owned()),
        ("--max-time, 3", "--max-time, 1".to_owned()),
    ];
    let mut text = fs::read_to_string(shipped().join("config")).unwrap();
    for (shipped, ours) in changes {
        assert!(
            text.contains(shipped),
            "`{shipped}` is not in the shipped text"
        );
        text = text.replace(shipped, &ours);
    }
    text
}

/// One that is free for TCP and UDP alike.
fn free_port() -> SocketAddr {
    loop {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = tcp.local_addr().unwrap();
        if UdpSocket::bind(address).is_ok() {
            return address;
        }
    }
}
