//! The staleness of queries: they see the registry as it was a while ago, and devices that are
//! deleted even longer.
//!
//! Keeps, in memory only, what each changed record was before the change, for as long as a query
//! may still see it. Where nothing lags, nothing is kept and a query reads the records as they
//! are. What was loaded at the start has always been there.

use std::cmp::Ordering;
use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Record;
use crate::journal::Records;

/// What a record was before a change.
struct Change {
    when: Instant,
    before: Option<Arc<Record>>,
}

/// What records were.
#[derive(Default)]
pub(super) struct Echo {
    /// How old the state is that queries see.
    lag: Duration,
    /// How much longer they see what is deleted.
    ghosts: Duration,
    /// The changes of each device, the oldest first.
    changes: BTreeMap<String, VecDeque<Change>>,
    /// All changes, the oldest first.
    order: VecDeque<(Instant, String)>,
}

impl Echo {
    /// Queries lag so much from now on. What was not kept until now cannot be seen.
    pub(super) fn set(&mut self, lag: Duration, ghosts: Duration) {
        (self.lag, self.ghosts) = (lag, ghosts);
        self.prune(Instant::now());
    }

    /// Keeps what a record was that is about to change.
    pub(super) fn note(&mut self, id: &str, before: Option<&Arc<Record>>) {
        if !self.memory().is_zero() {
            self.note_at(id, before, Instant::now());
        }
    }

    fn note_at(&mut self, id: &str, before: Option<&Arc<Record>>, when: Instant) {
        self.prune(when);
        let before = before.cloned();
        let changes = self.changes.entry(id.to_owned()).or_default();
        changes.push_back(Change { when, before });
        self.order.push_back((when, id.to_owned()));
    }

    /// How old a change must be for no query to see what was before it.
    fn memory(&self) -> Duration {
        self.lag.saturating_add(self.ghosts)
    }

    fn prune(&mut self, now: Instant) {
        let memory = self.memory();
        while let Some((when, id)) = self.order.front() {
            if age(*when, now) < memory {
                return;
            }
            if let Some(changes) = self.changes.get_mut(id) {
                changes.pop_front();
                if changes.is_empty() {
                    self.changes.remove(id);
                }
            }
            self.order.pop_front();
        }
    }

    /// What queries see: the records and the changes side by side, in the order of their ids.
    pub(super) fn view<'a>(
        &'a self,
        records: &'a Records,
        start: Bound<&str>,
        now: Instant,
    ) -> impl Iterator<Item = &'a Arc<Record>> {
        let range = (start, Bound::Unbounded);
        let mut records = records.range::<str, _>(range).peekable();
        let mut changes = self.changes.range::<str, _>(range).peekable();
        std::iter::from_fn(move || {
            loop {
                let order = match (records.peek(), changes.peek()) {
                    (None, None) => return None,
                    (Some(_), None) => Ordering::Less,
                    (None, Some(_)) => Ordering::Greater,
                    (Some((record, _)), Some((changed, _))) => record.cmp(changed),
                };
                let record = records.next_if(|_| order.is_le());
                let record = record.map(|(_, record)| record);
                let shown = match changes.next_if(|_| order.is_ge()) {
                    Some((_, changes)) => self.shown(changes, record, now),
                    None => record,
                };
                if shown.is_some() {
                    return shown;
                }
            }
        })
    }

    /// What queries see of a device that changed: what it was before the first change that they
    /// do not see yet, or what it was before it was deleted, for a while.
    fn shown<'a>(
        &self,
        changes: &'a VecDeque<Change>,
        current: Option<&'a Arc<Record>>,
        now: Instant,
    ) -> Option<&'a Arc<Record>> {
        let seen = changes.partition_point(|change| age(change.when, now) >= self.lag);
        let then = match changes.get(seen) {
            Some(unseen) => unseen.before.as_ref(),
            None => current,
        };
        then.or_else(|| {
            // Gone by then. If it was there at all, the last change that is seen took it away.
            let deletion = changes.get(seen.checked_sub(1)?)?;
            let is_ghost = age(deletion.when, now) < self.memory();
            deletion.before.as_ref().filter(|_| is_ghost)
        })
    }
}

