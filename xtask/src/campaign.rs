//! Tests that are too large for every run, by the same test binary.

use crate::context::Context;
use crate::process::{cargo, run};
use crate::setup;

/// How many devices the test of the import and export jobs moves.
const DEVICES_VARIABLE: &str = "HUBSHIFT_AZURITE_DEVICES";

/// How many random registries the test of the connector copies.
const ROUND_TRIPS_VARIABLE: &str = "HUBSHIFT_ROUND_TRIPS";

/// How many devices ask in the test of a moving fleet.
const STORM_VARIABLE: &str = "HUBSHIFT_STORM_DEVICES";

/// Moves this many devices through Azurite.
pub(crate) fn azurite(context: &Context, devices: u32) -> anyhow::Result<()> {
    let mut cargo = cargo(&context.root);
    cargo
        .envs(setup::node_tools(context)?)
        .env(DEVICES_VARIABLE, devices.to_string());
    let test = ["test", "--release", "-p", "hubshift-emulator"];
    run(cargo
        .args(test)
        .args(["--test", "azurite", "--", "--nocapture"]))
}

/// Copies this many random registries through the connector.
pub(crate) fn round_trips(context: &Context, registries: u32) -> anyhow::Result<()> {
    let mut cargo = cargo(&context.root);
    cargo.env(ROUND_TRIPS_VARIABLE, registries.to_string());
    let test = ["test", "--release", "-p", "hubshift-hub"];
    run(cargo
        .args(test)
        .args(["--test", "round_trip", "--", "--nocapture"]))
}

/// Lets this many devices ask through a failover in which the database dies.
pub(crate) fn storm(context: &Context, devices: u32) -> anyhow::Result<()> {
    let mut cargo = cargo(&context.root);
    cargo.env(STORM_VARIABLE, devices.to_string());
    let test = ["test", "--release", "-p", "hubshift-cli"];
    run(cargo
        .args(test)
        .args(["--test", "storm", "--", "--nocapture"]))
}
