//! A whole fleet asks, again and again, while it is moved and the database dies: everybody is
//! answered, nobody is sent back, and the hub that they come to is never asked for more than it
//! admits (I3, I15, I25).
//!
//! Real processes: `hubshift up`, and this process for the devices. Their time is virtual: one
//! round of all devices is one poll period of a minute, however long it takes. So many devices as
//! fit into a test run; `cargo xtask storm` makes a million of them.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

#[path = "../common/mod.rs"]
mod common;
mod devices;
mod load;
mod stats;

use std::sync::Arc;
use std::time::Duration;

use common::{Folder, PATIENCE, Up, crash_postgres, start_postgres, until};
use devices::Devices;
use load::Load;
use stats::{chi_square, most_per_second, percentile};

/// How many devices ask.
const DEVICES_VARIABLE: &str = "HUBSHIFT_STORM_DEVICES";
/// What the emulated hubs of a world admit, per second.
const ADMISSION: f64 = 1_000.0;
/// The part of it that a move uses.
const UTILISATION: f64 = 0.8;
/// A million devices on two cores, in a debug build: nobody waits longer.
const STORM: Duration = Duration::from_secs(540);

#[test]
fn everybody_is_answered_while_the_fleet_moves_and_the_database_dies() {
    let count: u64 = std::env::var(DEVICES_VARIABLE).map_or(10_000, |text| text.parse().unwrap());
    let folder = Folder::new();
    let up = Up::start(&folder, "--devices 12");
    up.until_ready("west");
    up.hubshift(&format!("fleet update --devices {count} --poll-after 60s"))
        .ok();
    let devices = Arc::new(Devices::new(count));
    let load = Load::start(&up.public(), &up.ca(), devices.clone());

    let round = |what: &str, number: u64| {
        until(what, STORM, || (devices.rounds() >= number).then_some(()));
    };
    // The first round opens connections and teaches every device its first route.
    round("a quiet round", 2);
    let quiet = load.latencies();
    up.hubshift("failover start --kind planned --to west").ok();
    until("a first device is told to move", STORM, || {
        (devices.moved() > 0).then_some(())
    });
    let told = devices.moved();
    crash_postgres(&folder);
    let asked = devices.asked();
    until("all devices are told", STORM, || {
        (devices.moved() == count).then_some(())
    });
    until("a whole round is answered as stale", STORM, || {
        (load.stale() > count).then_some(())
    });
    let storm = load.latencies();
    let ended = load.stop();
    println!(
        "{count} devices, {} answers, {asked} of them before the database was killed, when {told} \
         devices knew the new hub",
        ended.answers
    );
    assert_eq!(
        (ended.failures.len(), ended.lowered),
        (0, 0),
        "{:?}",
        ended.failures
    );
    assert!(told < count, "the database died in the middle");

    let server = start_postgres(&folder);
    until(
        "the failover goes on after the database is back",
        PATIENCE,
        || {
            let shown = up
                .hubshift("--output json --retry-for 30s fleet get")
                .ok()
                .json();
            (shown["registry_mode"] == "open").then(|| {
                assert_eq!(
                    (&shown["active_hub"], shown["epoch"].as_u64()),
                    (&"west".into(), Some(devices.highest()))
                );
            })
        },
    );
    drop(server);
    up.interrupt();

    judge_pace(&devices, count);
    let (before, during) = (percentile(quiet, 99.0), percentile(storm, 99.0));
    println!(
        "p99 quiet {before:?}, in the storm {during:?}: {:.2} times",
        during.as_secs_f64() / before.as_secs_f64()
    );
    if std::env::var_os(DEVICES_VARIABLE).is_some() {
        assert!(during <= before * 2, "{during:?} against {before:?}");
    }
}

/// Slots are uniform, and arrivals never exceed what the hub admits by more than chance.
fn judge_pace(devices: &Devices, count: u64) {
    let window = count as f64 / (UTILISATION * ADMISSION);
    let slots = devices.slots();
    let chi = chi_square(&slots, window * 1_000.0, 100);
    // The 99.99 % quantile with 99 degrees of freedom.
    assert!(chi < 160.0, "chi-square {chi:.1}");
    let most = most_per_second(&devices.arrivals());
    let (mean, slack) = (
        UTILISATION * ADMISSION,
        5.0 * (UTILISATION * ADMISSION).sqrt(),
    );
    println!(
        "chi-square {chi:.1} (99 degrees of freedom), at most {most} arrivals in a second of {ADMISSION}"
    );
    assert!(
        (most as f64) < mean + slack && mean + slack < ADMISSION,
        "{most}"
    );
}
