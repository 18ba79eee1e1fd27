//! Chapters two and four: moves, planned and forced.

use std::time::{Duration, Instant};

use anyhow::bail;
use hubshift_api::pb::concierge::{Failover, FailoverKind, FailoverPlan};
use hubshift_api::pb::types::HubState;
use hubshift_api::times;

use super::Story;
use crate::demo::report::Move;

/// How long the operator waits for a target that does not answer.
const PATIENCE: Duration = Duration::from_secs(30);

impl Story {
    /// A planned move to west and home again: nothing is on fire, nothing may be lost.
    pub(super) async fn there_and_back(&mut self) -> anyhow::Result<()> {
        self.move_fleet(FailoverKind::Planned, "east", "west")
            .await?;
        self.operator.wait_for_hub("east", HubState::Ready).await?;
        self.move_fleet(FailoverKind::Failback, "west", "east")
            .await?;
        self.operator.wait_for_hub("west", HubState::Ready).await
    }

    /// The east hub's region burns.
    pub(super) async fn east_dies(&mut self) -> anyhow::Result<()> {
        self.world.east.power_off().await;
        self.death = Some(time::OffsetDateTime::now_utc());
        self.say("the east hub is dead");
        Ok(())
    }

    /// The operator reads the bound on loss, repeats it, and moves the fleet.
    pub(super) async fn forced(&mut self) -> anyhow::Result<()> {
        let recovery = self.west_recovers();
        self.move_fleet(FailoverKind::Forced, "east", "west")
            .await?;
        recovery.await?
    }

    /// One move from its start to the last device.
    pub(super) async fn move_fleet(
        &mut self,
        kind: FailoverKind,
        from: &str,
        to: &str,
    ) -> anyhow::Result<()> {
        let mut acknowledge = String::new();
        if kind == FailoverKind::Forced {
            acknowledge = self.open_plan(kind, from, to).await?.loss_bound;
            self.say(&format!("the plan says: {acknowledge}"));
        }
        let moment = self.monkey.pick_moment();
        self.fleet.mark();
        let started = self.operator.start(kind, from, to, acknowledge).await?;
        self.say(&format!("{} failover {from} → {to} started", word(kind)));
        if let Some(moment) = moment {
            self.wait_for_step(&started.name, moment).await?;
            let moment = format!("{} {moment}", word(kind));
            self.monkey.strike(&self.world, &moment);
        }
        let (name, begun) = (started.name, self.started);
        let done = self
            .operator
            .finish(&name, |now| {
                eprintln!("{:>6.1} s    {}", begun.elapsed().as_secs_f64(), now.step);
            })
            .await?;
        self.fleet.wait_attached(to).await?;
        self.note_move(kind, from, to, &done);
        Ok(())
    }

    /// The plan, once nothing blocks it: the operator waits until the target answers again.
    async fn open_plan(
        &self,
        kind: FailoverKind,
        from: &str,
        to: &str,
    ) -> anyhow::Result<FailoverPlan> {
        let started = Instant::now();
        loop {
            let plan = self.operator.plan(kind, from, to).await?;
            if !plan.blocked {
                return Ok(plan);
            }
            if started.elapsed() > PATIENCE {
                bail!("the plan stays blocked: {:?}", plan.checks);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn wait_for_step(&self, name: &str, step: &str) -> anyhow::Result<()> {
        loop {
            let now = self.operator.failover(name).await?;
            let reached = now.history.iter().any(|record| record.step == step);
            if reached || now.done {
                return Ok(());
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }

    fn note_move(&mut self, kind: FailoverKind, from: &str, to: &str, done: &Failover) {
        let report = done.report.clone().unwrap_or_default();
        let millis = |span: &prost_types::Duration| {
            u64::try_from(times::from_duration(span).as_millis()).unwrap_or(u64::MAX)
        };
        if kind == FailoverKind::Forced {
            self.report.rpo_bound_s = report.rpo_bound_seconds;
            self.report.rpo_window_open = report.rpo_window_open;
        }
        let (count, percentiles) = self.fleet.since_mark(to);
        let step = Move {
            kind: word(kind),
            from: from.into(),
            to: to.into(),
            epoch: report.epoch,
            control_plane_ms: report.control_plane.as_ref().map_or(0, millis),
            attached_p50_ms: 0,
            attached_p95_ms: 0,
            attached_p100_ms: 0,
            attached_count: 0,
            replayed_count: report.replayed_count,
        }
        .with_attached(count, percentiles);
        self.say(&format!(
            "epoch {}: {count} devices at {to}, the last after {} ms; {} journaled writes repeated",
            step.epoch, step.attached_p100_ms, step.replayed_count
        ));
        if report.late_change_count > 0 {
            self.say(&format!(
                "{} devices were changed past the freeze",
                report.late_change_count
            ));
        }
        self.report.failovers.push(step);
    }
}

fn word(kind: FailoverKind) -> &'static str {
    match kind {
        FailoverKind::Planned => "planned",
        FailoverKind::Forced => "forced",
        FailoverKind::Failback => "failback",
        FailoverKind::Unspecified => "unspecified",
    }
}
