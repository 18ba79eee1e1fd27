//! Plans from what was seen and what is counted.

use hubshift_domain::seeding::Way;

use super::*;

/// An S1 hub of one unit, half of it.
const S1: [Option<f64>; 4] = [Some(50.0 / 60.0), Some(10.0 / 60.0), Some(50.0), Some(25.0)];

fn hub(name: &str, seen: u64, counted: u64) -> Side {
    Side {
        hub: HubId::new(name).unwrap(),
        seen,
        counted: Ok(counted),
        rates: [None; 4],
        has_jobs: false,
    }
}

fn limited(side: Side) -> Side {
    Side { rates: S1, ..side }
}

#[test]
fn what_was_seen_is_planned_as_it_was_seen() {
    let tally = Tally {
        source: 1000,
        target: 900,
        creates: 200,
        seedable: 150,
        updates: 30,
        deletes: 4,
        unchanged: 770,
        extras: 6,
    };
    let (east, west) = (hub("east", 1000, 1000), limited(hub("west", 900, 900)));
    let plan = judge(tally, &east, &west, None);
    let work = Work {
        creates: 200,
        updates: 30,
        deletes: 4,
    };
    assert_eq!((plan.work, plan.unchanged, plan.extras), (work, 770, 6));
    assert!(plan.unknowns.is_empty(), "{:?}", plan.unknowns);
    // 234 identities at 50 a minute; one page of a listing at 10 a minute.
    assert_eq!(plan.text(), "by calls 5 min; 6 s of reading come first");
    let limits = plan.limits.iter().filter(|limit| limit.hub == west.hub);
    let calls: Vec<_> = limits.map(|limit| (limit.class, limit.calls)).collect();
    assert_eq!(
        calls,
        [
            ("registry", 234),
            ("query", 1),
            ("twin_read", 200),
            ("twin_write", 230)
        ]
    );
}

#[test]
fn a_hub_that_was_never_read_is_counted_and_the_plan_says_so() {
    let (east, west) = (limited(hub("east", 0, 10_000)), limited(hub("west", 0, 0)));
    let plan = judge(Tally::default(), &east, &west, None);
    assert_eq!(plan.work.creates, 10_000);
    assert_eq!(
        plan.unknowns,
        [
            "east was not read yet; it counts 10000 devices",
            "10000 of the devices to be made are assumed, not seen"
        ]
    );
    assert_eq!(plan.text(), "by calls 3.3 h; 3.3 h of reading come first");
    let with_jobs = Side {
        has_jobs: true,
        ..west
    };
    let plan = judge(Tally::default(), &east, &with_jobs, None);
    assert_eq!(plan.estimate.choice, Way::Job);
}

#[test]
fn devices_that_neither_was_read_of_are_taken_for_the_same() {
    let (east, west) = (hub("east", 40, 100), hub("west", 0, 50));
    let tally = Tally {
        source: 40,
        creates: 40,
        ..Tally::default()
    };
    let plan = judge(tally, &east, &west, None);
    assert_eq!(plan.work.creates, 50);
    assert_eq!(plan.unknowns.len(), 3);
    assert_eq!(plan.text(), "by calls: no limit is known");
    assert_eq!(plan.reading, None);
}

#[test]
fn a_silent_hub_is_planned_by_what_was_seen() {
    let silent = Side {
        counted: Err("no answer in time".into()),
        ..hub("east", 10, 0)
    };
    let tally = Tally {
        source: 10,
        creates: 10,
        ..Tally::default()
    };
    let plan = judge(tally, &silent, &hub("west", 0, 0), None);
    assert_eq!(plan.work.creates, 10);
    let expected = "east does not say how many devices it has: no answer in time";
    assert_eq!(plan.unknowns, [expected]);
}

#[test]
fn a_scans_id_says_when_it_began() {
    let time = uuid::Timestamp::from_unix(uuid::NoContext, 1_700_000_000, 250_000_000);
    let found = scan_time(Uuid::new_v7(time)).unwrap();
    assert_eq!(found.unix_timestamp(), 1_700_000_000);
    assert_eq!(found.millisecond(), 250);
    assert_eq!(scan_time(Uuid::new_v4()), None);
}
