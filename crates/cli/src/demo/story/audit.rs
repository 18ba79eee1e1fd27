//! The last chapter: the auditor compares its record with what the hubs show.

use std::collections::BTreeMap;

use hubshift_api::pb::merge::ConflictState;
use serde_json::Value;

use super::Story;
use super::stranded::WEST_EDIT;
use crate::demo::args::EastReturns;
use crate::demo::judge::{self, Listed, Shown};

impl Story {
    /// Judges, and fills the report.
    pub(super) async fn audit(&mut self) -> anyhow::Result<()> {
        let shown = self.shown().await?;
        let listed = self.listed().await?;
        let verdict = judge::judge(&self.ledger, &shown, &listed, self.returns);
        let report = &mut self.report;
        (report.lost, report.duplicated) = (verdict.lost.len(), verdict.duplicated.len());
        report.resurrected = verdict.resurrected.len();
        report.acknowledged_writes = self.ledger.entries.len();
        report.late = self.ledger.late;
        report.rpo_actual.lost_count = verdict.lost.len();
        report.rpo_actual.past_us_gone_count = verdict.past_us_gone.len();
        if let (Some(oldest), Some(death)) = (verdict.oldest_gone, self.death) {
            report.rpo_actual.seconds = (death - oldest).as_seconds_f64();
        }
        report.within_bound = report.rpo_actual.seconds <= report.rpo_bound_s;
        let epochs: Vec<u64> = report.failovers.iter().map(|step| step.epoch).collect();
        report.epochs_strictly_rising = epochs.first().is_some_and(|first| *first > 0)
            && epochs.windows(2).all(|w| w[0] < w[1]);
        report.kills = self.monkey.kills.clone();
        (report.polls, report.telemetry) = self.fleet.totals();
        report.verdict = verdict;
        self.report.digests_equal = self.digests_equal().await?;
        self.count_calls().await
    }

    async fn digests_equal(&self) -> anyhow::Result<bool> {
        if self.returns == EastReturns::Never {
            // There is no second hub to compare with.
            return Ok(true);
        }
        Ok(self.operator.verify("east", "west").await?.equal)
    }

    async fn shown(&self) -> anyhow::Result<Shown> {
        let mut shown = Shown::default();
        if self.returns == EastReturns::Never {
            shown.active = self.west.all().await?;
        } else {
            shown.active = self.east.all().await?;
        }
        // A hub that came back older or empty was seeded again: its generations start anew.
        if self.returns == EastReturns::AsWas {
            note_generations("east", &shown.active, &mut shown.generations);
        }
        note_generations("west", &self.west.all().await?, &mut shown.generations);
        let device = self.cast(WEST_EDIT, 1);
        let visits = self.back_end.value("visits", "bergen").await?;
        let events = self.back_end.event_state(&device, "message-count").await?;
        shown
            .counters
            .insert("visits/bergen".into(), whole(&visits));
        shown
            .counters
            .insert(format!("events/{device}"), whole(&events));
        let site = self.back_end.value("sites", "bergen").await?;
        note_parts("sites/bergen", &site, &mut shown.documents);
        let customer = self.own_store.agreed("customer-1").unwrap_or(Value::Null);
        note_parts("customer-1", &customer, &mut shown.documents);
        Ok(shown)
    }

    async fn listed(&mut self) -> anyhow::Result<Listed> {
        let mut listed = Listed::default();
        let conflicts = self.operator.conflicts().await?;
        self.report.conflicts = conflicts.len();
        self.report.held = conflicts
            .iter()
            .filter(|c| c.state() == ConflictState::Held)
            .count();
        for conflict in conflicts {
            if let Some(merge) = conflict
                .merge
                .split('/')
                .next_back()
                .filter(|m| !m.is_empty())
            {
                tracing::debug!(merge, key = conflict.key, "listed");
            }
            listed.conflicts.insert((conflict.key, conflict.path));
        }
        if self.returns != EastReturns::Never {
            for merge in self.operator.merges().await? {
                listed
                    .rescued
                    .extend(merge.rescued.into_iter().map(|rescued| rescued.device));
            }
        }
        Ok(listed)
    }

    async fn count_calls(&mut self) -> anyhow::Result<()> {
        let mut hubs = vec![&self.world.west];
        if self.returns != EastReturns::Never {
            hubs.push(&self.world.east);
        }
        for hub in hubs {
            self.report.hub_calls += sum(&hub.requests().await?);
        }
        Ok(())
    }
}

fn note_generations(
    hub: &'static str,
    devices: &BTreeMap<String, hubshift_hub::HubDevice>,
    generations: &mut BTreeMap<(&'static str, String), String>,
) {
    for (id, device) in devices {
        generations.insert((hub, id.clone()), device.generation_id.clone());
    }
}

fn note_parts(document: &str, value: &Value, parts: &mut BTreeMap<(String, String), Value>) {
    for (part, value) in value.as_object().into_iter().flatten() {
        parts.insert((document.to_owned(), part.clone()), value.clone());
    }
}

fn whole(value: &Value) -> i64 {
    value
        .as_i64()
        .or_else(|| value.as_f64().map(|f| f as i64))
        .unwrap_or(0)
}

/// The sum of every number in a JSON value.
fn sum(value: &Value) -> u64 {
    match value {
        Value::Number(number) => number.as_u64().unwrap_or(0),
        Value::Array(items) => items.iter().map(sum).sum(),
        Value::Object(map) => map.values().map(sum).sum(),
        _ => 0,
    }
}
