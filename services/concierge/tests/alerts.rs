//! The alert rules name metrics that the code registers, and pages that are there: whoever renames a
//! metric is told here.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const PREFIX: &str = "hubshift_";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn rules() -> String {
    fs::read_to_string(root().join("deploy/prometheus/hubshift-alerts.yml")).unwrap()
}

/// What stands behind this key, on every line that has it.
fn values<'a>(text: &'a str, key: &str) -> Vec<&'a str> {
    let lines = text
        .lines()
        .map(|line| line.trim().trim_start_matches("- "));
    lines
        .filter_map(|line| line.strip_prefix(key))
        .map(str::trim)
        .collect()
}

/// The metrics that an expression names.
fn metrics(expression: &str) -> BTreeSet<String> {
    let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let metrics = words.filter(|word| word.starts_with(PREFIX));
    metrics.map(str::to_owned).collect()
}

/// The metrics that a source file registers: the first text behind each macro.
fn registered(source: &str) -> BTreeSet<String> {
    let macros = ["gauge!(", "counter!(", "histogram!("];
    let calls = macros.iter().flat_map(|name| source.split(name).skip(1));
    let name = |call: &str| {
        let text = call.trim_start().strip_prefix('"')?;
        Some(text.split('"').next()?.to_owned())
    };
    calls.filter_map(name).collect()
}

fn sources(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            found.extend(registered(&fs::read_to_string(&path).unwrap()));
        }
    }
}

fn all_registered() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for group in ["crates", "services"] {
        for package in fs::read_dir(root().join(group)).unwrap() {
            sources(&package.unwrap().path().join("src"), &mut found);
        }
    }
    found
}

#[test]
fn every_metric_of_a_rule_is_one_that_the_code_registers() {
    let known = all_registered();
    let rules = rules();
    let mut named = BTreeSet::new();
    for expression in values(&rules, "expr:") {
        let found = metrics(expression);
        assert!(!found.is_empty(), "{expression} names no metric of ours");
        named.extend(found);
    }
    let base = |name: &String| {
        let parts = ["_bucket", "_count", "_sum"];
        let base = parts.iter().find_map(|part| name.strip_suffix(part));
        base.unwrap_or(name).to_owned()
    };
    let unknown: Vec<&String> = named
        .iter()
        .filter(|name| !known.contains(*name) && !known.contains(&base(name)))
        .collect();
    assert!(unknown.is_empty(), "nobody registers {unknown:?}");
    assert!(named.len() >= 9, "{named:?}");
}

#[test]
fn every_rule_is_whole_and_its_page_is_there() {
    let rules = rules();
    let alerts = values(&rules, "alert:");
    let names: BTreeSet<&&str> = alerts.iter().collect();
    assert_eq!(names.len(), alerts.len(), "a name stands there twice");
    for wanted in [
        "HubLooksDead",
        "ConciergeStale",
        "EpochForgotten",
        "CoverageLow",
        "TableNotRefreshing",
        "SigningReloadFailed",
        "WatchersSlow",
    ] {
        assert!(alerts.contains(&wanted), "{wanted}");
    }
    for key in ["expr:", "severity:", "summary:", "runbook:"] {
        assert_eq!(values(&rules, key).len(), alerts.len(), "{key}");
    }
    for severity in values(&rules, "severity:") {
        assert!(["critical", "warning"].contains(&severity), "{severity}");
    }
    for summary in values(&rules, "summary:") {
        let quoted = summary.len() > 2 && summary.starts_with('"') && summary.ends_with('"');
        assert!(quoted && summary.matches('"').count() == 2, "{summary}");
    }
    assert!(!rules.contains('\t'), "YAML knows no tabs");
    let page = fs::read_to_string(root().join("docs/runbook.md")).unwrap();
    let titles = page.lines().filter(|line| line.starts_with('#'));
    let anchors: BTreeSet<String> = titles.map(anchor).collect();
    for place in values(&rules, "runbook:") {
        let anchor = place.strip_prefix("docs/runbook.md#").expect(place);
        assert!(anchors.contains(anchor), "{place}");
    }
}

/// As a title is linked to.
fn anchor(title: &str) -> String {
    let words = title.trim_start_matches('#').trim().to_lowercase();
    let kept = words
        .chars()
        .filter(|c| c.is_alphanumeric() || *c == ' ' || *c == '-');
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn names_are_found_however_the_macro_is_broken_into_lines() {
    let source = "metrics::gauge!(\n    \"hubshift_a\",\n    &labels).set(1.0);\n\
                  counter!(name, 1); histogram!(\"hubshift_b_seconds\")";
    let found: Vec<String> = registered(source).into_iter().collect();
    assert_eq!(found, ["hubshift_a", "hubshift_b_seconds"]);
    let found = metrics("rate(hubshift_a{x=\"y\"}[5m]) > on (fleet) hubshift_b");
    assert_eq!(
        found.into_iter().collect::<Vec<_>>(),
        ["hubshift_a", "hubshift_b"]
    );
}
