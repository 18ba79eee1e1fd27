//! The names that requests choose from: few, so that requests meet each other and lists stay short.

use rand::Rng as _;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;

/// Devices that are there from the beginning.
pub(crate) const SEEDED: [&str; 6] = [
    "seed-sas",
    "seed-disabled",
    "seed-x509",
    "seed-ca",
    "seed-edge",
    "seed-leaf",
];
const MODULES: [&str; 5] = ["seed-module", "$edgeAgent", "fuzz-0", "fuzz-1", "fuzz-2"];

/// Devices that may come into being, besides.
const DEVICES: usize = 16;
const CONFIGURATIONS: usize = 4;
const JOBS: usize = 8;

/// Conditions for twins, most of them right.
pub(crate) const CONDITIONS: [&str; 10] = [
    "*",
    "tags.site = 'a'",
    "status = 'enabled' AND tags.floor > 1",
    "NOT is_defined(tags.site) OR deviceId IN ['seed-sas', 'fuzz-1']",
    "properties.desired.rate >= 1.5",
    "deviceId = 'seed-sas'",
    "tags..site = ",
    "))((",
    "",
    "tags.site = 'ä€𝄞''",
];

pub(crate) const QUERIES: [&str; 12] = [
    "select * from devices",
    "SELECT * FROM devices WHERE tags.site = 'a'",
    "select * from devices where capabilities.iotEdge=true",
    "select deviceId, tags.site as site from devices where status = 'enabled'",
    "select count() as n from devices",
    "select * from devices.modules",
    "select * from devices.jobs",
    "select * from devices where array_contains(parentScopes, 'x')",
    "select * from nowhere",
    "select",
    "",
    "select * from devices where ((((tags.a = 1) and not (tags.b = 2)) or tags.c in [1,2]))",
];

/// A name for what the path is about: mostly one of the pool's.
pub(crate) fn name(path: &str, rng: &mut StdRng) -> String {
    if path.starts_with("/configurations") {
        return format!("config-{}", rng.random_range(0..CONFIGURATIONS));
    }
    if path.starts_with("/jobs") {
        return format!("job-{}", rng.random_range(0..JOBS));
    }
    device(rng)
}

pub(crate) fn device(rng: &mut StdRng) -> String {
    let number = rng.random_range(0..SEEDED.len() + DEVICES);
    SEEDED.get(number).map_or_else(
        || format!("fuzz-{}", number - SEEDED.len()),
        |seeded| (*seeded).to_owned(),
    )
}

pub(crate) fn module(rng: &mut StdRng) -> String {
    one_of(&MODULES, rng).to_owned()
}

pub(crate) fn one_of<'a, T: ?Sized>(all: &[&'a T], rng: &mut StdRng) -> &'a T {
    all.choose(rng).copied().expect("there are some")
}
