//! Two small shells that survive the command: one runs the server and ends it, one removes a
//! throw-away home.
//!
//! Each holds the read end of a pipe from the command. However the command ends, SIGKILL included,
//! the system closes the write end and the shell sees end of file; nothing that the command starts
//! inherits that end, because the standard library opens it close-on-exec. The shells ignore the
//! terminal's signals and have process groups of their own, so ^C reaches the services first.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use crate::error::PgError;
use crate::home::Home;
use crate::initdb::command;

const GUARD: &str = include_str!("guard.sh");
const SWEEPER: &str = include_str!("sweeper.sh");

/// How often we look whether a shell is done.
const LOOK: Duration = Duration::from_millis(10);

/// How to end a server: pairs of a signal and tenths of a second, as `guard.sh` reads them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan(&'static str);

impl Plan {
    /// Clients are thrown out and everything is written down.
    pub(crate) const FAST: Self = Self("INT 300 QUIT 60 KILL 10");
    /// The same in less time: the command is gone and nobody waits.
    pub(crate) const FAST_ORPHAN: Self = Self("INT 50 QUIT 30 KILL 10");
    /// Nothing is written down: for data that is thrown away.
    pub(crate) const IMMEDIATE: Self = Self("QUIT 60 KILL 10");
    /// As a crash would.
    pub(crate) const KILL: Self = Self("KILL 50");

    /// The longest time that the plan takes.
    pub(crate) fn patience(self) -> Duration {
        let tenths: u64 = self
            .0
            .split(' ')
            .filter_map(|word| word.parse::<u64>().ok())
            .sum();
        // One more second for the shell itself.
        Duration::from_millis(100 * tenths) + Duration::from_secs(1)
    }
}

/// A running server and the shell that guards it.
#[derive(Debug)]
pub(crate) struct Server {
    shell: Shell,
    /// The postmaster's process id.
    pub(crate) pid: u32,
}

impl Server {
    /// Starts the server; it is not ready yet. `orphaned`: what to do when the command dies.
    pub(crate) fn spawn(
        home: &Home,
        orphaned: Plan,
        program: &Path,
        arguments: &[String],
        log: File,
    ) -> Result<Self, PgError> {
        let mut shell = command(home, Path::new("/bin/sh"));
        shell
            .args(["-c", GUARD, "guard", orphaned.0])
            .arg(program)
            .args(arguments);
        let mut shell = Shell::spawn(shell.stdout(Stdio::piped()).stderr(log))?;
        let pid = shell.first_number()?;
        Ok(Self { shell, pid })
    }

    /// Tells the guard to end the server. A guard that is gone already needs no telling.
    pub(crate) fn tell(&mut self, plan: Plan) {
        if let Some(pipe) = &mut self.shell.pipe {
            let _gone = writeln!(pipe, "{}", plan.0);
        }
    }

    /// Whether the server is gone.
    pub(crate) fn exited(&mut self) -> bool {
        self.shell.exited()
    }

    /// Waits until the server is gone; false when it still is there after `patience`.
    pub(crate) async fn gone(&mut self, patience: Duration) -> bool {
        self.shell.gone(patience).await
    }

    /// The same for a destructor.
    pub(crate) fn gone_blocking(&mut self, patience: Duration) -> bool {
        self.shell.gone_blocking(patience)
    }
}

/// The shell that removes a throw-away home.
#[derive(Debug)]
pub(crate) struct Sweeper(Shell);

impl Sweeper {
    /// Starts it; it sweeps when this value, or the process that holds it, is gone.
    pub(crate) fn spawn(home: &Home) -> Result<Self, PgError> {
        let mut shell = command(home, Path::new("/bin/sh"));
        shell.args(["-c", SWEEPER, "sweeper"]).arg(&home.dir);
        Shell::spawn(shell.stdout(Stdio::null()).stderr(Stdio::null())).map(Self)
    }

    /// Sweeps now.
    pub(crate) async fn sweep(mut self) {
        self.0.pipe = None;
        self.0.gone(SWEEP_PATIENCE).await;
    }

    /// The same for a destructor.
    pub(crate) fn sweep_blocking(mut self) {
        self.0.pipe = None;
        self.0.gone_blocking(SWEEP_PATIENCE);
    }
}

const SWEEP_PATIENCE: Duration = Duration::from_secs(10);

/// A shell and the write end of its pipe.
#[derive(Debug)]
struct Shell {
    child: Child,
    pipe: Option<ChildStdin>,
}

impl Shell {
    fn spawn(command: &mut Command) -> Result<Self, PgError> {
        let mut child = command
            .process_group(0)
            .stdin(Stdio::piped())
            .spawn()
            .map_err(PgError::io("start /bin/sh"))?;
        let pipe = child.stdin.take();
        Ok(Self { child, pipe })
    }

    /// The number on the first line; it comes at once, before anything that takes time.
    fn first_number(&mut self) -> Result<u32, PgError> {
        let mut line = String::new();
        if let Some(stdout) = self.child.stdout.take() {
            BufReader::new(stdout)
                .read_line(&mut line)
                .map_err(PgError::io("read from the guard"))?;
        }
        line.trim()
            .parse()
            .map_err(|error| PgError::io("understand the guard")(std::io::Error::other(error)))
    }

    fn exited(&mut self) -> bool {
        // An error means that there is no such child any more.
        !matches!(self.child.try_wait(), Ok(None))
    }

    async fn gone(&mut self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        while !self.exited() {
            if Instant::now() > deadline {
                return false;
            }
            tokio::time::sleep(LOOK).await;
        }
        true
    }

    fn gone_blocking(&mut self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        while !self.exited() {
            if Instant::now() > deadline {
                return false;
            }
            std::thread::sleep(LOOK);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_takes_as_long_as_its_steps() {
        assert_eq!(Plan::IMMEDIATE.patience(), Duration::from_secs(8));
    }

    #[test]
    fn an_orphaned_server_is_gone_within_ten_seconds() {
        for plan in [Plan::FAST_ORPHAN, Plan::IMMEDIATE] {
            assert!(plan.patience() <= Duration::from_secs(10));
        }
    }
}
