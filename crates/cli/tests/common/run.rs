//! Running a program to its end, with a deadline.

use std::fmt;
use std::io::Read;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::LOOK;

/// The one setting of this machine that a world needs: where PostgreSQL's programs are.
const KEPT: &str = "HUBSHIFT_POSTGRES_BIN";

/// How a program ended.
#[derive(Debug)]
pub(crate) struct Ran {
    /// Its exit code; -1 when a signal ended it.
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            code,
            stdout,
            stderr,
        } = self;
        write!(
            f,
            "exit code {code}\n--- stdout\n{stdout}\n--- stderr\n{stderr}"
        )
    }
}

impl Ran {
    /// It ended well.
    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{self}");
        self
    }

    /// It was refused with this exit code, and names this reason.
    #[track_caller]
    pub(crate) fn refused(self, code: i32, reason: &str) -> Self {
        assert!(self.code == code, "not {code} but {self}");
        assert!(self.stderr.contains(reason), "no {reason} in {self}");
        self
    }

    /// The last line of standard output.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        last_json(&self.stdout).unwrap_or_else(|| panic!("no JSON: {self}"))
    }

    /// The last line of standard error: the problem of a command that prints JSON.
    #[track_caller]
    pub(crate) fn problem(&self) -> Value {
        last_json(&self.stderr).unwrap_or_else(|| panic!("no JSON: {self}"))
    }
}

fn last_json(text: &str) -> Option<Value> {
    serde_json::from_str(text.lines().last()?).ok()
}

/// The program, in a folder, with nothing of this machine's settings.
pub(crate) fn hubshift(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hubshift"));
    clean(&mut command, folder);
    command
}

/// A command in a folder, without this machine's settings.
pub(crate) fn clean(command: &mut Command, folder: &Path) {
    command.current_dir(folder).env_remove("DATABASE_URL");
    let ours = |name: &str| name.starts_with("HUBSHIFT_") || name.starts_with("OTEL_");
    for (name, _) in std::env::vars().filter(|(name, _)| ours(name) && name != KEPT) {
        command.env_remove(name);
    }
}

/// Runs it to its end; panics when it takes longer than `deadline`.
#[track_caller]
pub(crate) fn run(command: &mut Command, deadline: Duration) -> Ran {
    let mut child = command
        // So that what it starts can be ended with it.
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (stdout, stderr) = (drain(child.stdout.take()), drain(child.stderr.take()));
    let end = Instant::now() + deadline;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break Some(status);
        }
        if Instant::now() > end {
            let group = format!("-{}", child.id());
            Command::new("kill")
                .args(["-KILL", "--", &group])
                .status()
                .unwrap();
            child.wait().unwrap();
            break None;
        }
        std::thread::sleep(LOOK);
    };
    let ran = Ran {
        code: status.and_then(|status| status.code()).unwrap_or(-1),
        stdout: stdout.join().unwrap(),
        stderr: stderr.join().unwrap(),
    };
    assert!(
        status.is_some(),
        "{command:?} did not end within {deadline:?}: {ran}"
    );
    ran
}

/// Reads a pipe to its end, on a thread, so that the program never waits for a reader.
fn drain(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // A pipe that breaks has said all that it had to say.
        let _ = pipe.unwrap().read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
