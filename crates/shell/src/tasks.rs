//! The background tasks of a process: named, waited for, never lost without a log line.
//!
//! Stopping is asked for by token; a task that does not heed it in time is named and cut.

use std::collections::BTreeMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument as _;

use crate::grpc::panic;
use crate::serve;
use crate::serve::front::{self, Front, FrontConfig};

/// A set of background tasks. Clones share it.
#[derive(Debug, Clone)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
    cut: CancellationToken,
    running: Arc<Mutex<BTreeMap<u64, &'static str>>>,
    next: Arc<AtomicU64>,
}

impl Tasks {
    /// An empty set; its tasks are asked to stop when `stop` is cancelled.
    pub fn new(stop: CancellationToken) -> Self {
        Self {
            tracker: TaskTracker::new(),
            stop,
            cut: CancellationToken::new(),
            running: Arc::default(),
            next: Arc::default(),
        }
    }

    /// What a task watches to know that it should end.
    pub fn token(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Starts a task. If it panics, that is logged with its name; the process goes on.
    pub fn spawn<F>(&self, name: &'static str, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let running = Running::enter(self, name);
        let cut = self.cut.clone();
        let guarded = AssertUnwindSafe(future).catch_unwind();
        let task = async move {
            let ended = tokio::select! {
                () = cut.cancelled() => return,
                ended = guarded => ended,
            };
            if let Err(payload) = ended {
                tracing::error!(
                    task = name,
                    panic = panic::text(payload.as_ref()),
                    "a task panicked"
                );
            }
            drop(running);
        };
        self.tracker.spawn(task.in_current_span());
    }

    /// Serves on a port until the tasks stop. A listener that breaks stops them all: somebody must
    /// notice.
    pub fn listen(
        &self,
        name: &'static str,
        listener: TcpListener,
        tls: Option<Arc<rustls::ServerConfig>>,
        app: axum::Router,
    ) {
        let stop = self.token();
        self.spawn(name, async move {
            if let Err(error) = serve(listener, app, tls, stop.clone()).await {
                tracing::error!(listener = name, %error, "a listener broke");
                stop.cancel();
            }
        });
    }

    /// Serves on a port, on threads of its own, until the tasks stop. A front that breaks stops them
    /// all, as [`Tasks::listen`] does. The threads have the first word of `name`.
    pub fn listen_front(
        &self,
        name: &'static str,
        listener: TcpListener,
        tls: Option<Arc<rustls::ServerConfig>>,
        front: impl Front,
        config: FrontConfig,
    ) {
        let stop = self.token();
        self.spawn(name, async move {
            let served = front::serve(name, listener, tls, front, config, stop.clone()).await;
            if let Err(error) = served {
                tracing::error!(listener = name, %error, "a listener broke");
                stop.cancel();
            }
        });
    }

    /// Waits until the tasks are to stop, and then for them as [`Tasks::shutdown`] does.
    ///
    /// # Errors
    /// `asked` is not cancelled: nobody wanted it, a listener broke.
    pub async fn finish(self, asked: CancellationToken, grace: Duration) -> anyhow::Result<()> {
        self.stop.cancelled().await;
        self.shutdown(grace).await;
        anyhow::ensure!(asked.is_cancelled(), "a listener broke; the log has it");
        Ok(())
    }

    /// Asks every task to stop and waits up to `grace`; then names and cuts those that are left.
    /// True if all ended by themselves.
    pub async fn shutdown(&self, grace: Duration) -> bool {
        self.stop.cancel();
        self.tracker.close();
        if tokio::time::timeout(grace, self.tracker.wait())
            .await
            .is_ok()
        {
            return true;
        }
        tracing::warn!(tasks = ?self.running(), "tasks did not stop in time");
        self.cut.cancel();
        self.tracker.wait().await;
        false
    }

    /// The names of the tasks that are running.
    pub fn running(&self) -> Vec<&'static str> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.values().copied().collect()
    }
}

/// A task's entry in the list, for as long as its future exists.
struct Running {
    key: u64,
    list: Arc<Mutex<BTreeMap<u64, &'static str>>>,
}

impl Running {
    fn enter(tasks: &Tasks, name: &'static str) -> Self {
        let key = tasks.next.fetch_add(1, Ordering::Relaxed);
        let list = Arc::clone(&tasks.running);
        list.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key, name);
        Self { key, list }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.list
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(20);

    #[tokio::test]
    async fn a_task_that_heeds_the_token_ends_in_time() {
        let tasks = Tasks::new(CancellationToken::new());
        let token = tasks.token();
        tasks.spawn("heeds", async move { token.cancelled().await });
        assert_eq!(tasks.running(), ["heeds"]);
        assert!(tasks.shutdown(LONG).await);
        assert!(tasks.running().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_does_not_stop_is_cut() {
        let tasks = Tasks::new(CancellationToken::new());
        tasks.spawn("deaf", std::future::pending());
        assert!(!tasks.shutdown(LONG).await);
        assert!(tasks.running().is_empty());
    }

    #[tokio::test]
    async fn a_panic_ends_only_its_own_task() {
        let tasks = Tasks::new(CancellationToken::new());
        tasks.spawn("panics", async { panic!("on purpose") });
        let token = tasks.token();
        tasks.spawn("lives", async move { token.cancelled().await });
        assert!(tasks.shutdown(LONG).await);
    }
}
