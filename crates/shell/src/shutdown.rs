//! When a process stops: at SIGINT or SIGTERM, or when the process that started it is gone.
//!
//! The first signal cancels a token and everything winds down; the second one ends the process.
//! Nothing depends on this for safety: a process may be killed at any moment.

use std::io::Read;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::exit;

/// Set to `1` by a parent that holds the other end of this process's standard input.
pub const STOP_ON_STDIN_EOF: &str = "HUBSHIFT_STOP_ON_STDIN_EOF";
/// How long an orderly stop may take once the parent is gone.
const ORPHAN_GRACE: Duration = Duration::from_secs(15);

/// A token that is cancelled when the process is to stop. Includes [`parent_watch`]. Call it
/// once, inside a tokio runtime.
///
/// A second signal ends the process with [`exit::INTERRUPTED`].
pub fn signal_token() -> CancellationToken {
    let token = CancellationToken::new();
    parent_watch(&token);
    match (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) {
        (Ok(interrupt), Ok(terminate)) => {
            tokio::spawn(watch_signals(interrupt, terminate, token.clone()));
        }
        (Err(error), _) | (_, Err(error)) => {
            tracing::warn!(%error, "signals stop this process without winding down");
        }
    }
    token
}

async fn watch_signals(mut interrupt: Signal, mut terminate: Signal, token: CancellationToken) {
    next(&mut interrupt, &mut terminate).await;
    tracing::info!("stopping, a second signal ends the process at once");
    token.cancel();
    next(&mut interrupt, &mut terminate).await;
    std::process::exit(i32::from(exit::INTERRUPTED));
}

async fn next(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

/// Cancels `token` when standard input ends, if [`STOP_ON_STDIN_EOF`] is `1`; otherwise does
/// nothing. A parent that holds the pipe's other end is so never outlived, however it died: a
/// stop that takes longer than 15 s is cut short.
pub fn parent_watch(token: &CancellationToken) {
    if !std::env::var(STOP_ON_STDIN_EOF).is_ok_and(|value| value == "1") {
        return;
    }
    let token = token.clone();
    let spawned = std::thread::Builder::new()
        .name("parent-watch".to_owned())
        .spawn(move || {
            until_end(std::io::stdin().lock());
            tracing::info!("the parent process is gone, stopping");
            token.cancel();
            std::thread::sleep(ORPHAN_GRACE);
            std::process::exit(i32::from(exit::INTERRUPTED));
        });
    if let Err(error) = spawned {
        tracing::warn!(%error, "no thread to watch the parent process");
    }
}

/// Reads and forgets until the end, or until reading fails for good.
fn until_end(mut input: impl Read) {
    let mut scratch = [0; 256];
    loop {
        match input.read(&mut scratch) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn the_watch_ends_when_the_writer_is_gone_and_not_before() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let watcher = std::thread::spawn(move || until_end(reader));
        writer.write_all(b"ignored").unwrap();
        assert!(!watcher.is_finished());
        drop(writer);
        watcher.join().unwrap();
    }
}
