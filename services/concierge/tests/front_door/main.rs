//! The front door: gdnsd, as Debian has it, with the configuration of `deploy/gdnsd`, in front of
//! two concierges. A concierge that stops is not in the name any more; one that is back is.
//!
//! Needs a gdnsd, named by `HUBSHIFT_GDNSD`, and curl. Where it is not set the tests are skipped,
//! but not in CI: there they fail.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

mod concierges;
mod dns;
mod gdnsd;

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use hubshift_testkit::eventually;
use hubshift_testkit::pg::Database;

use concierges::{Concierge, EAST, Place, WEST};
use gdnsd::{Gdnsd, Probe};

/// Probes of the test's configuration: every 2 s (no gdnsd probes faster), three in a row count,
/// each may take 1 s. The rest is for a machine that is busy.
const BOUND: Duration = Duration::from_secs(3 * 2 + 1 + 8);

/// What the zone allows a cache.
const MAX_TTL: u32 = 15;

#[test]
fn the_configuration_is_good_as_it_is_shipped() {
    let Some(program) = gdnsd::program() else {
        return;
    };
    let said = gdnsd::check(&program, &gdnsd::shipped());
    assert!(!said.contains("warning"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_concierge_that_stops_leaves_the_name_and_comes_back() {
    stops_and_comes_back(Probe::Http).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_through_tls_as_devices_see_it() {
    stops_and_comes_back(Probe::Https).await;
}

async fn stops_and_comes_back(probe: Probe) {
    let Some(program) = gdnsd::program() else {
        return;
    };
    let database = Database::fresh().await.unwrap();
    let place = Place::find(probe).await;
    let east = Concierge::start(&place, &database, EAST).await;
    let west = Concierge::start(&place, &database, WEST).await;
    let gdnsd = Gdnsd::start(&program, &place);
    let both = BTreeSet::from([EAST, WEST]);
    resolves_to(&gdnsd, &both).await;
    east.stop().await;
    resolves_to(&gdnsd, &BTreeSet::from([WEST])).await;
    let east = Concierge::start(&place, &database, EAST).await;
    resolves_to(&gdnsd, &both).await;
    east.stop().await;
    west.stop().await;
    // Nobody answers: all are named, for it may be the probes that err.
    resolves_to(&gdnsd, &both).await;
}

async fn resolves_to(gdnsd: &Gdnsd, expected: &BTreeSet<Ipv4Addr>) {
    let is_so = || async {
        let answer = gdnsd.ask().await;
        assert!(answer.iter().all(|(_, ttl)| *ttl <= MAX_TTL), "{answer:?}");
        let found: BTreeSet<_> = answer.into_iter().map(|(address, _)| address).collect();
        found == *expected
    };
    let is_so = eventually(BOUND, is_so).await;
    assert!(
        is_so,
        "{expected:?} is not what {:?} says; {}",
        gdnsd.ask().await,
        gdnsd.log()
    );
}
