//! Who asks and who is where, at one replica and over two.

use hubshift_domain::sketch::{Count, Sketch};
use time::OffsetDateTime;

use super::*;
use crate::table::fixture;

fn world() -> (Adoption, Snapshot, FleetEntry) {
    let entry = fixture::entry("acme", 2049, 1);
    let snapshot = Snapshot::of(vec![entry.clone()], OffsetDateTime::UNIX_EPOCH);
    (Adoption::new(), snapshot, entry)
}

#[test]
fn devices_count_once_and_by_the_hub_that_they_named_last() {
    let (adoption, snapshot, entry) = world();
    adoption.make_room(&snapshot);
    for device in 0..100 {
        adoption.note(&entry.fleet_id, &format!("d{device}"), Some(0));
    }
    for device in 0..60 {
        adoption.note(&entry.fleet_id, &format!("d{device}"), Some(1));
    }
    adoption.note(&entry.fleet_id, "new", None);
    assert_eq!(
        adoption.counts(&entry),
        Counts {
            polling: 101,
            attached: 60
        }
    );
}

/// Behind round-robin DNS: it asks east, moves, and a period later asks west.
#[test]
fn a_device_that_changes_its_concierge_soon_counts_once_and_where_it_is() {
    let (east, snapshot, entry) = world();
    let west = Adoption::new();
    for concierge in [&east, &west] {
        concierge.make_room(&snapshot);
    }
    let (first, period) = (10, ticks(entry.poll_after));
    east.note_at(first, &entry.fleet_id, "d", Some(0));
    west.note_at(first + period, &entry.fleet_id, "d", Some(1));
    let after = first + period + period / 4;
    let (there, here) = (east.counts_at(after, &entry), west.counts_at(after, &entry));
    assert_eq!(there.polling + here.polling, 1);
    assert_eq!(there.attached + here.attached, 1);
    let late = first + 2 * period + period / 10;
    assert_eq!(west.counts_at(late, &entry), here, "until it asks again");
}

#[test]
fn a_fleet_without_room_is_passed_over() {
    let (adoption, _, entry) = world();
    adoption.note(&entry.fleet_id, "d", Some(1));
    assert_eq!(adoption.counts(&entry), Counts::default());
}

#[test]
fn making_room_again_forgets_nobody() {
    let (adoption, snapshot, entry) = world();
    adoption.make_room(&snapshot);
    adoption.note(&entry.fleet_id, "d", Some(1));
    let other = fixture::entry("other", 1024, 1);
    let both = Snapshot::of(vec![entry.clone(), other], OffsetDateTime::UNIX_EPOCH);
    adoption.make_room(&both);
    assert_eq!(
        adoption.counts(&entry),
        Counts {
            polling: 1,
            attached: 1
        }
    );
}

/// Replicas that share a key, and have room.
fn replicas(entry: &FleetEntry, snapshot: &Snapshot) -> [Adoption; 2] {
    let replica = || {
        let adoption = Adoption::new();
        adoption.learn(vec![(entry.fleet_id.clone(), SipKey::new([7; 16]))]);
        adoption.make_room(snapshot);
        adoption
    };
    [replica(), replica()]
}

fn ask(adoption: &Adoption, tick: u64, entry: &FleetEntry, devices: std::ops::Range<u32>) {
    for device in devices {
        adoption.note_at(tick, &entry.fleet_id, &format!("d{device}"), Some(1));
    }
}

/// The sketch that is due at a replica, which is then written.
fn written(adoption: &Adoption, tick: u64, snapshot: &Snapshot) -> Option<Sketch> {
    let due = adoption.due(tick, snapshot).pop()?;
    due.note_written();
    Sketch::decode(&due.sketch.encode())
}

fn union(replicas: &[Adoption; 2], tick: u64, snapshot: &Snapshot) -> Count {
    let mut all = Sketch::default();
    for replica in replicas {
        all.unite(written(replica, tick, snapshot).unwrap());
    }
    all.count()
}