fn age(when: Instant, now: Instant) -> Duration {
    now.saturating_duration_since(when)
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    /// A registry of which only the statuses matter, with times as minutes after a start.
    struct World {
        start: Instant,
        records: Records,
        echo: Echo,
    }

    impl World {
        fn new(lag: u32, ghosts: u32) -> Self {
            let mut echo = Echo::default();
            echo.set(MINUTE * lag, MINUTE * ghosts);
            Self {
                start: Instant::now(),
                records: Records::new(),
                echo,
            }
        }

        fn put(&mut self, minute: u32, id: &str, reason: &str) {
            let when = self.start + MINUTE * minute;
            self.echo.note_at(id, self.records.get(id), when);
            let record = Record {
                status_reason: Some(reason.to_owned()),
                ..sample(id)
            };
            self.records.insert(id.to_owned(), Arc::new(record));
        }

        fn delete(&mut self, minute: u32, id: &str) {
            let when = self.start + MINUTE * minute;
            self.echo.note_at(id, self.records.get(id), when);
            self.records.remove(id);
        }

        /// What queries see: `id=reason`.
        fn seen_from(&self, minute: u32, start: Bound<&str>) -> Vec<String> {
            let now = self.start + MINUTE * minute;
            let text = |record: &Arc<Record>| {
                let reason = record.status_reason.as_deref().unwrap_or_default();
                format!("{}={reason}", record.device_id)
            };
            self.echo
                .view(&self.records, start, now)
                .map(text)
                .collect()
        }

        fn seen(&self, minute: u32) -> Vec<String> {
            self.seen_from(minute, Bound::Unbounded)
        }
    }

    #[test]
    fn queries_see_what_was_a_while_ago() {
        let mut world = World::new(5, 0);
        world.put(0, "b", "one");
        assert_eq!(world.seen(4), [""; 0]);
        assert_eq!(world.seen(5), ["b=one"]);
        world.put(10, "b", "two");
        world.put(12, "b", "three");
        world.put(12, "a", "one");
        assert_eq!(world.seen(14), ["b=one"]);
        assert_eq!(world.seen(15), ["b=two"]);
        assert_eq!(world.seen(17), ["a=one", "b=three"]);
        world.delete(20, "b");
        assert_eq!(world.seen(24), ["a=one", "b=three"]);
        assert_eq!(world.seen(25), ["a=one"]);
    }

    #[test]
    fn what_is_deleted_goes_on_being_seen() {
        let mut world = World::new(0, 25);
        world.put(0, "a", "one");
        world.put(1, "a", "two");
        assert_eq!(world.seen(1), ["a=two"]);
        world.delete(10, "a");
        assert_eq!(world.seen(34), ["a=two"]);
        assert_eq!(world.seen(35), [""; 0]);
        world.put(20, "a", "again");
        assert_eq!(world.seen(20), ["a=again"]);
    }

    #[test]
    fn a_ghost_comes_after_the_lag() {
        let mut world = World::new(5, 10);
        world.put(0, "a", "one");
        world.delete(10, "a");
        assert_eq!(world.seen(14), ["a=one"]);
        assert_eq!(world.seen(24), ["a=one"]);
        assert_eq!(world.seen(25), [""; 0]);
        world.put(22, "a", "again");
        assert_eq!(world.seen(23), ["a=one"]);
        assert_eq!(world.seen(26), [""; 0]);
        assert_eq!(world.seen(27), ["a=again"]);
    }

    #[test]
    fn a_device_that_came_and_went_is_seen_in_its_time() {
        let mut world = World::new(5, 10);
        world.put(0, "a", "one");
        world.delete(1, "a");
        assert_eq!(world.seen(4), [""; 0]);
        assert_eq!(world.seen(5), ["a=one"]);
        assert_eq!(world.seen(6), ["a=one"]);
        assert_eq!(world.seen(16), [""; 0]);
    }

    #[test]
    fn records_and_ghosts_are_in_one_order() {
        let mut world = World::new(0, 10);
        for id in ["a", "b", "c", "d"] {
            world.put(0, id, "x");
        }
        world.delete(1, "a");
        world.delete(1, "c");
        let ids = ["a=x", "b=x", "c=x", "d=x"];
        assert_eq!(world.seen(1), ids);
        assert_eq!(world.seen_from(1, Bound::Excluded("a")), ids[1..]);
        assert_eq!(world.seen_from(1, Bound::Included("c")), ids[2..]);
    }

    #[test]
    fn nothing_is_kept_longer_than_it_is_seen() {
        let mut world = World::new(5, 10);
        world.put(0, "a", "one");
        world.put(3, "a", "two");
        world.put(15, "b", "one");
        assert_eq!(world.echo.order.len(), 2);
        assert_eq!(world.echo.changes["a"].len(), 1);
        world.put(40, "b", "two");
        assert_eq!(world.echo.changes.len(), 1);
    }

    #[test]
    fn without_lag_and_ghosts_nothing_is_kept() {
        let mut echo = Echo::default();
        echo.note("a", Some(&Arc::new(sample("a"))));
        assert!(echo.changes.is_empty() && echo.order.is_empty());
        echo.set(MINUTE, MINUTE);
        echo.note("a", Some(&Arc::new(sample("a"))));
        assert_eq!(echo.order.len(), 1);
        echo.set(Duration::ZERO, Duration::ZERO);
        assert!(echo.changes.is_empty() && echo.order.is_empty());
    }
}
