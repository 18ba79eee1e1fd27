//! Bringing the standby up to date, a batch of keys at a time, in their order.
//!
//! What has its parent not at the standby yet waits. Once all were looked at, and something was made
//! meanwhile, another round begins: parents come before children by rounds, however deep they are.
//! What a hub cannot take as things are, a module of a disabled device, is no failure.

use std::collections::{BTreeSet, HashMap, HashSet};

use futures::StreamExt as _;
use hubshift_domain::hub_state::Purpose;
use hubshift_flow::StepError;

use super::need::Need;
use super::{Pass, PassCx, Phase, is_throttled, judge, trouble};
use crate::authority::FleetView;
use crate::observe::Observed;
use crate::scan::CONCURRENCY;
use crate::store;
use crate::store::base::Pair;
use crate::workflows::scan::gone;
use crate::workflows::trouble::{Brake, Turn};
use crate::write::{DEVICE_DISABLED, PARENT_MISSING, WriteCx, WriteOp, WriteOutcome, write};

/// Devices in a batch.
const BATCH: i64 = 200;
/// So often a pass goes round again for what was there otherwise than was known: a device of which a
/// call made one part, or that somebody else made.
const MAX_ROUNDS: u8 = 2;

/// A key, what was to be done, and what became of it.
pub(super) type Written = (String, String, WriteOutcome);

impl Pass {
    /// One batch.
    pub(super) async fn apply(&mut self, cx: &PassCx<'_>) -> Result<Turn, StepError> {
        let needs = self.needs(cx).await?;
        // What was read meanwhile may be of an older state, and is marked as such by now.
        if self.halt_if_rewound(cx).await? {
            return Ok(Turn::More);
        }
        let Some(last) = needs.last().map(|need| need.difference.device_id.clone()) else {
            self.advance_base(cx, None).await?;
            self.end_round();
            return Ok(Turn::More);
        };
        let writer = self.writer(cx).await?;
        let outcomes = self.write_all(cx, &writer, &needs).await?;
        let before = (self.failed, self.orphans, self.stale, self.troubles.len());
        let mut deleted = Vec::new();
        for (device, action, outcome) in &outcomes {
            self.count(device, action, outcome, &mut deleted);
        }
        let (fleet, target) = (cx.fleet.as_str(), self.target.as_str());
        store::tombstone::acknowledge(&cx.deps.pool, fleet, target, &deleted).await?;
        let refused = trouble::out_of_reach(&outcomes);
        store::out_of_reach::note(&cx.deps.pool, fleet, target, &refused).await?;
        let outcomes: Vec<&WriteOutcome> = outcomes.iter().map(|(_, _, done)| done).collect();
        if let turn @ Turn::Pause(_) = judge(&outcomes, cx.attempt)? {
            // What did not come through of this batch is counted when it is tried again.
            (self.failed, self.orphans, self.stale) = (before.0, before.1, before.2);
            self.troubles.truncate(before.3);
            return Ok(turn);
        }
        self.advance_base(cx, Some(&last)).await?;
        self.after = last;
        Ok(Turn::More)
    }

    /// Goes round again while that brings parents to the standby, or for what was there otherwise
    /// than was known; and on else.
    fn end_round(&mut self) {
        let (made, stale) = (
            std::mem::take(&mut self.made),
            std::mem::take(&mut self.stale),
        );
        if self.orphans > 0 && made > 0 || stale > 0 {
            self.rounds += u8::from(stale > 0);
            self.orphans = 0;
            self.after.clear();
            return;
        }
        if self.orphans > 0 {
            let (standby, orphans) = (self.target.as_str(), self.orphans);
            tracing::warn!(
                standby,
                orphans,
                "left out: their parents are not at the standby"
            );
        }
        self.phase = Phase::Finish;
    }

