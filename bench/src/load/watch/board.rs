//! Where the connections note what their streams were told, and where the measurement waits for
//! it. One thread runs all of them; the lock is for the compiler, and never held while waiting.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use tokio::sync::Notify;
use tokio::time::timeout;

/// What is noted at once.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// Streams that got their first message.
    pub(super) opened: usize,
    /// Changes that streams got for the first time.
    pub(super) changes: Vec<u32>,
}

/// What all streams were told.
#[derive(Debug)]
pub(super) struct Board {
    streams: usize,
    state: Mutex<State>,
    news: Notify,
}

#[derive(Debug, Default)]
struct State {
    opened: usize,
    /// The change that is waited for, and when it came, stream by stream.
    change: u32,
    arrivals: Vec<Instant>,
    broken: Option<String>,
}

impl Board {
    /// For so many streams.
    pub(super) fn new(streams: usize) -> Self {
        Self {
            streams,
            state: Mutex::default(),
            news: Notify::new(),
        }
    }

    /// Notes what came at a time; whoever waits is told when nothing is missing any more.
    pub(super) fn note(&self, notes: &Notes, now: Instant) {
        let mut state = self.state();
        state.opened += notes.opened;
        let awaited = state.change;
        let here = notes.changes.iter().filter(|change| **change == awaited);
        let arrivals = state.arrivals.len() + here.count();
        state.arrivals.resize(arrivals, now);
        let all_opened = notes.opened > 0 && state.opened >= self.streams;
        let all_reached = !notes.changes.is_empty() && arrivals >= self.streams;
        if all_opened || all_reached {
            self.news.notify_one();
        }
    }

    /// Notes that a connection is of no use any more.
    pub(super) fn broke(&self, error: &anyhow::Error) {
        self.state().broken.get_or_insert(format!("{error:#}"));
        self.news.notify_one();
    }

    /// From now on this change is waited for.
    pub(super) fn expect(&self, change: u32) {
        let mut state = self.state();
        state.change = change;
        state.arrivals = Vec::with_capacity(self.streams);
    }

    /// Waits until every stream got its first message.
    pub(super) async fn opened(&self, patience: Duration) -> anyhow::Result<()> {
        self.until(patience, |state| state.opened).await
    }

    /// Waits until every stream got the change; says when.
    pub(super) async fn reached(&self, patience: Duration) -> anyhow::Result<Vec<Instant>> {
        self.until(patience, |state| state.arrivals.len()).await?;
        Ok(std::mem::take(&mut self.state().arrivals))
    }

    async fn until(
        &self,
        patience: Duration,
        count: impl Fn(&State) -> usize,
    ) -> anyhow::Result<()> {
        let whole = async {
            while !self.look(&count)? {
                self.news.notified().await;
            }
            anyhow::Ok(())
        };
        match timeout(patience, whole).await {
            Ok(whole) => whole,
            Err(_) => bail!(
                "{} of {} streams were reached within {patience:?}",
                count(&self.state()),
                self.streams
            ),
        }
    }

    fn look(&self, count: impl Fn(&State) -> usize) -> anyhow::Result<bool> {
        let state = self.state();
        if let Some(broken) = &state.broken {
            bail!("a connection broke: {broken}");
        }
        let reached = count(&state);
        ensure!(reached <= self.streams, "a stream was counted twice");
        Ok(reached == self.streams)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    fn notes(opened: usize, changes: &[u32]) -> Notes {
        Notes {
            opened,
            changes: changes.to_vec(),
        }
    }

    #[tokio::test]
    async fn a_change_is_reached_when_every_stream_has_it() {
        let (board, now) = (Board::new(3), Instant::now());
        board.note(&notes(3, &[]), now);
        board.opened(PATIENCE).await.unwrap();
        board.expect(2);
        board.note(&notes(0, &[1, 2]), now);
        let early = board.reached(Duration::ZERO).await.unwrap_err();
        assert!(early.to_string().starts_with("1 of 3"), "{early}");
        board.note(&notes(0, &[2, 2]), now);
        assert_eq!(board.reached(PATIENCE).await.unwrap(), [now; 3]);
    }

    #[tokio::test]
    async fn a_connection_that_breaks_is_what_comes_of_it() {
        let board = Board::new(1);
        board.broke(&anyhow::anyhow!("refused").context("stream 3"));
        let broken = board.opened(PATIENCE).await.unwrap_err().to_string();
        assert_eq!(broken, "a connection broke: stream 3: refused");
    }
}
