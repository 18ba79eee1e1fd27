//! All fleets at one moment, and the rule by which one moment follows another.
//!
//! Kept true: from one snapshot to the next no fleet's epoch goes down and no fleet disappears,
//! whatever the database says. Where it says less, the fleet is marked as forgotten.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hubshift_domain::id::FleetId;
use time::OffsetDateTime;

use super::FleetEntry;
use super::encoded::Moment;

/// All fleets at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    /// The fleets.
    pub(crate) fleets: HashMap<FleetId, Arc<FleetEntry>>,
    /// When the database was last heard of, by its own clock.
    pub(crate) as_of: OffsetDateTime,
    /// The same, as answers have it.
    pub(super) moment: Moment,
    /// The same moment on this process's clock; `None` when only the disk was read.
    pub(crate) refreshed: Option<Instant>,
    /// Whether anything was read at all: an empty table must not answer that a fleet is unknown.
    pub(crate) is_loaded: bool,
    /// Rises whenever a fleet changed.
    pub(crate) revision: u64,
    /// The id of the set of keys that its routes were verified under; empty when none was.
    pub(super) keys: Arc<str>,
}

impl Snapshot {
    /// Nothing known yet.
    pub(crate) fn empty() -> Self {
        Self {
            fleets: HashMap::new(),
            as_of: OffsetDateTime::UNIX_EPOCH,
            moment: Moment::of(OffsetDateTime::UNIX_EPOCH),
            refreshed: None,
            is_loaded: false,
            revision: 0,
            keys: Arc::from(""),
        }
    }

    /// What a first refresh makes of these fleets.
    #[cfg(test)]
    pub(crate) fn of(fleets: Vec<FleetEntry>, as_of: OffsetDateTime) -> Self {
        Self::empty().refreshed(fleets, &HashSet::new(), as_of)
    }

    /// As it lay on the disk.
    pub(super) fn from_disk(fleets: Vec<FleetEntry>, as_of: OffsetDateTime) -> Self {
        Self {
            fleets: index(fleets),
            as_of,
            moment: Moment::of(as_of),
            is_loaded: true,
            ..Self::empty()
        }
    }

    /// Whether a fleet that is not in it does not exist: the database said so once. A table from
    /// disk alone may be older than a fleet.
    pub(crate) fn is_whole(&self) -> bool {
        self.refreshed.is_some()
    }

    /// Whether the database has not been heard of for longer than `allowed`.
    pub(crate) fn is_stale(&self, allowed: Duration) -> bool {
        self.is_stale_at(Instant::now(), allowed)
    }

    /// The same, by a clock that was read already.
    pub(crate) fn is_stale_at(&self, now: Instant, allowed: Duration) -> bool {
        self.refreshed
            .is_none_or(|at| now.saturating_duration_since(at) > allowed)
    }

    /// Encodes what is new in it, so that no device waits for that. What it shares with the
    /// snapshot before is encoded already.
    pub(super) fn encode(&self) {
        for entry in self.fleets.values() {
            let _encoded = entry.encoded();
        }
    }

    /// The snapshot after a refresh that read `fleets`; the fleets of `kept` are known to the
    /// database and stay as they are.
    pub(super) fn refreshed(
        &self,
        fleets: Vec<FleetEntry>,
        kept: &HashSet<FleetId>,
        as_of: OffsetDateTime,
    ) -> Self {
        let mut next = index(fleets);
        for (id, held) in &self.fleets {
            let entry = match next.remove(id) {
                None if kept.contains(id) => held.clone(),
                read => follow(held, read),
            };
            next.insert(id.clone(), entry);
        }
        let revision = self.revision + u64::from(next != self.fleets);
        Self {
            fleets: next,
            as_of,
            moment: Moment::of(as_of),
            refreshed: Some(Instant::now()),
            is_loaded: true,
            revision,
            keys: self.keys.clone(),
        }
    }

    /// The snapshot with these fleets replaced.
    pub(super) fn with(&self, entries: Vec<FleetEntry>) -> Self {
        let mut next = self.clone();
        next.revision += u64::from(!entries.is_empty());
        next.fleets.extend(index(entries));
        next
    }

    /// Whether a restart from the other one would miss anything. A signature that is only a newer
    /// one is no such thing: it would be made again.
    pub(super) fn is_news_to(&self, other: &Self) -> bool {
        let is_new = |(id, entry): (&FleetId, &Arc<FleetEntry>)| {
            other
                .fleets
                .get(id)
                .is_none_or(|older| !Arc::ptr_eq(entry, older) && entry.facts != older.facts)
        };
        self.fleets.len() != other.fleets.len() || self.fleets.iter().any(is_new)
    }

