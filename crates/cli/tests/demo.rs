//! The whole story, judged by its auditor, however the lost hub comes back. Half a minute each.

#![allow(clippy::unwrap_used, reason = "tests")]

mod common;

use std::time::Duration;

use common::{Folder, assert_gone, hubshift, run};
use serde_json::Value;

/// On a machine that does other things besides.
const DEADLINE: Duration = Duration::from_secs(300);

/// Runs it, and returns the report: its last line. What must hold of every run is checked here.
fn demo(options: &str) -> Value {
    let folder = Folder::new();
    let mut command = hubshift(folder.root());
    command
        .args("demo --devices 60 --output json".split(' '))
        .arg("--keep")
        .arg(folder.world());
    let ran = run(command.args(options.split_whitespace()), DEADLINE).ok();
    let report = ran.json();
    for zero in ["lost", "duplicated", "resurrected"] {
        assert_eq!(report[zero], 0, "{zero}: {:#}", report["verdict"]);
    }
    assert_eq!(report["devices"], 60);
    assert_eq!(report["digests_equal"], true);
    assert_eq!(report["within_bound"], true, "{report:#}");
    assert!(
        report["acknowledged_writes"].as_u64().unwrap() > 60,
        "{report:#}"
    );
    assert!(report["late"].as_u64().unwrap() > 0, "{report:#}");
    epochs_rise(&report);
    let replayed = report["failovers"][2]["replayed_count"].as_u64().unwrap();
    assert!(replayed > 0, "the journal brought nothing over: {report:#}");
    assert_gone(&folder);
    report
}

fn epochs_rise(report: &Value) {
    let moves = report["failovers"].as_array().unwrap();
    let epochs: Vec<u64> = moves
        .iter()
        .map(|one| one["epoch"].as_u64().unwrap())
        .collect();
    assert!(
        epochs[0] > 0 && epochs.is_sorted_by(|a, b| a < b),
        "{epochs:?}"
    );
    for one in moves {
        let ms = |name: &str| one[name].as_u64().unwrap();
        let attached = [
            ms("attached_p50_ms"),
            ms("attached_p95_ms"),
            ms("attached_p100_ms"),
        ];
        assert!(ms("control_plane_ms") > 0 && attached[0] > 0, "{one}");
        assert!(attached.is_sorted(), "{one}");
        assert!(ms("attached_count") > 30, "{one}");
    }
}

fn kinds(report: &Value) -> Vec<&str> {
    let moves = report["failovers"].as_array().unwrap();
    moves
        .iter()
        .map(|one| one["kind"].as_str().unwrap())
        .collect()
}

const THERE_AND_BACK_TWICE: [&str; 4] = ["planned", "failback", "forced", "failback"];

#[test]
fn east_returns_as_it_was_and_everything_is_there() {
    let report = demo("--east-returns as-was");
    assert_eq!(kinds(&report), THERE_AND_BACK_TWICE);
    assert_eq!(report["rpo_actual"]["past_us_gone_count"], 0, "{report:#}");
    assert!(report["conflicts"].as_u64().unwrap() > 0, "{report:#}");
}

#[test]
fn east_returns_older_and_brings_nobody_back_from_the_dead() {
    let report = demo("--east-returns rewound");
    assert_eq!(kinds(&report), THERE_AND_BACK_TWICE);
}

#[test]
fn east_returns_empty_and_takes_nothing_along() {
    let report = demo("--east-returns empty");
    assert_eq!(kinds(&report), THERE_AND_BACK_TWICE);
}

#[test]
fn east_never_returns_and_what_went_with_it_is_named_and_within_the_bound() {
    let report = demo("--east-returns never");
    assert_eq!(kinds(&report), THERE_AND_BACK_TWICE[..3]);
    assert_eq!(report["rpo_window_open"], true);
    let gone = report["rpo_actual"]["past_us_gone_count"].as_u64().unwrap();
    let named = report["verdict"]["past_us_gone"].as_array().unwrap();
    assert!(gone > 0 && named.len() as u64 == gone, "{report:#}");
    assert!(report["rpo_actual"]["seconds"].as_f64() <= report["rpo_bound_s"].as_f64());
}

#[test]
fn services_are_killed_in_every_move_and_in_the_merge_and_nothing_is_lost() {
    let report = demo("--chaos kill --chaos-seed 3");
    assert_eq!(kinds(&report), THERE_AND_BACK_TWICE);
    let kills = report["kills"].as_array().unwrap();
    assert_eq!(kills.len(), 5, "four moves and a merge: {kills:?}");
}
