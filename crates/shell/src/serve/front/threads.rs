//! The threads of a front: started together, stopped together, waited for.

use std::rc::Rc;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::{self, LocalOptions};
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::accept::{self, Work};
use super::desk::{Desk, Shared};
use super::{Front, FrontConfig};
use crate::serve::GRACE;

/// Serves until `stop`; returns when every thread has ended, at most [`GRACE`] later. Dropped
/// before that, it makes them end at once.
pub(crate) async fn serve<F: Front>(
    name: &'static str,
    listener: TcpListener,
    tls: Option<Arc<rustls::ServerConfig>>,
    front: F,
    config: FrontConfig,
    stop: CancellationToken,
) -> std::io::Result<()> {
    serve_within(GRACE, name, listener, tls, front, config, stop).await
}

/// As [`serve`], with a grace period of its own.
pub(super) async fn serve_within<F: Front>(
    grace: Duration,
    name: &'static str,
    listener: TcpListener,
    tls: Option<Arc<rustls::ServerConfig>>,
    front: F,
    config: FrontConfig,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let address = listener.local_addr()?;
    let listener = listener.into_std()?;
    let with_tls = tls.is_some();
    let cut = CancellationToken::new();
    let work = Work {
        front,
        tls,
        stop: stop.clone(),
        grace,
        cut: cut.clone(),
    };
    let threads = Threads::start(name, listener, &config, work)?;
    let count = threads.running.len();
    tracing::info!(%address, tls = with_tls, threads = count, "listening");
    threads.wait(&stop).await?;
    tracing::info!(%address, "closed");
    Ok(())
}

struct Threads {
    running: Vec<JoinHandle<std::io::Result<()>>>,
    /// A word from each that ends; closed when all have.
    ended: mpsc::UnboundedReceiver<()>,
    cut: DropGuard,
}

impl Threads {
    /// If one of them can't be started, those that were end at once.
    fn start<F: Front>(
        name: &'static str,
        listener: std::net::TcpListener,
        config: &FrontConfig,
        work: Work<F>,
    ) -> std::io::Result<Self> {
        // "public listener" has threads public-0, public-1, …
        let name = name.split(' ').next().unwrap_or(name);
        let shared = Arc::new(Shared::new(name, config.limits.clone()));
        tracing::debug!(
            listener = name,
            room = shared.room(),
            "connections are limited"
        );
        let (end, ended) = mpsc::unbounded_channel();
        let mut threads = Self {
            running: Vec::new(),
            ended,
            cut: work.cut.clone().drop_guard(),
        };
        for index in 0..config.thread_count() {
            let listener = listener.try_clone()?;
            let (shared, work) = (Arc::clone(&shared), work.again());
            let ending = Ending(end.clone());
            let thread = Builder::new().name(format!("{name}-{index}"));
            threads.running.push(thread.spawn(move || {
                let _ending = ending;
                run(listener, shared, index, work)
            })?);
        }
        Ok(threads)
    }

    /// Until all have ended. The first that ends without having been asked takes the others along:
    /// somebody must notice.
    async fn wait(mut self, stop: &CancellationToken) -> std::io::Result<()> {
        self.ended.recv().await;
        if !stop.is_cancelled() {
            drop(self.cut);
        }
        while self.ended.recv().await.is_some() {}
        let mut result = Ok(());
        for thread in self.running {
            // It has said that it ends, so this waits for nothing.
            let ended = thread.join();
            let ended = ended.unwrap_or_else(|_| Err(std::io::Error::other("a thread panicked")));
            result = result.and(ended);
        }
        result
    }
}

/// Says that a thread ends, if only by a panic.
struct Ending(mpsc::UnboundedSender<()>);

impl Drop for Ending {
    fn drop(&mut self) {
        // Nobody listens any more when the front itself was dropped.
        let _ = self.0.send(());
    }
}

impl<F: Front> Work<F> {
    /// The same for one more thread.
    fn again(&self) -> Self {
        Self {
            front: self.front.clone(),
            tls: self.tls.clone(),
            stop: self.stop.clone(),
            grace: self.grace,
            cut: self.cut.clone(),
        }
    }
}

/// A thread's life.
fn run<F: Front>(
    listener: std::net::TcpListener,
    shared: Arc<Shared>,
    index: usize,
    work: Work<F>,
) -> std::io::Result<()> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build_local(LocalOptions::default())?;
    runtime.block_on(async move {
        let listener = TcpListener::from_std(listener)?;
        let desk = Rc::new(Desk::new(shared, index));
        accept::run(listener, desk, work).await;
        Ok(())
    })
}