    /// Whether a fleet's epoch is higher here, or a fleet is new.
    pub(super) fn rises_above(&self, other: &Self) -> bool {
        let rises = |(id, entry): (&FleetId, &Arc<FleetEntry>)| {
            other
                .fleets
                .get(id)
                .is_none_or(|older| entry.epoch > older.epoch)
        };
        self.fleets.iter().any(rises)
    }
}

fn index(fleets: Vec<FleetEntry>) -> HashMap<FleetId, Arc<FleetEntry>> {
    fleets
        .into_iter()
        .map(|entry| (entry.fleet_id.clone(), Arc::new(entry)))
        .collect()
}

/// What is served after `held`, when the database says `read`. Keeps the same allocation when
/// nothing changed.
fn follow(held: &Arc<FleetEntry>, read: Option<Arc<FleetEntry>>) -> Arc<FleetEntry> {
    match read {
        Some(read) if read == *held => held.clone(),
        Some(read) if read.order() >= held.order() => read,
        // The same reign, an older routing version: the refresher raises the database's.
        Some(read) if read.epoch == held.epoch => held.clone(),
        _ => {
            if !held.is_forgotten {
                tracing::error!(
                    fleet = %held.fleet_id, epoch = %held.epoch,
                    "the database has forgotten an epoch; the higher one is served"
                );
            }
            let mut entry = FleetEntry::clone(held);
            entry.facts.is_forgotten = true;
            Arc::new(entry)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::entry;
    use super::*;

    fn table(entries: Vec<FleetEntry>) -> Snapshot {
        Snapshot::of(entries, OffsetDateTime::UNIX_EPOCH)
    }

    fn refresh(held: &Snapshot, entries: Vec<FleetEntry>) -> Snapshot {
        held.refreshed(entries, &HashSet::new(), OffsetDateTime::UNIX_EPOCH)
    }

    fn only(snapshot: &Snapshot) -> &FleetEntry {
        snapshot.fleets.values().next().unwrap()
    }

    #[test]
    fn a_higher_epoch_replaces_a_lower_one_even_with_a_lower_routing_version() {
        let held = table(vec![entry("acme", 1024, 9)]);
        let next = refresh(&held, vec![entry("acme", 2049, 2)]);
        assert_eq!(only(&next).epoch.0, 2049);
        assert_eq!(next.revision, held.revision + 1);
        assert!(next.rises_above(&held) && !held.rises_above(&next));
    }

    #[test]
    fn a_database_that_forgot_lowers_nothing_and_is_told_on() {
        let held = table(vec![entry("acme", 2049, 2)]);
        for read in [vec![entry("acme", 1024, 9)], vec![]] {
            let next = refresh(&held, read);
            assert_eq!(only(&next).epoch.0, 2049);
            assert_eq!(only(&next).alerts(), ["EPOCH_FORGOTTEN"]);
        }
    }

    #[test]
    fn a_recovered_database_ends_the_alert() {
        let held = table(vec![entry("acme", 2049, 2)]);
        let forgot = refresh(&held, vec![entry("acme", 1024, 9)]);
        let healed = refresh(&forgot, vec![entry("acme", 3072, 10)]);
        assert_eq!(only(&healed).epoch.0, 3072);
        assert!(only(&healed).alerts().is_empty());
    }

    #[test]
    fn a_fleet_that_has_no_route_yet_is_kept_without_an_alert() {
        let held = table(vec![entry("acme", 2049, 2)]);
        let kept = held.fleets.keys().cloned().collect();
        let next = held.refreshed(vec![], &kept, OffsetDateTime::UNIX_EPOCH);
        assert_eq!(next.revision, held.revision);
        assert!(only(&next).alerts().is_empty());
    }

    #[test]
    fn an_older_routing_version_of_the_same_epoch_changes_nothing() {
        let held = table(vec![entry("acme", 1024, 9)]);
        let next = refresh(&held, vec![entry("acme", 1024, 8)]);
        assert_eq!(next.revision, held.revision);
        assert_eq!(only(&next).routing_version, 9);
    }

    #[test]
    fn a_table_from_disk_is_stale_and_a_refreshed_one_becomes_so() {
        let allowed = Duration::from_secs(5);
        let disk = Snapshot::from_disk(vec![entry("acme", 1024, 1)], OffsetDateTime::UNIX_EPOCH);
        assert!(disk.is_loaded && !disk.is_whole() && disk.is_stale(allowed));
        let mut read = refresh(&disk, vec![entry("acme", 1024, 1)]);
        assert!(read.is_whole() && !read.is_stale(allowed));
        read.refreshed = Instant::now().checked_sub(Duration::from_secs(6));
        assert!(read.is_stale(allowed));
    }
}
