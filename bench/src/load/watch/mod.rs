//! Watchers: tens of thousands of streams, and changes that must reach all of them.
//!
//! Two figures count. *Memory*: how much the server's resident memory grew with the streams, by
//! their number, each after it stood still. *p99 to reach all*: for every change, the time from its
//! order to its arrival at each stream; of all streams and changes together the 99th percentile. A
//! change of ours goes through the database within that time. A server that prepares everything
//! before it sends anything, as etcd does, would look fast from the first stream on: that span is a
//! figure of its own, and so is the time before it.

mod board;
mod frames;
mod session;
mod splitter;
mod trigger;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use hubshift_api::pb::concierge::WatchFleetRequest;
use prost::Message as _;
use tokio::task::JoinSet;

use crate::answers::FLEET;
use crate::contender::{Contender, etcd};
use crate::grpc;
use crate::judge::{Figure, Figures};
use crate::proc::{self, Memory};
use crate::stats::{median, percentile};
use crate::world::World;
use board::Board;
use session::{Call, Session};
use trigger::Trigger;

/// For all streams to open.
const OPENING: Duration = Duration::from_secs(120);
/// For a change to reach all of them.
const REACHING: Duration = Duration::from_secs(60);

/// Measures one server. `shape` is connections and streams on each.
pub(super) async fn measure(
    world: &World,
    contender: Contender,
    pid: u32,
    shape: (usize, usize),
) -> anyhow::Result<Figures> {
    let (connections, each) = shape;
    let streams = connections * each;
    let mut trigger = Trigger::new(world, contender).await?;
    let (call, board) = (call(contender), Arc::new(Board::new(streams)));
    let before = proc::settled_memory(pid).await?;
    // Dropping it closes all connections.
    let mut sessions = JoinSet::new();
    for _ in 0..connections {
        let opened = Session::open(contender.watch_addr(), &call, each, board.clone());
        sessions.spawn(opened.await.context("could not open a connection")?.run());
    }
    board.opened(OPENING).await?;
    let watched = proc::settled_memory(pid).await?;
    let mut spread = Spread::default();
    for _ in 0..world.place.options.changes {
        let change = world.next_change();
        board.expect(change);
        let ordered = Instant::now();
        trigger.fire(change).await?;
        spread.add(ordered, &board.reached(REACHING).await?);
    }
    let after = proc::settled_memory(pid).await?;
    let mut figures = spread.figures().context("nothing was changed")?;
    figures.extend(growth(before, watched, after, streams));
    Ok(figures)
}

/// What each watcher says.
fn call(contender: Contender) -> Call {
    let (path, message) = match contender {
        Contender::Etcd => (etcd::WATCH, etcd::watch()),
        _ => {
            let request = WatchFleetRequest {
                name: format!("fleets/{FLEET}"),
                ..WatchFleetRequest::default()
            };
            (grpc::WATCH_FLEET, request.encode_to_vec().into())
        }
    };
    let framed = grpc::framed(&message);
    Call { path, framed }
}

#[allow(clippy::cast_precision_loss, reason = "some ten thousand")]
fn growth(before: Memory, watched: Memory, after: Memory, streams: usize) -> [(Figure, f64); 3] {
    let streams = streams as f64;
    [
        (
            Figure::BytesPerWatcher,
            (watched.rss - before.rss) / streams,
        ),
        (Figure::PssPerWatcher, (watched.pss - before.pss) / streams),
        (
            Figure::BytesPerWatcherAfter,
            (after.rss - before.rss) / streams,
        ),
    ]
}

/// How changes spread, milliseconds.
#[derive(Debug, Default)]
struct Spread {
    /// Of every change and stream, since the change was ordered.
    since_order: Vec<f64>,
    /// Of every change, from its first stream until its last.
    until_last: Vec<f64>,
    /// Of every change, from the order to its first.
    until_first: Vec<f64>,
}

impl Spread {
    /// Takes a change: when it was ordered, and when it reached each stream.
    fn add(&mut self, ordered: Instant, arrivals: &[Instant]) {
        let (Some(first), Some(last)) = (arrivals.iter().min(), arrivals.iter().max()) else {
            return;
        };
        let millis = |from: Instant, to: Instant| to.duration_since(from).as_secs_f64() * 1e3;
        self.until_first.push(millis(ordered, *first));
        self.until_last.push(millis(*first, *last));
        let each = arrivals.iter().map(|arrival| millis(ordered, *arrival));
        self.since_order.extend(each);
    }

    fn figures(&self) -> Option<Figures> {
        Some(Figures::from([
            (Figure::SpreadP99Ms, percentile(&self.since_order, 99)?),
            (Figure::SpreadAllMs, median(&self.until_last)?),
            (Figure::OrderToFirstMs, median(&self.until_first)?),
        ]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_measured_from_the_order() {
        let ordered = Instant::now();
        let at = |millis| ordered + Duration::from_millis(millis);
        let mut spread = Spread::default();
        assert_eq!(spread.figures(), None);
        spread.add(ordered, &[at(1_000), at(1_010), at(1_004)]);
        spread.add(ordered, &[at(20), at(20), at(40)]);
        let figures = spread.figures().unwrap();
        let rounded = |figure| figures.get(&figure).map(|millis: &f64| millis.round());
        assert_eq!(rounded(Figure::SpreadP99Ms), Some(1_010.0));
        assert_eq!(rounded(Figure::SpreadAllMs), Some(15.0));
        assert_eq!(rounded(Figure::OrderToFirstMs), Some(510.0));
    }

    #[test]
    fn memory_is_what_the_streams_added() {
        let memory = |rss, pss| Memory { rss, pss };
        let grown = growth(memory(1e6, 9e5), memory(2e6, 1.9e6), memory(3e6, 0.0), 100);
        assert_eq!(grown[0], (Figure::BytesPerWatcher, 1e4));
        assert_eq!(grown[1], (Figure::PssPerWatcher, 1e4));
        assert_eq!(grown[2], (Figure::BytesPerWatcherAfter, 2e4));
    }
}