#[test]
fn a_device_that_asks_two_replicas_counts_once() {
    let (_, snapshot, entry) = world();
    let replicas = replicas(&entry, &snapshot);
    ask(&replicas[0], 10, &entry, 0..600);
    ask(&replicas[1], 11, &entry, 400..1_000);
    let sum = replicas[0].counts_at(20, &entry).polling + replicas[1].counts_at(20, &entry).polling;
    assert!(sum > 1_190, "the sum counts some twice: {sum}");
    let count = union(&replicas, 20, &snapshot);
    assert_eq!(count.error_percent, 0.0);
    assert!((998..=1_000).contains(&count.number), "{count:?}");
}

/// The fleet says that it has 2,000 devices, and has twenty times as many.
#[test]
fn a_fleet_that_is_larger_than_it_says_is_counted_within_the_error_and_in_the_same_memory() {
    let (_, snapshot, entry) = world();
    let replicas = replicas(&entry, &snapshot);
    // The first hundreds make the cells too crowded; from then on there are registers.
    for (replica, devices) in [(&replicas[0], 0..1_500), (&replicas[1], 1_000..2_500)] {
        ask(replica, 10, &entry, devices);
        assert!(matches!(
            written(replica, 10, &snapshot),
            Some(Sketch::Registers(_))
        ));
    }
    ask(&replicas[0], 70, &entry, 0..25_000);
    ask(&replicas[1], 70, &entry, 15_000..40_000);
    let count = union(&replicas, 300, &snapshot);
    assert!((38_800..41_200).contains(&count.number), "{count:?}");
    assert!(count.error_percent > 0.0);
    assert!(replicas[0].counts_at(70, &entry).polling <= 4_096);
}

#[test]
fn who_fell_silent_leaves_the_registers_after_two_windows_at_most() {
    let (_, snapshot, entry) = world();
    let [one, _] = replicas(&entry, &snapshot);
    let window = window(&entry);
    ask(&one, 10, &entry, 0..5_000);
    written(&one, 10, &snapshot).unwrap();
    let mut tick = 10;
    let mut counted = Vec::new();
    for _ in 0..3 {
        tick += window;
        ask(&one, tick, &entry, 0..2_000);
        counted.push(written(&one, tick, &snapshot).unwrap().count().number);
    }
    assert!(counted[0] > 3_500, "{counted:?}");
    assert!((1_900..2_100).contains(&counted[2]), "{counted:?}");
}

/// Sketches are not tended while there is no database.
#[test]
fn who_fell_silent_during_an_outage_is_not_counted_after_it() {
    let (_, snapshot, entry) = world();
    let [one, _] = replicas(&entry, &snapshot);
    let window = window(&entry);
    ask(&one, 10, &entry, 0..5_000);
    written(&one, 10, &snapshot).unwrap();
    let tick = 10 + 10 * window;
    ask(&one, tick, &entry, 0..2_000);
    let count = written(&one, tick, &snapshot).unwrap().count().number;
    assert!((1_900..2_100).contains(&count), "{count}");
}

#[test]
fn a_sketch_is_due_every_quarter_of_a_period_and_only_when_somebody_asked_since() {
    let (_, snapshot, entry) = world();
    let [one, _] = replicas(&entry, &snapshot);
    assert!(written(&one, 5, &snapshot).is_none(), "nobody has asked");
    ask(&one, 10, &entry, 0..3);
    assert!(written(&one, 10, &snapshot).is_some());
    let quarter = ticks(entry.poll_after) / 4;
    ask(&one, 20, &entry, 0..1);
    assert!(written(&one, 9 + quarter, &snapshot).is_none(), "too early");
    let count = written(&one, 10 + quarter, &snapshot).unwrap().count();
    assert_eq!(count.number, 3);
    assert!(written(&one, 10 + 3 * quarter, &snapshot).is_none());
}

#[test]
fn what_was_not_written_is_due_again_and_strangers_never_are() {
    let (unkeyed, snapshot, entry) = world();
    unkeyed.make_room(&snapshot);
    ask(&unkeyed, 10, &entry, 0..3);
    assert_eq!(unkeyed.strangers(&snapshot), ["acme"]);
    assert!(unkeyed.due(10, &snapshot).is_empty());
    let [one, _] = replicas(&entry, &snapshot);
    assert!(one.strangers(&snapshot).is_empty());
    ask(&one, 10, &entry, 0..3);
    assert_eq!(one.due(10, &snapshot).len(), 1);
    assert_eq!(
        one.due(10, &snapshot).len(),
        1,
        "the database did not take it"
    );
}
