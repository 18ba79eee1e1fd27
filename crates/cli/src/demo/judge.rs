//! The auditor's verdict: every acknowledged write against what the hubs show in the end.

use std::collections::{BTreeMap, BTreeSet};

use hubshift_hub::HubDevice;
use serde::Serialize;
use time::OffsetDateTime;

use super::args::EastReturns;
use super::ledger::{Change, Entry, Expected, Ledger, Via};

/// What the product itself says of the writes: what it lists, and what it rescued.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    /// (device, path) of every conflict that the product lists.
    pub(crate) conflicts: BTreeSet<(String, String)>,
    /// Devices in the rescue report.
    pub(crate) rescued: BTreeSet<String>,
}

/// What the hubs show in the end.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    /// The active hub.
    pub(crate) active: BTreeMap<String, HubDevice>,
    /// Generation ids that still count: (hub, device).
    pub(crate) generations: BTreeMap<(&'static str, String), String>,
    /// Counters.
    pub(crate) counters: BTreeMap<String, i64>,
    /// Parts of documents.
    pub(crate) documents: BTreeMap<(String, String), serde_json::Value>,
}

/// The verdict. Every entry is a sentence that names what it is about.
#[derive(Debug, Default, Serialize, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Acknowledged writes that are neither shown, superseded nor listed.
    pub(crate) lost: Vec<String>,
    /// Acknowledged requests that had two effects.
    pub(crate) duplicated: Vec<String>,
    /// Deleted devices that live.
    pub(crate) resurrected: Vec<String>,
    /// Writes whose value lost a conflict and can be restored.
    pub(crate) listed: Vec<String>,
    /// Writes past Hubshift that are recovered.
    pub(crate) past_us_recovered: Vec<String>,
    /// Writes past Hubshift whose device stands in the rescue report.
    pub(crate) past_us_rescued: Vec<String>,
    /// Writes past Hubshift that went with the hub.
    pub(crate) past_us_gone: Vec<String>,
    /// The oldest of those.
    #[serde(skip)]
    pub(crate) oldest_gone: Option<OffsetDateTime>,
}

/// Compares.
pub(crate) fn judge(
    ledger: &Ledger,
    shown: &Shown,
    listed: &Listed,
    returns: EastReturns,
) -> Verdict {
    let mut verdict = Verdict::default();
    let mut devices: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
    for entry in &ledger.entries {
        devices.entry(&entry.device).or_default().push(entry);
    }
    for (device, entries) in devices {
        Case {
            device,
            entries: &entries,
            ledger,
            shown,
            listed,
            returns,
        }
        .decide(&mut verdict);
    }
    judge_generations(ledger, shown, &mut verdict);
    judge_counters(ledger, shown, &mut verdict);
    judge_documents(ledger, shown, listed, &mut verdict);
    verdict
}

struct Case<'a> {
    device: &'a str,
    entries: &'a [&'a Entry],
    ledger: &'a Ledger,
    shown: &'a Shown,
    listed: &'a Listed,
    returns: EastReturns,
}