    async fn needs(&self, cx: &PassCx<'_>) -> Result<Vec<Need>, StepError> {
        let (pool, fleet) = (&cx.deps.pool, cx.fleet.as_str());
        let (source, target) = (self.source.as_str(), self.target.as_str());
        // News is nothing that changes what a hub takes: what cannot carry over waits for a pass that
        // looks at everything.
        let tries_all = !self.is_light();
        let differences =
            store::compare::differences(pool, fleet, source, target, &self.after, BATCH, tries_all)
                .await?;
        let devices: Vec<String> = differences
            .iter()
            .map(|difference| difference.device_id.clone())
            .collect();
        let mut sources = by_id(store::observed::get_many(pool, fleet, source, &devices).await?);
        let mut targets = by_id(store::observed::get_many(pool, fleet, target, &devices).await?);
        let needs = differences.into_iter().map(|difference| Need {
            source: sources.remove(&difference.device_id),
            target: targets.remove(&difference.device_id),
            difference,
        });
        Ok(needs.collect())
    }

    /// The writer is bound to the epoch that the pass began in, whatever the fleet's is now.
    async fn writer(&self, cx: &PassCx<'_>) -> Result<WriteCx, StepError> {
        let view: Option<FleetView> = crate::authority::fleet(&cx.deps.pool, cx.fleet).await?;
        let view = view.ok_or_else(|| gone(cx.fleet))?;
        let mut writer = cx
            .deps
            .writer(&view, &self.target, Purpose::Replicate)
            .await?;
        writer.epoch = self.epoch;
        Ok(writer)
    }

    fn count(
        &mut self,
        device: &str,
        action: &str,
        outcome: &WriteOutcome,
        deleted: &mut Vec<String>,
    ) {
        self.calls += 1;
        let is_there = matches!(outcome, WriteOutcome::Applied(_) | WriteOutcome::Already(_));
        self.made += u64::from(action == "create" && is_there);
        match (action, outcome) {
            ("delete", WriteOutcome::Applied(_) | WriteOutcome::Already(_)) => {
                self.deleted += 1;
                deleted.push(device.to_owned());
            }
            ("create", WriteOutcome::Applied(_)) => self.created += 1,
            (_, WriteOutcome::Applied(_)) => self.updated += 1,
            (_, WriteOutcome::Already(_)) => {}
            // It is tried again by this pass, after a pause.
            (_, outcome) if is_throttled(outcome) => {}
            (
                _,
                WriteOutcome::Rejected {
                    reason: PARENT_MISSING,
                    message,
                },
            ) => {
                self.orphans += 1;
                tracing::debug!(device, action, message, "waits for its parent");
            }
            (
                _,
                WriteOutcome::Rejected {
                    reason: DEVICE_DISABLED,
                    ..
                },
            ) => {
                tracing::debug!(device, action, "left out: its device is disabled");
            }
            (_, outcome @ WriteOutcome::Rejected { reason, message }) => {
                self.failed += 1;
                self.note_trouble(device, outcome);
                tracing::warn!(
                    device,
                    action,
                    reason,
                    message,
                    "the standby refused a device"
                );
            }
            // It was looked at: the next round knows what is there.
            (_, WriteOutcome::Stale) if self.rounds < MAX_ROUNDS => self.stale += 1,
            (_, WriteOutcome::Stale | WriteOutcome::Gone | WriteOutcome::Unknown(_)) => {
                self.failed += 1;
                self.note_trouble(device, outcome);
                tracing::debug!(device, action, ?outcome, "left to the next pass");
            }
        }
    }

    /// Devices and configurations first: a hub makes modules and takes them away with their devices.
    async fn write_all(
        &self,
        cx: &PassCx<'_>,
        writer: &WriteCx,
        needs: &[Need],
    ) -> Result<Vec<Written>, StepError> {
        let brake = Brake::default();
        let (modules, others): (Vec<&Need>, Vec<&Need>) =
            needs.iter().partition(|need| need.is_module());
        let mut outcomes = Vec::with_capacity(needs.len());
        for wave in [others, modules] {
            let present = self.present(cx, &wave).await?;
            outcomes.extend(write_wave(writer, &wave, &present, &brake).await?);
        }
        Ok(outcomes)
    }

