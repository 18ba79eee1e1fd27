//! A canary's part in the device's decisions: when the standby is aimed at, and the way back.

use std::time::{Duration, Instant};

use time::OffsetDateTime;

use super::trial::{Aim, Timer, Trial};
use super::{Core, Decision};

impl Core {
    /// Takes up what the slot's timer ran for, after [`Self::restore`]. Without a clock, or with one
    /// that is behind the canary's beginning, nobody knows how long the device was off: a canary is
    /// over then.
    pub fn restore_aim(&mut self, aim: &Aim, now: Instant) {
        let unix = self.unix(now);
        if let Some(id) = &aim.canary {
            let Some(trial) = self.trial.as_mut().filter(|trial| trial.id == *id) else {
                return;
            };
            if unix.is_none_or(|unix| !trial.can_be(unix)) {
                return;
            }
            trial.begin(aim.ago, unix, now);
            if trial.ends_at().is_none() {
                return;
            }
        }
        self.timer = Timer::after(aim.ago, aim.wait, now);
        self.connection.aim(self.timer.due(now));
    }

    /// Takes the wall clock's time. A device that has a clock tells it before each answer: then a
    /// canary ends when its signature says. Without one it ends after its whole life at the latest.
    pub fn on_clock(&mut self, unix: OffsetDateTime, now: Instant) {
        self.clock = Some((unix, now));
        if let Some(trial) = &mut self.trial {
            trial.on_clock(unix, now);
        }
        self.advance(now);
    }

    fn unix(&self, now: Instant) -> Option<OffsetDateTime> {
        let (unix, at) = self.clock?;
        Some(unix + now.saturating_duration_since(at))
    }

    /// What to do at this moment: a canary whose time is over is left, though no event said so.
    pub fn decision_at(&self, now: Instant) -> Option<Decision> {
        let decision = self.decision()?;
        let Some(ends_at) = decision.until.filter(|ends_at| *ends_at <= now) else {
            return Some(decision);
        };
        let timer = self.way_back(ends_at, self.slot_of_trial().unwrap_or_default());
        let endpoint = decision.route.active()?.clone();
        Some(Decision {
            endpoint,
            connect_at: timer.since + timer.wait,
            until: None,
            ..decision
        })
    }

    /// What the slot's timer runs for, and how far it is: what to save beside [`Self::held`].
    pub fn aim(&self, now: Instant) -> Aim {
        let trial = self.trial.as_ref();
        let canary = trial.filter(|trial| trial.ends_at().is_some());
        Aim {
            canary: canary.map(|trial| trial.id.clone()),
            ago: now.saturating_duration_since(self.timer.since),
            wait: self.timer.wait,
        }
    }

    /// Begins the held route's canary, goes on with it, or leaves the one that it has not any more.
    pub(super) fn follow_canary(&mut self, now: Instant) {
        let Some(route) = self.held.as_ref().map(|held| held.route.clone()) else {
            return;
        };
        let canary = route.canary_of(self.device.as_str());
        let before = self.trial.take();
        if let (Some(canary), Some(trial)) = (canary, &before)
            && canary.id == trial.id
        {
            self.trial = before;
            return;
        }
        let unix = self.unix(now);
        self.trial = canary.map(|canary| {
            let mut trial = Trial::of(canary, &route, &self.device);
            trial.begin(Duration::ZERO, unix, now);
            trial
        });
        let left = before.filter(|trial| trial.ends_at().is_some());
        match (self.slot_of_trial(), left) {
            (Some(slot), _) => self.start(slot, now),
            (None, Some(trial)) => self.go_back(now, trial.slot),
            (None, None) => {}
        }
    }

    /// The slot of the canary that the device is at.
    pub(super) fn slot_of_trial(&self) -> Option<Duration> {
        let trial = self.trial.as_ref();
        trial
            .filter(|trial| trial.ends_at().is_some())
            .map(|trial| trial.slot)
    }

    /// A canary whose time is over is left, without a word from anybody.
    pub(super) fn advance(&mut self, now: Instant) {
        let trial = self.trial.as_ref();
        let ending = trial.and_then(|trial| Some((trial.ends_at()?, trial.slot)));
        if let Some((ends_at, slot)) = ending.filter(|(ends_at, _)| *ends_at <= now) {
            self.go_back(ends_at, slot);
        }
    }

    pub(super) fn go_back(&mut self, from: Instant, slot: Duration) {
        if let Some(trial) = &mut self.trial {
            trial.end();
        }
        self.timer = self.way_back(from, slot);
        self.connection.aim(self.timer.since + self.timer.wait);
    }

    /// The timer of the way back to the active hub: the device's place in the cohort's window, and
    /// not before its slot of the epoch.
    fn way_back(&self, from: Instant, slot: Duration) -> Timer {
        let held = self.held.as_ref();
        let due = held.map(|held| held.accepted_at + held.route.slot(self.device.as_str()));
        let at = due.map_or(from + slot, |due| due.max(from + slot));
        Timer {
            since: from,
            wait: at.saturating_duration_since(from),
        }
    }
}
