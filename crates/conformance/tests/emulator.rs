//! The suite against an emulated hub: everything holds, and nothing is left behind.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use std::future::{pending, ready};

use hubshift_azure::Secret;
use hubshift_conformance::{Harm, Settings, Verdict, count, run};
use hubshift_emulator::{Emulator, Options, Running};

async fn emulator() -> Running {
    let key = Secret::new(format!("{}=", "A".repeat(43)));
    let options = Options::local("iothubowner", &key);
    Emulator::start(options).await.unwrap()
}

fn settings(hub: &Running, is_harmless: bool) -> Settings {
    Settings {
        connection: hub.connection_string(),
        ca_pem: Some(hub.ca_pem.clone()),
        is_harmless,
    }
}

/// Writes of devices and configurations that arrived.
fn writes(hub: &Running) -> u64 {
    [
        "put_device",
        "delete_device",
        "put_configuration",
        "bulk_devices",
        "put_scheduled_job",
    ]
    .iter()
    .map(|operation| hub.requests(operation))
    .sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_check_holds_and_nothing_is_left() {
    let hub = emulator().await;
    let report = run(settings(&hub, false), pending()).await.unwrap();
    println!("{}", report.text());
    assert_eq!(report.rows.len(), count());
    assert!(count() >= 50, "{} checks", count());
    let failures: Vec<_> = report.failures().collect();
    assert!(failures.is_empty(), "{failures:#?}");
    assert!(report.is_good());
    let harmless = run(settings(&hub, true), pending()).await.unwrap();
    let empty = harmless
        .rows
        .iter()
        .find(|row| row.name == "the_largest_page_is");
    let wanted = Verdict::Observed("0 rows of 5000".to_owned());
    assert_eq!(empty.map(|row| &row.verdict), Some(&wanted));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_harmless_run_writes_nothing() {
    let hub = emulator().await;
    let report = run(settings(&hub, true), pending()).await.unwrap();
    assert!(report.is_good(), "{}", report.text());
    assert_eq!(writes(&hub), 0);
    for row in &report.rows {
        let is_skipped = row.verdict == Verdict::Skipped;
        assert_eq!(is_skipped, row.harm != Harm::None, "{}", row.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_run_is_no_good_one() {
    let hub = emulator().await;
    let report = run(settings(&hub, false), ready(())).await.unwrap();
    assert!(report.is_stopped && !report.is_good());
    assert!(report.left_behind.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_is_away_fails_the_rules_and_shows_no_key() {
    let hub = emulator().await;
    let settings = settings(&hub, true);
    hub.stop().await;
    let report = run(settings, pending()).await.unwrap();
    assert!(report.failures().count() > 10);
    let json = serde_json::to_string(&report).unwrap();
    assert!(!json.contains("AAAA") && !report.text().contains("AAAA"));
}
