//! Whole worlds for tests: `hubshift up` in a folder of its own, as a process, and the same program
//! run against it. Nothing of this machine's settings gets in, and nothing outlives a test: a
//! world's standard input is a pipe that the test process holds.

#![allow(
    dead_code,
    unused_imports,
    reason = "each test file uses a part of this"
)]

mod folder;
mod grpcurl;
mod health;
mod hub;
mod postgres;
mod processes;
mod run;
mod shell;
mod up;

use std::future::Future;
use std::time::{Duration, Instant};

pub(crate) use folder::Folder;
pub(crate) use grpcurl::grpcurl;
pub(crate) use health::{Serving, serving};
pub(crate) use hub::tag_past_us;
pub(crate) use postgres::{crash_postgres, start_postgres, stop_postgres};
pub(crate) use processes::{assert_gone, paused, pid_of, services, signal};
pub(crate) use run::{Ran, hubshift, run};
pub(crate) use shell::{Block, blocks, sh};
pub(crate) use up::Up;

/// How long anything may take that takes seconds.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// How often a condition is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// Looks until there is something, and returns it; panics with `what` when the time is up.
#[track_caller]
pub(crate) fn until<T>(what: &str, deadline: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + deadline;
    loop {
        let is_last = Instant::now() >= end;
        if let Some(found) = look() {
            return found;
        }
        assert!(!is_last, "not within {deadline:?}: {what}");
        std::thread::sleep(LOOK);
    }
}

/// Waits for a future on this thread.
pub(crate) fn wait_for<F: Future>(future: F) -> F::Output {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().unwrap().block_on(future)
}

/// A new UUID, as text.
pub(crate) fn uuid() -> String {
    uuid::Uuid::new_v4().to_string()
}