    /// Those of the parents of a wave that are at the standby now.
    async fn present(&self, cx: &PassCx<'_>, wave: &[&Need]) -> Result<HashSet<String>, StepError> {
        let above: BTreeSet<&str> = wave.iter().filter_map(|need| need.above()).collect();
        if above.is_empty() {
            return Ok(HashSet::new());
        }
        let above: Vec<String> = above.into_iter().map(str::to_owned).collect();
        let (fleet, target) = (cx.fleet.as_str(), self.target.as_str());
        let present = store::observed::present(&cx.deps.pool, fleet, target, &above).await?;
        Ok(present.into_iter().collect())
    }

    async fn advance_base(&self, cx: &PassCx<'_>, up_to: Option<&str>) -> Result<(), StepError> {
        store::base::advance(&cx.deps.pool, self.pair(cx), &self.after, up_to).await?;
        Ok(())
    }

    /// The two hubs whose bases advance.
    pub(super) fn pair<'a>(&'a self, cx: &'a PassCx<'_>) -> Pair<'a> {
        Pair {
            fleet: cx.fleet.as_str(),
            source: self.source.as_str(),
            target: self.target.as_str(),
            found_epoch: self.epoch.as_i64(),
        }
    }
}

fn by_id(rows: Vec<Observed>) -> HashMap<String, Observed> {
    rows.into_iter()
        .map(|row| (row.device_id.clone(), row))
        .collect()
}

async fn write_wave(
    writer: &WriteCx,
    wave: &[&Need],
    present: &HashSet<String>,
    brake: &Brake,
) -> Result<Vec<Written>, StepError> {
    let writes = wave.iter().map(|need| {
        let writer = writer.clone();
        let action = need.difference.action.clone();
        let device = need.difference.device_id.clone();
        let wanted = need.wanted();
        let target = need.target.clone();
        let missing = need.above().filter(|above| !present.contains(*above));
        let missing = missing.map(str::to_owned);
        async move {
            let outcome = match (&wanted, &target) {
                _ if brake.is_pulled() => throttled(),
                (Some(_), _) if missing.is_some() => orphan(missing.as_deref()),
                (Some(to), None) => write(&writer, WriteOp::Create(to)).await?,
                (Some(to), Some(seen)) => write(&writer, WriteOp::Update { to, seen }).await?,
                // Its row vanished since the comparison: no ground for a deletion.
                (None, Some(_)) if action != "delete" => WriteOutcome::Stale,
                (None, Some(seen)) => {
                    write(
                        &writer,
                        WriteOp::Delete {
                            device_id: &device,
                            seen,
                        },
                    )
                    .await?
                }
                // Gone from both since the batch was made.
                (None, None) => WriteOutcome::Already(None),
            };
            if is_throttled(&outcome) {
                brake.pull();
            }
            Ok::<_, StepError>((device, action, outcome))
        }
    });
    let writes: Vec<_> = writes.collect();
    let mut results = futures::stream::iter(writes).buffer_unordered(CONCURRENCY);
    let mut outcomes = Vec::with_capacity(wave.len());
    while let Some(result) = results.next().await {
        outcomes.push(result?);
    }
    Ok(outcomes)
}

/// A write that was not begun, because another one was throttled.
fn throttled() -> WriteOutcome {
    WriteOutcome::Rejected {
        reason: "HUB_THROTTLED",
        message: "the hub asked to slow down".to_owned(),
    }
}

/// A write that was not begun: the standby is known not to have the parent.
fn orphan(parent: Option<&str>) -> WriteOutcome {
    let parent = parent.unwrap_or_default();
    WriteOutcome::Rejected {
        reason: PARENT_MISSING,
        message: format!("its parent {parent} is not at the standby"),
    }
}