impl Case<'_> {
    fn decide(&self, verdict: &mut Verdict) {
        let actual = self.shown.active.get(self.device).map(Expected::of);
        let main: Vec<&Entry> = self
            .entries
            .iter()
            .copied()
            .filter(|entry| entry.via == Via::Hubshift)
            .collect();
        self.decide_life(&main, actual.as_ref(), verdict);
        if let Some(actual) = &actual {
            self.decide_key(&main, actual, verdict);
        }
        for (position, entry) in self.entries.iter().enumerate() {
            match entry.via {
                Via::Hubshift => self.decide_main(position, entry, actual.as_ref(), verdict),
                Via::PastUs => self.decide_past_us(position, entry, actual.as_ref(), verdict),
            }
        }
    }

    /// Is it there if, and only if, it should be?
    fn decide_life(&self, main: &[&Entry], actual: Option<&Expected>, verdict: &mut Verdict) {
        let deleted = main
            .last()
            .is_some_and(|entry| entry.change == Change::Delete);
        let kept = self
            .ledger
            .resolved_kept
            .iter()
            .any(|device| device == self.device);
        if deleted && actual.is_some() && !kept {
            verdict
                .resurrected
                .push(format!("{}: deleted, and lives", self.device));
        }
        let resolved_deleted = self
            .ledger
            .resolved_deleted
            .iter()
            .any(|device| device == self.device);
        if !main.is_empty() && !deleted && actual.is_none() && !resolved_deleted {
            verdict
                .lost
                .push(format!("{}: created, and is gone", self.device));
        }
    }

    /// One acknowledged creation makes one set of keys.
    fn decide_key(&self, main: &[&Entry], actual: &Expected, verdict: &mut Verdict) {
        let created = main.iter().rev().find_map(|entry| match &entry.change {
            Change::Create(state) => Some(state),
            _ => None,
        });
        if created.is_some_and(|state| state.key != actual.key) && !self.is_listed("credential") {
            verdict
                .duplicated
                .push(format!("{}: its keys changed", self.device));
        }
    }

    fn decide_main(
        &self,
        position: usize,
        entry: &Entry,
        actual: Option<&Expected>,
        verdict: &mut Verdict,
    ) {
        let Some(actual) = actual else { return };
        if self.is_superseded(position, entry, |via| via == Via::Hubshift) {
            return;
        }
        for (part, change) in parts(&entry.change) {
            if actual.shows(&change) || self.later_part(position, &part, Via::Hubshift) {
                continue;
            }
            let text = format!("{}: {part}", self.device);
            if self.is_listed(&part) {
                verdict.listed.push(text);
            } else if !(self.returns == EastReturns::AsWas
                && self.part_written(&part, Via::PastUs, actual))
            {
                verdict.lost.push(text);
            }
        }
    }

    fn decide_past_us(
        &self,
        position: usize,
        entry: &Entry,
        actual: Option<&Expected>,
        verdict: &mut Verdict,
    ) {
        let text = format!("{}: {}", self.device, name(&entry.change));
        if self.is_superseded(position, entry, |via| via == Via::PastUs) {
            return;
        }
        let shown = actual.is_some_and(|actual| actual.shows(&entry.change));
        if shown {
            verdict.past_us_recovered.push(text);
        } else if self.is_listed(&entry.change.part()) || self.is_listed("") {
            verdict.listed.push(text);
        } else if self.listed.rescued.contains(self.device) {
            verdict.past_us_rescued.push(text);
        } else if self.returns == EastReturns::AsWas {
            verdict.lost.push(text);
        } else {
            verdict.oldest_gone = verdict.oldest_gone.into_iter().chain([entry.at]).min();
            verdict.past_us_gone.push(text);
        }
    }

    fn is_listed(&self, part: &str) -> bool {
        let conflicts = &self.listed.conflicts;
        conflicts.contains(&(self.device.to_owned(), part.to_owned()))
            || conflicts.contains(&(self.device.to_owned(), String::new()))
    }

    /// Whether a later acknowledged write of the same side replaced or ended what this one wrote.
    fn is_superseded(&self, position: usize, entry: &Entry, side: impl Fn(Via) -> bool) -> bool {
        let part = entry.change.part();
        self.entries[position + 1..].iter().any(|later| {
            side(later.via)
                && (matches!(later.change, Change::Create(_) | Change::Delete)
                    || (!part.is_empty() && later.change.part() == part))
        })
    }

    fn later_part(&self, position: usize, part: &str, via: Via) -> bool {
        let mut later = self.entries[position + 1..].iter();
        later.any(|later| later.via == via && later.change.part() == part)
    }

    fn part_written(&self, part: &str, via: Via, actual: &Expected) -> bool {
        self.entries.iter().any(|entry| {
            entry.via == via && entry.change.part() == part && actual.shows(&entry.change)
        })
    }
}

/// A creation promised every part; any other change promised one.
fn parts(change: &Change) -> Vec<(String, Change)> {
    let Change::Create(state) = change else {
        return match change {
            Change::Delete => Vec::new(),
            other => vec![(other.part(), other.clone())],
        };
    };
    let tags = state
        .tags
        .iter()
        .map(|(key, value)| Change::Tag(key.clone(), value.clone()));
    let desired = state
        .desired
        .iter()
        .map(|(key, value)| Change::Desired(key.clone(), value.clone()));
    tags.chain(desired)
        .chain([Change::Enabled(state.enabled)])
        .map(|change| (change.part(), change))
        .collect()
}

fn name(change: &Change) -> String {
    match change {
        Change::Create(_) => "created".into(),
        Change::Delete => "deleted".into(),
        other => other.part(),
    }
}

fn judge_generations(ledger: &Ledger, shown: &Shown, verdict: &mut Verdict) {
    for ((hub, device), first) in &ledger.generations {
        // It was deleted, and the operator kept it: it has to be made again.
        if ledger.resolved_kept.contains(device) {
            continue;
        }
        let last = shown.generations.get(&(*hub, device.clone()));
        if last.is_some_and(|last| last != first) {
            verdict
                .duplicated
                .push(format!("{device}: created a second time at {hub}"));
        }
    }
}

fn judge_counters(ledger: &Ledger, shown: &Shown, verdict: &mut Verdict) {
    for (counter, expected) in &ledger.counters {
        let actual = shown.counters.get(counter).copied().unwrap_or(0);
        let text = format!("{counter}: {actual} instead of {expected}");
        match actual.cmp(expected) {
            std::cmp::Ordering::Less => verdict.lost.push(text),
            std::cmp::Ordering::Equal => {}
            std::cmp::Ordering::Greater => verdict.duplicated.push(text),
        }
    }
}

fn judge_documents(ledger: &Ledger, shown: &Shown, listed: &Listed, verdict: &mut Verdict) {
    for (key, expected) in &ledger.documents {
        if shown.documents.get(key) == Some(expected) {
            continue;
        }
        let text = format!("{} {}", key.0, key.1);
        if listed.conflicts.contains(key) {
            verdict.listed.push(text);
        } else {
            verdict.lost.push(text);
        }
    }
}

#[cfg(test)]
mod tests;
