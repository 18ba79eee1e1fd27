//! One start of a server: its settings, waiting until it is ready, and why it is not.
//!
//! Ready is what the server writes into its own pid file; a connection to the port could be
//! answered by somebody else who took it.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::error::PgError;
use crate::find::Installation;
use crate::guard::{Plan, Server};
use crate::home::Home;
use crate::settings::Settings;

/// Recovery after a crash can take long, a start otherwise a fraction of a second.
const READY_PATIENCE: Duration = Duration::from_secs(60);

/// How long the processes of a killed postmaster may hold on to its memory.
const LEFTOVERS_PATIENCE: Duration = Duration::from_secs(10);

/// How often we look into the pid file.
const LOOK: Duration = Duration::from_millis(20);

/// What one start needs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Launch<'a> {
    pub(crate) home: &'a Home,
    pub(crate) installation: &'a Installation,
    pub(crate) settings: &'a Settings,
    pub(crate) port: u16,
}

impl Launch<'_> {
    /// Starts the server and returns when it takes connections.
    pub(crate) async fn run(self) -> Result<Server, PgError> {
        let deadline = Instant::now() + LEFTOVERS_PATIENCE;
        loop {
            match self.attempt().await {
                Err(Failure::Leftovers) if Instant::now() < deadline => {
                    tokio::time::sleep(LOOK).await;
                }
                Err(Failure::Leftovers) => {
                    return Err(PgError::InUse {
                        dir: self.home.dir.clone(),
                    });
                }
                Err(Failure::Other(error)) => return Err(error),
                Ok(server) => return Ok(server),
            }
        }
    }

    async fn attempt(self) -> Result<Server, Failure> {
        let path = log_path(self.home, self.settings);
        let log = open_log(&path).map_err(Failure::Other)?;
        let start = log.metadata().map_or(0, |meta| meta.len());
        let program = self.installation.program("postgres");
        let orphaned = if self.home.ephemeral {
            Plan::IMMEDIATE
        } else {
            Plan::FAST_ORPHAN
        };
        let mut server = Server::spawn(self.home, orphaned, &program, &self.arguments(), log)
            .map_err(Failure::Other)?;
        let deadline = Instant::now() + READY_PATIENCE;
        while !is_ready(&self.home.data(), server.pid) {
            if server.exited() {
                return Err(self.explain(&tail(&path, start)));
            }
            if Instant::now() > deadline {
                let (seconds, log) = (READY_PATIENCE.as_secs(), tail(&path, start));
                return Err(Failure::Other(PgError::NotReady { seconds, log }));
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(server)
    }

    /// Settings go on the command line, so that an old home follows what is asked today.
    fn arguments(self) -> Vec<String> {
        let data = self.home.data();
        let switch = if self.settings.durable { "on" } else { "off" };
        // synchronous_commit stays on: a commit must reach the kernel at least, because tests kill
        // the server and then look for what was acknowledged.
        let settings = [
            ("listen_addresses", "127.0.0.1".to_owned()),
            ("port", self.port.to_string()),
            ("unix_socket_directories", String::new()),
            ("max_connections", self.settings.max_connections.to_string()),
            ("fsync", switch.to_owned()),
            ("full_page_writes", switch.to_owned()),
            ("password_encryption", "scram-sha-256".to_owned()),
            ("logging_collector", "off".to_owned()),
            ("log_destination", "stderr".to_owned()),
        ];
        let named = settings
            .iter()
            .flat_map(|(key, value)| ["-c".into(), format!("{key}={value}")]);
        ["-D".to_owned(), data.display().to_string()]
            .into_iter()
            .chain(named)
            .collect()
    }

    /// Why the server gave up, from what it said (in English: it runs with `LC_ALL=C`).
    fn explain(self, log: &str) -> Failure {
        if log.contains("pre-existing shared memory block") {
            return Failure::Leftovers;
        }
        Failure::Other(if log.contains("could not create any TCP/IP sockets") {
            PgError::PortTaken { port: self.port }
        } else if log.contains("\"postmaster.pid\" already exists") {
            PgError::InUse {
                dir: self.home.dir.clone(),
            }
        } else {
            PgError::StartFailed {
                log: log.to_owned(),
            }
        })
    }
}

/// Why one attempt failed.
enum Failure {
    /// Processes of a killed postmaster are still there; they leave by themselves.
    Leftovers,
    Other(PgError),
}

/// A port of the loopback address that is free now; somebody may take it before the server does.
/// Below the range of outgoing connections, so that a server that is started again finds it free.
pub(crate) fn free_port() -> Result<u16, PgError> {
    let mut last = None;
    for _ in 0..100 {
        let mut draw = [0; 2];
        getrandom::fill(&mut draw)
            .map_err(|error| PgError::io("get random bytes")(std::io::Error::other(error)))?;
        let port = 20_000 + u16::from_le_bytes(draw) % 12_000;
        match std::net::TcpListener::bind(("127.0.0.1", port)) {
            Ok(_) => return Ok(port),
            Err(error) => last = Some(error),
        }
    }
    let error = last.unwrap_or_else(|| std::io::ErrorKind::AddrInUse.into());
    Err(PgError::io("find a free port")(error))
}

/// Where the server's log goes.
pub(crate) fn log_path(home: &Home, settings: &Settings) -> PathBuf {
    settings
        .log_file
        .clone()
        .unwrap_or_else(|| home.dir.join("postgres.log"))
}

/// We open the log, not the server's user: it may lie where only we can write.
fn open_log(path: &Path) -> Result<File, PgError> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .map_err(PgError::io(format!("open {}", path.display())))
}

/// Line 1 of the pid file is the postmaster's id, line 8 its state.
fn is_ready(data: &Path, pid: u32) -> bool {
    let Ok(text) = std::fs::read_to_string(data.join("postmaster.pid")) else {
        return false;
    };
    let mut lines = text.lines().map(str::trim);
    lines.next() == Some(pid.to_string().as_str()) && lines.nth(6) == Some("ready")
}

/// The last lines of what was logged since `start`.
fn tail(path: &Path, start: u64) -> String {
    const LINES: usize = 12;
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|mut file| {
        file.seek(SeekFrom::Start(start))?;
        file.read_to_end(&mut bytes)
    });
    if let Err(error) = read {
        return format!("its log {} can't be read: {error}", path.display());
    }
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_is_said_by_the_server_that_we_started() {
        let data = tempfile::tempdir().unwrap();
        let path = data.path().join("postmaster.pid");
        let lines = "77\n/data\n1700000000\n5433\n\n127.0.0.1\n  1  2\n";
        std::fs::write(&path, format!("{lines}starting\n")).unwrap();
        assert!(!is_ready(data.path(), 77));
        std::fs::write(&path, format!("{lines}ready   \n")).unwrap();
        assert!(is_ready(data.path(), 77));
        assert!(!is_ready(data.path(), 78));
    }

    #[test]
    fn the_tail_leaves_out_earlier_starts() {
        let place = tempfile::tempdir().unwrap();
        let log = place.path().join("log");
        std::fs::write(&log, "old\nnew one\nnew two\n").unwrap();
        assert_eq!(tail(&log, 4), "new one\nnew two");
    }
}
