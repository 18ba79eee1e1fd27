//! Stopping a world's PostgreSQL under it, and starting it again on the same port.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::processes::signal;
use super::{Folder, PATIENCE, until};

/// Runs the server as it was last run, until its standard input has a line or ends: it does not
/// outlive the test.
const SERVER: &str = r#"
eval "$(cat "$1/postmaster.opts") </dev/null &"
server=$!
read -r _
kill -INT "$server"
wait "$server"
"#;

/// A server that the test started; it ends with this value.
pub(crate) struct Server {
    shell: Child,
    pid_file: PathBuf,
}

/// Stops the world's server as the runbook does, and waits until it is gone.
pub(crate) fn stop_postgres(folder: &Folder) {
    end_postgres(folder, "INT");
}

/// Ends the world's server at once, without a word to its clients and without a checkpoint: it has to
/// recover when it is started again.
pub(crate) fn crash_postgres(folder: &Folder) {
    end_postgres(folder, "QUIT");
}

fn end_postgres(folder: &Folder, how: &str) {
    let pid_file = pid_file(&data(folder));
    let text = fs::read_to_string(&pid_file).unwrap();
    let pid = text.lines().next().unwrap().parse().unwrap();
    signal(how, pid);
    until("PostgreSQL stops", PATIENCE, || {
        (!pid_file.exists()).then_some(())
    });
}

/// Starts it again with the same data, as the user that owns the data, and waits until it is ready.
pub(crate) fn start_postgres(folder: &Folder) -> Server {
    let data = data(folder);
    let log = fs::OpenOptions::new()
        .append(true)
        .open(folder.world().join("logs/postgres.log"));
    let log = log.unwrap();
    let mut shell = Command::new("/bin/sh");
    shell
        .args(["-c", SERVER, "server"])
        .arg(&data)
        .current_dir("/");
    let owner = fs::metadata(&data).unwrap();
    if my_uid() == 0 {
        shell.uid(owner.uid()).gid(owner.gid());
    }
    let shell = shell
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap();
    let server = Server {
        shell,
        pid_file: pid_file(&data),
    };
    until("PostgreSQL is ready", PATIENCE, || {
        server.is_ready().then_some(())
    });
    server
}

impl Server {
    /// The server writes so itself, on the eighth line.
    fn is_ready(&self) -> bool {
        let text = fs::read_to_string(&self.pid_file).unwrap_or_default();
        text.lines()
            .nth(7)
            .is_some_and(|line| line.trim() == "ready")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut pipe) = self.shell.stdin.take() {
            // A shell that is gone needs no telling.
            let _ = pipe.write_all(b"stop\n");
        }
        let _ = self.shell.wait();
    }
}

fn data(folder: &Folder) -> PathBuf {
    folder.world().join("postgres/data")
}

fn pid_file(data: &Path) -> PathBuf {
    data.join("postmaster.pid")
}

fn my_uid() -> u32 {
    let output = Command::new("id").arg("-u").output().unwrap();
    String::from_utf8_lossy(&output.stdout)
        .trim()
        .parse()
        .unwrap()
}
