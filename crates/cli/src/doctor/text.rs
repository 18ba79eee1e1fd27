//! The page as text: short lists, whole numbers, what to do.

use std::time::Duration;

use hubshift_survey::{Difference, Loss};

use super::report::{HubReport, Report};
use crate::output::{Block, table};

pub(super) fn page(report: &Report) -> String {
    let parts = [
        hubs(report),
        differences(report),
        names("missing at the target", &report.missing, report.shown),
        names("only at the target", &report.extra, report.shown),
        different(&report.different, report.shown),
        scopes(report),
        losses(&report.not_carried_over),
        times(report),
        decisions(report),
    ];
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join("\n\n")
}

fn hubs(report: &Report) -> String {
    let row = |name: &str, hub: &HubReport| {
        let allowed = hub.facts.permissions.iter().filter(|right| right.allowed);
        let allowed: Vec<&str> = allowed.map(|right| right.name).collect();
        vec![
            name.to_owned(),
            hub.host.clone(),
            hub.facts.devices.to_string(),
            hub.facts.disabled.to_string(),
            hub.facts.modules.to_string(),
            hub.facts.configurations.len().to_string(),
            allowed.join(", "),
        ]
    };
    let header = [
        "hub",
        "host",
        "devices",
        "disabled",
        "modules",
        "configurations",
        "may",
    ];
    table(
        &header,
        [row("source", &report.source), row("target", &report.target)],
    )
}

fn differences(report: &Report) -> String {
    let unconfirmed = match report.unconfirmed_count {
        0 => String::new(),
        count => format!("{count}, from listings that may be minutes old"),
    };
    let keys = format!(
        "{} of {} compared differ",
        report.keys.differing.len(),
        report.keys.compared
    );
    Block::new()
        .line("equal", report.equal_count)
        .line("missing", report.missing.len())
        .line("extra", report.extra.len())
        .line("different", report.different.len())
        .line("not asked again", unconfirmed)
        .line("keys", keys)
        .line(
            "configurations missing",
            report.configurations_missing.join(", "),
        )
        .line(
            "configurations extra",
            report.configurations_extra.join(", "),
        )
        .text()
}

fn names(title: &str, names: &[String], shown: usize) -> String {
    if names.is_empty() {
        return String::new();
    }
    let first: Vec<&str> = names.iter().take(shown).map(String::as_str).collect();
    let more = match names.len().saturating_sub(shown) {
        0 => String::new(),
        count => format!(" and {count} more (--output json has all)"),
    };
    format!("{title}: {}{more}", first.join(", "))
}

fn different(different: &[Difference], shown: usize) -> String {
    let name = |found: &Difference| {
        let fields: Vec<String> = found.fields.iter().map(field_name).collect();
        format!("{} ({})", found.key, fields.join(", "))
    };
    let all: Vec<String> = different.iter().map(name).collect();
    names("different", &all, shown)
}

fn field_name(field: &hubshift_survey::Field) -> String {
    serde_json::to_value(field)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

fn scopes(report: &Report) -> String {
    let keys: Vec<String> = report
        .scopes
        .iter()
        .map(|change| change.key.clone())
        .collect();
    names("edge scopes that will change", &keys, report.shown)
}

fn losses(losses: &[Loss]) -> String {
    let row = |loss: &Loss| {
        let count = match loss.count {
            0 => String::new(),
            count => count.to_string(),
        };
        vec![
            loss.reason.to_owned(),
            count,
            loss.what.to_owned(),
            loss.remedy.to_owned(),
        ]
    };
    table(
        &["does not carry over", "count", "what", "what to do"],
        losses.iter().map(row),
    )
}

fn times(report: &Report) -> String {
    let time = |seconds| words(Duration::from_secs(seconds));
    Block::new()
        .line("seeding", &report.seeding)
        .line(
            "failover",
            format!(
                "all devices need {} to connect, {} paced so that none is refused",
                time(report.connect_floor_seconds),
                time(report.connect_paced_seconds)
            ),
        )
        .line("fence", report.fence)
        .text()
}

fn decisions(report: &Report) -> String {
    let lines = report.decisions.iter();
    let lines: Vec<String> = lines.map(|found| format!("- {}", found.text)).collect();
    if lines.is_empty() {
        return "nothing is to be decided: the target can be seeded".to_owned();
    }
    format!("to be decided:\n{}", lines.join("\n"))
}

fn words(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..=119 => format!("{seconds} s"),
        seconds @ 120..=7199 => format!("{} min", seconds.div_ceil(60)),
        seconds => format!("{:.1} h", seconds as f64 / 3600.0),
    }
}
